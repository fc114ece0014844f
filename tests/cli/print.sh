#!/bin/sh
# `print` and `assert`: what is written where, in which order, and what an assertion does to its example.
#   print.sh NNRUN SOURCE NNC
set -eu
nnrun=$1 nnc=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
  echo "print.sh: $1" >&2
  exit 1
}
same() { cmp -s "$1" "$2" || { diff "$1" "$2" >&2 || true; fail "$3"; }; }

cat >model.nn <<'END'
dim H = 2
enum Tag { A, B }
data Tree = Leaf(tag: Tag) | Node(left: Tree, right: Tree)
data Pair = Pair(n: int, x: f32[H])
param W: f32[Tag, H] = constant(0.5)

fn loss(tags: [Tag]) -> f32 {
  assert(len(tags) < 4, "a long one")
  print("tags", tags, len(tags) > 1)
  var xs = [1.5]
  print(xs)
  xs[0] = 2
  var total: f32 = 0
  for t in tags {
    let h = 2 * W[t]
    print(t, h, Pair(int(t), h), (Leaf(t), [Node(Leaf(A), Leaf(t))], xs))
    total = total + sum(h)
  }
  print(total)
  assert(len(tags) != 2)
  total
}
END
cat >data.jsonl <<'END'
{"tags": ["A"]}
{"tags": ["B", "A"]}
{"tags": ["A", "A", "A", "A"]}
{"tags": []}
END
cat >wanted <<'END'
data.jsonl:1: model.nn:9: tags [A] false
data.jsonl:1: model.nn:11: [1.5]
data.jsonl:1: model.nn:16: A f32[2] [1, 1] Pair(n: 0, x: f32[2] [1, 1]) (Leaf(tag: A), [Node(left: Leaf(tag: A), right: Leaf(tag: A))], [2])
data.jsonl:1: model.nn:19: 2
data.jsonl:2: model.nn:9: tags [B, A] true
data.jsonl:2: model.nn:11: [1.5]
data.jsonl:2: model.nn:16: B f32[2] [1, 1] Pair(n: 1, x: f32[2] [1, 1]) (Leaf(tag: B), [Node(left: Leaf(tag: A), right: Leaf(tag: B))], [2])
data.jsonl:2: model.nn:16: A f32[2] [1, 1] Pair(n: 0, x: f32[2] [1, 1]) (Leaf(tag: A), [Node(left: Leaf(tag: A), right: Leaf(tag: A))], [2])
data.jsonl:2: model.nn:19: 4
data.jsonl:4: model.nn:9: tags [] false
data.jsonl:4: model.nn:11: [1.5]
data.jsonl:4: model.nn:19: 0
END

# The same lines in the same order whatever the batches and threads.
for how in "--batch 4 --threads 1" "--batch 1 --threads 1" "--batch 3 --threads 4" "--batch 4 --autobatch off"; do
  status=0
  # shellcheck disable=SC2086
  "$nnrun" predict model.nn --entry loss --data data.jsonl $how >out 2>err || status=$?
  [ "$status" -eq 1 ] || { cat err >&2; fail "exit status $status with $how"; }
  grep '^data' err >printed || true
  same printed wanted "other lines with $how"
  grep -qF '{"line": 2, "error": "model.nn:20:3: assertion failed"}' out || fail "no assertion at line 20"
  grep -qF '{"line": 3, "error": "model.nn:8:3: assertion failed: a long one"}' out || fail "no assertion at line 8"
done

# A file of a compiled model is the same.
"$nnc" model.nn -o model.nnb
"$nnrun" predict model.nnb --entry loss --data data.jsonl --batch 4 >out 2>err || true
grep '^data' err >printed || true
same printed wanted "other lines of a compiled model"

# Printing changes no result.
mkdir quiet
sed 's/^ *print(.*//' model.nn >quiet/model.nn
(cd quiet && "$nnrun" predict model.nn --data ../data.jsonl --entry loss --batch 4 >../results 2>../err) || true
same out results "results differ without print"

# In a minibatch that runs in parts everything is printed once, in training, too.
"$nnrun" train model.nn --data data.jsonl --epochs 2 --batch 4 --allow-failures >out 2>err || fail "training fails"
[ "$(grep -c '^data.*tags' err)" -eq 6 ] || { cat err >&2; fail "not once an epoch"; }
