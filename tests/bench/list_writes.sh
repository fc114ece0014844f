#!/bin/sh
# How the time of a write to a list grows with its length: nanoseconds a write for each kind of write, and the peak of
# the memory. Writes in place cost the same at every length; only the last kind, a list that somebody else still sees
# at every write, grows with it.
#   list_writes.sh NNRUN
set -eu
nnrun=$1 work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >writes.nn <<'MODEL'
param w: f32
fn fill(n: int) -> int { var ys = [0 for i in 0..n]; for i in 0..n { ys[i] = i }; ys[n - 1] }
fn grow(n: int) -> int { var ys = [0]; for i in 0..n { ys = push(ys, i) }; len(ys) }
fn shrink(n: int) -> int { var ys = [i for i in 0..n]; while len(ys) > 1 { ys = pop(ys) }; ys[0] }
fn nested(n: int) -> int { var g = [[0, 0] for i in 0..n]; for i in 0..n { g[i][1] = i }; g[n - 1][1] }
fn inbox(n: int) -> int { var b = [[0] for i in 0..100]; for i in 0..n { b[i % 100] = push(b[i % 100], i) }; len(b[0]) }
data Box = Few(items: [int], n: int) | Many(items: [int], n: int)
fn add(b: Box, x: int) -> Box { if b.n > 9 { Many(push(b.items, x), b.n + 1) } else { Few(push(b.items, x), b.n + 1) } }
fn in_data(n: int) -> int { var b = Few([], 0); for i in 0..n { b = add(b, i) }; len(b.items) }
fn shared(n: int) -> int {
  var ys = [0 for i in 0..n]
  var last = ys
  for i in 0..min(n, 1000) { last = ys; ys[i] = i }
  last[0] + ys[0]
}
MODEL
# seconds ENTRY N: user time of one run, and its peak in KiB.
seconds() {
  echo "{\"n\": $2}" >n.jsonl
  /usr/bin/time -f '%U %M' -o time "$nnrun" predict writes.nn --entry "$1" --data n.jsonl >out 2>err || { cat out err >&2; exit 1; }
}
printf '%-8s %10s %12s %10s\n' write length 'ns a write' 'peak MiB'
for entry in fill grow shrink nested inbox in_data shared; do
  seconds $entry 2
  read -r base _ <time
  for n in 20000 100000 500000 1000000; do
    seconds $entry $n
    read -r user peak <time
    writes=$n
    [ $entry != shared ] || writes=1000
    awk -v e=$entry -v n=$n -v u="$user" -v b="$base" -v p="$peak" -v w=$writes \
      'BEGIN { printf "%-8s %10d %12.0f %10.0f\n", e, n, 1e9 * (u > b ? u - b : 0) / w, p / 1024 }'
  done
done
