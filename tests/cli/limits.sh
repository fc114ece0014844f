#!/bin/sh
# What one example may take, and minibatches that take more than there is memory for: they run in parts, with the
# results that they have otherwise.
#   limits.sh NNRUN SOURCE
. "$(dirname "$0")/lib.sh"

# Writes in place: each of these took gigabytes when a write copied the list, and 64 MiB are plenty.
cat >writes.nn <<'MODEL'
dim D = 4
param p: f32[D] = ones
fn loss(n: int) -> f32 {
  var hs = [p for i in 0..n]
  for i in 1..n { hs[i] = tanh(hs[i] + hs[i - 1]) }
  sum(hs[n - 1])
}
fn fill(n: int) -> int {
  var ys = [0 for i in 0..n]
  for i in 0..n { ys[i] = i }
  sum(ys)
}
fn table(n: int) -> int {
  var t = [[0 for j in 0..n] for i in 0..n]
  for i in 1..n {
    for j in 1..n { t[i][j] = max(t[i - 1][j], t[i][j - 1]) + (i * j) % 3 }
  }
  t[n - 1][n - 1]
}
MODEL
echo '{"n": 30000}' >loss.jsonl
status 0 eval writes.nn --data loss.jsonl --memory 64
says out '^loss 3.8447'
echo '{"n": 1000000}' >fill.jsonl
status 0 predict writes.nn --entry fill --data fill.jsonl --memory 64
says out '^{"line": 1, "fill": 499999500000}$'
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do echo '{"n": 300}'; done >table.jsonl
status 0 predict writes.nn --entry table --data table.jsonl --batch 16 --memory 8 --minibatch-memory 8
says out '^{"line": 1, "table": 598}$' '^{"line": 16, "table": 598}$'

# A decoder that never ends is ended, and says where; the others go on.
cat >decoder.nn <<'MODEL'
dim D = 8
param E: f32[D] = ones
fn predict(n: int) -> [int] {
  var h = E
  var out = [0]
  while n > 1 {
    h = tanh(h + E)
    out = push(out, n)
    if value(sum(h)) < 0 { break }
  }
  out
}
fn build(n: int) -> f32 {
  var h = E
  while n > 1 { h = tanh(h + E) }
  sum(h)
}
fn hoard(n: int) -> int {
  var xs = [0]
  while n > 1 { xs = push(xs, n) }
  len(xs)
}
MODEL
printf '{"n": 1}\n{"n": 2}\n{"n": 1}\n{"n": 3}\n' >decoder.jsonl
status 1 predict decoder.nn --data decoder.jsonl
says out '^{"line": 1, "predict": \[0\]}$' '^{"line": 3, "predict": \[0\]}$' \
  '^{"line": 2, "error": "decoder.nn:9:[0-9]*: more than 100000 waits for values that decide.*(--waits)"}$' '^{"line": 4, "error":'
status 1 predict decoder.nn --data decoder.jsonl --waits 10
says out '"line": 2, "error": "decoder.nn:9:[0-9]*: more than 10 waits'
status 1 predict decoder.nn --entry build --data decoder.jsonl --instances 100000
says out '"line": 3, "build": 8}' '"line": 2, "error": "decoder.nn:1[45]:[0-9]*: more than 100000 block instances.*(--instances)"'
status 1 predict decoder.nn --entry build --data decoder.jsonl --memory 10
says out '"line": 3, "build": 8}' '"line": 2, "error": "decoder.nn:1[45]:[0-9]*: the example needs more than 10 MiB of memory (--memory)"'
status 1 predict decoder.nn --entry hoard --data decoder.jsonl --memory 10
says out '"line": 3, "hoard": 1}' '"line": 2, "error": "decoder.nn:20:[0-9]*: the example needs more than 10 MiB'
status 1 predict decoder.nn --entry hoard --data decoder.jsonl --memory 0 --minibatch-memory 10
says out '"line": 3, "hoard": 1}' '"line": 4, "error": "decoder.nn:20:[0-9]*: the example alone needs more than the 10 MiB of a minibatch (--minibatch-memory)"'
# Two loops of one block: the line is that of the loop that takes too much.
cat >places.nn <<'MODEL'
param w: f32 = zeros
fn short(n: int) -> f32 {
  var x = w
  for i in 0..n { x = x * 2 + value(x) }
  x
}
fn long(n: int) -> f32 {
  var x = w
  for i in 0..100 * n {
    x = x * 2 + value(x)
  }
  x
}
fn predict(n: int) -> f32 { short(n) + long(n) }
MODEL
printf '{"n": 1}\n{"n": 50}\n' >places.jsonl
status 1 predict places.nn --data places.jsonl --instances 1000
says out '^{"line": 1, "predict": 0}$' '^{"line": 2, "error": "places.nn:10:[0-9]*: more than 1000 block instances'
# What is there already is read without a wait: one wait for all of these, and a second for what depends on the first.
cat >reads.nn <<'MODEL'
param w: f32 = ones
fn predict(x: f32, n: int) -> f32 {
  let scores = [tanh(w * x * float(i)) for i in 0..n]
  var best = 0.0
  for s in scores { best = max(best, value(s)) }
  value(w * best)
}
MODEL
printf '{"x": 1, "n": 3000}\n{"x": 2, "n": 5}\n' >reads.jsonl
status 0 predict reads.nn --data reads.jsonl --waits 2
says out '^{"line": 1, "predict": 1}$'
status 1 predict reads.nn --data reads.jsonl --waits 1
says out '"line": 1, "error": "reads.nn:6:[0-9]*: more than 1 waits'
refuses 2 '--waits takes an integer of at least 0' predict decoder.nn --data decoder.jsonl --waits many

