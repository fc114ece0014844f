#!/bin/sh
# A number that is not finite is blamed on its example and on the operation that made it, in every command, whatever
# the minibatches; nothing is updated with it; it has one spelling.
#   not_finite.sh NNRUN SOURCE NNC
. "$(dirname "$0")/lib.sh"

cat >log.nn <<'MODEL'
param w: f32[2] = ones
fn loss(x: [float]) -> f32 {
  var total: f32 = 0
  for v in x { total = total + sum(log(w * v)) }
  total
}
fn twice(x: [float]) -> (float, [f32[2]]) { (x[0], [log(w * v) for v in x]) }
fn wide(x: [float]) -> f32 {
  let big = exp(w * 100)
  sum(big / exp(w * (99 + x[0])))
}
metric share(x: [float]) { (log(w[0] * x[0] - 2), 1) }
MODEL
printf '{"x":[1,2]}\n{"x":[3]}\n{"x":[2,-1]}\n{"x":[4]}\n{"x":[5,-2,6]}\n' >data.jsonl

for how in "--batch 1" "--batch 2" "--batch 64" "--batch 64 --autobatch off" "--batch 64 --threads 3 --precision f64"; do
  refuses 1 "epoch 1/2: data.jsonl:3: the loss is nan: \`log\` of -[01.9]* at log.nn:4:36 in block" \
    train log.nn --data data.jsonl --epochs 2 --no-shuffle --rate 1e-9 --quiet $how --save never.st
  [ ! -e never.st ] || fail "weights were saved"
done
# The advice is only given where it may help: where a step was made before.
grep -q 'smaller --rate' err && fail "the first minibatch is not to blame on the rate"
refuses 1 'try a smaller --rate' train log.nn --data data.jsonl --no-shuffle --batch 1 --rate 1e-9 --quiet

for batch in 1 2 64; do
  status 1 eval log.nn --data data.jsonl --batch $batch
  says out '^loss nan$' '^share nan$'
  says err "nnrun: data.jsonl:3: \`loss\` is nan: \`log\` of -1 at log.nn:4:36 in block loss"
  status 1 grad log.nn --data data.jsonl --batch $batch
  [ "$(grep -c '^nan$' out)" -eq 2 ] || fail "grad: two losses are nan"
  says err "data.jsonl:3: \`loss\` is nan: \`log\` of -1 at log.nn:4:36"
  status 1 predict log.nn --data data.jsonl --entry loss --batch $batch
  says out '^{"line": 3, "loss": null}$' '^{"line": 4, "loss": 2.77'
  says err "data.jsonl:3: \`loss\` is nan: \`log\` of -1" '2 of 5 results hold numbers that are not finite'
done
grep -q -- '-nan' out err && fail "nan is spelt in two ways"
status 1 eval log.nn --data data.jsonl --json
says out '"loss": null'
# Within lists and tuples, and where host code read the number.
status 1 predict log.nn --data data.jsonl --entry twice
says out '^{"line": 3, "twice": \[2, \[\[0.693147182, 0.693147182\], \[null, null\]\]\]}$'
says err "data.jsonl:3: \`twice\` is nan: \`log\` of -1 at log.nn:7:53"
printf '{"x":[1]}\n' >one.jsonl
status 1 eval log.nn --data one.jsonl
says err "one.jsonl:1: \`share\` is nan: \`log\` of -1 at log.nn:12:29"
# An infinity on the way is named too; infinities alone do not fail predict.
status 1 predict log.nn --data one.jsonl --entry wide
says err '`wide` is nan: `div` of inf and inf at log.nn:10:11 .*; the inf is from `exp` of 100 at log.nn:'
# A sum that overflows, though each of its terms is finite.
cat >sums.nn <<'MODEL'
param w: f32[2] = ones
fn loss(x: [float]) -> f32 {
  sum([sum(w * v) for v in x])
}
MODEL
printf '{"x":[1]}\n{"x":[1.5e38, 1e38]}\n' >sums.jsonl
status 0 predict sums.nn --entry loss --data sums.jsonl
says err 'sums.jsonl:2: `loss` is infinite: `sum` of a list of 2 at sums.nn:3:3$'
printf '{"x":[0]}\n' >zero.jsonl
status 0 predict log.nn --data zero.jsonl --entry loss
says err '`loss` is infinite: `log` of 0 at log.nn:4:36'
for mode in forward train; do
  status 1 bench log.nn --data data.jsonl --seconds 0.1 --mode $mode
  says err "data.jsonl:3: .* nan: \`log\` of -1 at log.nn:4:36"
done

# The loss is finite and its gradient is not: the example that it comes from, not the next one.
cat >root.nn <<'MODEL'
param w: f32[2] = ones
fn loss(x: [float]) -> f32 {
  let hs = [sqrt(w * v) for v in x]
  sum([sum(h) for h in hs])
}
MODEL
printf '{"x":[1]}\n{"x":[2,3]}\n{"x":[4,0,1]}\n{"x":[2]}\n' >roots.jsonl
for how in "--batch 1" "--batch 3" "--batch 64 --autobatch off" "--batch 64 --threads 2 --precision f64"; do
  refuses 1 'epoch 1/1: roots.jsonl:3: the gradient is nan from `mul` of inf and 0 .*; the inf is from `div` of [0-9.]* and 0 in the derivative at root.nn:3:13 in block' \
    train root.nn --data roots.jsonl --epochs 1 --no-shuffle --rate 1e-9 --quiet $how
done
for clip in 1 1e9; do
  refuses 1 'roots.jsonl:3: the gradient is nan' train root.nn --data roots.jsonl --epochs 1 --quiet --clip $clip
done
status 1 grad root.nn --data roots.jsonl --batch 2
says out '^2$'
says err 'roots.jsonl:3: the gradient is nan from .* `div` of 0.5 and 0 in the derivative at root.nn:3:13'

# Parameters that are not finite to begin with.
cat >table.nn <<'MODEL'
vocab Word
param E: f32[Word, 2] = constant(1e39)
fn loss(words: [Word]) -> f32 { sum([sum(tanh(E[w]) - E[w]) for w in words]) }
MODEL
echo 'a b' >words.txt
refuses 1 'words.txt:1: the loss is -inf: .*parameter `E` holds inf, read at table.nn:3' train table.nn --data words.txt --quiet

# Draws are made again as they were: what the message names is what was printed.
cat >noise.nn <<'MODEL'
param w: f32 = ones
fn loss(n: int) -> f32 {
  let z = w * normal()
  print(z)
  log(-abs(z)) + uniform()
}
MODEL
printf '{"n":1}\n{"n":2}\n' >two.jsonl
status 1 train noise.nn --data two.jsonl --epochs 1 --no-shuffle --quiet
says err 'two.jsonl:1: the loss is nan: `log` of -[0-9.]* at noise.nn:5:3'
awk '/two.jsonl:1: noise.nn:4:/ { printed = $NF < 0 ? -$NF : $NF }
  /`log` of -/ { sub(/.*`log` of -/, ""); named = $1 }
  END { exit !(printed > 0 && printed - named < 1e-5 && named - printed < 1e-5) }' err || fail "the origin draws something else"
