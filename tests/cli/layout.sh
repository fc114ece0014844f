#!/bin/sh
# Checkpoints can be read by others: byte layout, names, dims and vocabularies, by an independent reader.
#   layout.sh NNRUN SOURCE
command -v python3 >/dev/null || exit 77
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

cat >model.nn <<'MODEL'
dim H = 2
dim G = H + 1
vocab Word
vocab Label(closed)
layer Part(n: dim) {
  param W: f32[n, n] = identity
  param b: f32[n] = zeros
  fn apply(x: f32[n]) -> f32[n] { W @ x + b }
}
param E: f32[Word, H] = constant(0.25)
param C: f32[G, H] = constant(-1.5)
param scale: f32 = ones
let stack = [Part(H) for i in 0..2]
fn loss(words: [Word], label: Label) -> f32 {
  var x = mean([E[w] for w in words])
  for part in stack { x = part.apply(x) }
  scale * sum(C @ x)
}
MODEL
printf '{"words": ["caf\303\251", "\\"quoted\\""], "label": "yes"}\n{"words": ["b"], "label": "no"}\n' >data.jsonl
for precision in f32 f64; do
  status 0 train model.nn --data data.jsonl --rate 0 --epochs 1 --precision $precision --save model.st --quiet
  python3 "$here/layout.py" model.st >read
  type=$(echo $precision | tr f F)
  cat >expected <<EXPECTED
E $type [4, 2] 0.25 0.25 0.25 0.25 0.25 0.25 0.25 0.25
C $type [3, 2] -1.5 -1.5 -1.5 -1.5 -1.5 -1.5
scale $type [] 1
stack.0.W $type [2, 2] 1 0 0 1
stack.1.W $type [2, 2] 1 0 0 1
stack.0.b $type [2] 0 0
stack.1.b $type [2] 0 0
dim.H 2
model model
vocab.Label ['yes', 'no']
vocab.Word ['<unk>', 'caf$(printf '\303\251')', '"quoted"', 'b']
EXPECTED
  diff expected read >&2 || fail "the checkpoint in $precision is not as expected"
done
# One that others wrote is read: the same tensors in another order, a header of another length, no padding.
cat >rewrite.py <<'PYTHON'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
(length,) = struct.unpack_from("<Q", data)
header = json.loads(data[8 : 8 + length])
body, parts, out, at = data[8 + length :], [], {"__metadata__": header.pop("__metadata__")}, 0
for name in sorted(header, reverse=True):
    begin, end = header[name]["data_offsets"]
    parts.append(body[begin:end])
    out[name] = dict(header[name], data_offsets=[at, at + end - begin])
    at += end - begin
text = json.dumps(out, indent=1).encode()
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + b"".join(parts))
PYTHON
python3 rewrite.py model.st others.st
status 0 grad model.nn --weights model.st --data data.jsonl
mv out ours
status 0 grad model.nn --weights others.st --data data.jsonl
cmp out ours || fail "a checkpoint in another order gives other losses"
