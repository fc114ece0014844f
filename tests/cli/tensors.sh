#!/bin/sh
# Tensors that come from the data, and tensors made of lists: values worked out by hand, the same bits however they are
# batched, gradients by finite differences, and what is said of records of the wrong shape.
#   tensors.sh NNRUN SOURCE
. "$(dirname "$0")/lib.sh"

cat >m.nn <<'EOF'
dim In = 3
enum Kind { Low, High }
param W: f32[Kind, In] = constant(0.5)
param s: f32 = constant(2)

fn score(x: f32[In]) -> f32[Kind] { W @ x }
fn loss(x: f32[In], m: f32[2, In], t: f32, frames: [(f32[2], Kind)], kind: Kind) -> f32 {
  let y = tensor_of(m, x)
  nll(score(x), kind) + dot(y, tensor(s, 3)) * t + sum([sum(f * s) for (f, k) in frames])
}
fn tensor_of(m: f32[2, In], x: f32[In]) -> f32[2] { m @ x }
fn predict(x: f32[In], m: f32[2, In]) -> [f32[2]] { [m @ x, tensor(1, 2.5)] }
fn pile(x: f32[In], m: f32[2, In]) -> f32[3, 2] { tensor([m @ x, tensor(sum(x), 1), tensor(s, s)]) }
fn checked(xs: [float]) -> f32 {
  let x: f32[In] = tensor(xs)
  sum(x)
}
fn unused(xs: [float]) -> f32 {
  let _x: f32[In] = tensor(xs)
  s
}
fn deep(xs: [float]) -> f32[2, 2] { tensor(xs) }
metric low(x: f32[In], kind: Kind) { (kind == Low, 1) }
EOF
cat >d.jsonl <<'EOF'
{"x": [1, 2, 3], "m": [[1, 0, 0], [0, 1, 1]], "t": 0.5, "frames": [[[1, 2], "Low"], [[3, 4], "High"]], "kind": "Low"}
{"x": [0, 1, -1], "m": [[2, 1, 0], [0, 1, 1.5]], "t": 1, "frames": [], "kind": "High"}
EOF

status 0 predict m.nn --data d.jsonl
says out '"predict": \[\[1, 5\], \[1, 2.5\]\]' '"predict": \[\[1, -0.5\], \[1, 2.5\]\]'
status 0 predict m.nn --data d.jsonl --entry pile
says out '"pile": \[\[1, 5\], \[6, 1\], \[2, 2\]\]' '"pile": \[\[1, -0.5\], \[0, 1\], \[2, 2\]\]'
# ln 2 + (1*2 + 5*3)/2 + 2*(3 + 7); an empty list has no sum.
status 1 grad m.nn --data d.jsonl --precision f64
says out '^29.19314718055994' '^nan$'
says err 'd.jsonl:2: .*sum of an empty list'
sed 's/"frames": \[\]/"frames": [[[0, 0], "Low"]]/' d.jsonl >e.jsonl
for policy in off depth agenda auto; do
  status 0 grad m.nn --data e.jsonl --precision f64 --autobatch $policy --out $policy.st
  cmp -s out off.out 2>/dev/null || [ $policy = off ] || fail "other losses with --autobatch $policy"
  cp out $policy.out
  cmp -s $policy.st off.st || fail "other gradients with --autobatch $policy"
done
# One step down the gradient of s, which is 1 * 0.5 + 10 in the first example and 1 in the second.
status 0 train m.nn --data e.jsonl --epochs 1 --optimiser sgd --rate 1 --loss sum --batch 2 --precision f64 --save s.st --quiet
status 0 predict m.nn --data e.jsonl --weights s.st --entry pile
says out '\[-9.5, -9.5\]\]'

# In columns a tensor's numbers are separated by blanks.
printf 'x\tkind\n1 2 3\tLow\n4 5 6\tHigh\n' >d.tsv
status 0 eval m.nn --data d.tsv --entry low
says out '^low 0.5$'

# Records of another shape.
shape() {
  echo "{\"x\": $1, \"m\": $2}" >bad.jsonl
  refuses 1 "$3" predict m.nn --data bad.jsonl
}
good='[[1, 0, 0], [0, 1, 1]]'
shape '[1, 2]' "$good" 'bad.jsonl:1:7: at `x`: has 2 elements where 3 are wanted'
shape '[1, 2, 3, 4]' "$good" 'bad.jsonl:1:17: at `x\[3\]`: is one more than the 3 that are wanted'
shape '[1, 2, "c"]' "$good" 'at `x\[2\]`: expected a number, found a string'
shape '[1, 2, [3]]' "$good" 'at `x\[2\]`: expected a number, found an array'
shape '7' "$good" 'at `x`: expected a list of numbers, 3, found an integer'
shape '[1, 2, 3]' '[1, 2, 3, 4, 5, 6]' 'at `m\[0\]`: expected a list of numbers, 3, found an integer'
shape '[1, 2, 3]' '[[1, 2, 3]]' 'at `m`: has 1 elements where 2 are wanted'
printf 'x\tkind\n1 2\tLow\n' >bad.tsv
refuses 1 'bad.tsv:2:1: 2 numbers where 3 are wanted' eval m.nn --data bad.tsv --entry low

# Lists of the wrong length fail the example, whether or not the tensor is used.
printf '{"xs": [1, 2, 3]}\n{"xs": [1, 2]}\n' >xs.jsonl
for entry in checked unused; do
  status 1 predict m.nn --data xs.jsonl --entry $entry
  says out '{"line": 2, "error": "m.nn:[0-9]*:2[01]: a list of 2 elements where 3 are wanted"}'
done
status 0 predict m.nn --data xs.jsonl --limit 1 --entry checked
says out '"checked": 6}'
echo '{"xs": [1, 2, 3, 4]}' >four.jsonl
status 0 predict m.nn --data four.jsonl --entry deep
says out '"deep": \[\[1, 2\], \[3, 4\]\]'