# In parts: predictions have the same bits, with and without decisions; losses and gradients are those of the whole.
for model in treelstm greedy-tagger; do
  nn=$examples/$model/$model.nn
  case $model in treelstm) name=train.txt ;; *) name=train.tsv ;; esac
  status 0 train "$nn" --data "$examples/$model/$name" --limit 100 --epochs 1 --save whole.safetensors
  status 0 train "$nn" --data "$examples/$model/$name" --limit 100 --epochs 1 --minibatch-memory 1 --save parts.safetensors
  for weights in whole parts; do
    for memory in 0 1; do
      status 0 predict "$nn" --weights $weights.safetensors --data "$examples/$model/$name" --limit 100 \
        --minibatch-memory $memory
      mv out $weights.$memory
    done
    cmp $weights.0 $weights.1 || fail "$model: predictions in parts are not those of the whole"
  done
  for memory in 0 1; do
    status 0 grad "$nn" --weights whole.safetensors --data "$examples/$model/$name" --limit 100 \
      --minibatch-memory $memory --out grad.$memory
    mv out losses.$memory
  done
  cmp losses.0 losses.1 || fail "$model: losses in parts are not those of the whole"
  cmp -s grad.0 grad.1 && fail "$model: one part only"
  python3 - grad.0 grad.1 <<'PYTHON' || fail "$model: gradients in parts are not those of the whole"
import json, struct, sys
def tensors(path):
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8:8 + n])
    return {k: struct.unpack("<%df" % ((v["data_offsets"][1] - v["data_offsets"][0]) // 4),
                             data[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]])
            for k, v in head.items() if k != "__metadata__"}
a, b = tensors(sys.argv[1]), tensors(sys.argv[2])
assert a.keys() == b.keys()
for name in a:
    size = max(abs(x) for x in a[name])
    assert all(abs(x - y) <= 1e-5 * size + 1e-7 for x, y in zip(a[name], b[name])), name
PYTHON
done

# Results that hold tensors, in lists and data, are copied out of each part.
cat >held.nn <<'MODEL'
dim D = 300
param p: f32[D]
data Held = Nothing | Both(x: f32[D], rest: Held)
fn predict(n: int) -> (Held, [(int, f32[D])], f32) {
  var held = Nothing
  for i in 0..n { held = Both(p * (i + 1), held) }
  (held, [(i, tanh(p * i)) for i in 0..n], sum(p) * n)
}
MODEL
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "{\"n\": $((i * 7 % 40 + 100))}"; done >held.jsonl
status 0 predict held.nn --data held.jsonl --minibatch-memory 0
mv out held.0
status 0 predict held.nn --data held.jsonl --minibatch-memory 1
cmp out held.0 || fail "results with tensors differ in parts"

# What is not finite has the same origin in parts.
cat >nan.nn <<'MODEL'
param p: f32[64] = ones
param q: f32 = zeros
fn loss(n: int) -> f32 {
  var s = q
  for i in 0..n { s = s + sum(tanh(p * (i + 1))) }
  if n == 135 { s + q / q } else { s }
}
MODEL
for parts in 0 1; do
  status 1 eval nan.nn --data held.jsonl --minibatch-memory $parts
  grep -q 'held.jsonl:.*nan.nn:6:' err || fail "the origin of a nan is not named: $(cat err)"
  sed -n '/nan/p' err >"nan.$parts"
done
cmp nan.0 nan.1 || fail "the origin of a nan differs in parts"

# One part is left to be looked at, and that is said.
for i in $(seq 150); do echo '{"n": 140}'; done >many.jsonl
for command in graph explain; do
  status 0 $command nan.nn --data many.jsonl --batch 150 --minibatch-memory 0
  ! grep -q parts err || fail "$command: in parts"
  status 0 $command nan.nn --data many.jsonl --batch 150 --minibatch-memory 1
  says err '^nnrun: the minibatch ran in [0-9]* parts, for want of room (--minibatch-memory): only the last one is shown$'
done
