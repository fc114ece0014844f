#!/bin/sh
# Models whose control flow does not end: a limit ends it, or Ctrl-C, and both say where.
#   endless.sh NNRUN SOURCE
. "$(dirname "$0")/lib.sh"
cat >endless.nn <<'MODEL'
param w: f32 = ones
fn spin(n: int) -> int {
  var i = n
  while i > 0 { i = i + 1 - 1 }
  i
}
fn loss(n: int) -> f32 { w * spin(n) }
fn predict(n: int) -> int { spin(n) }
fn grown(n: int) -> f32 {
  var x = w
  while value(x) > 0 { x = x + n }
  x
}
metric zero(n: int) { (spin(n), 1) }
MODEL
printf '{"n": 0}\n{"n": 1}\n' >data.jsonl

# The limit: the other example goes on.
status 1 predict endless.nn --data data.jsonl
says out '^{"line": 1, "predict": 0}$'
says out '^{"line": 2, "error": "endless.nn:4:3: more than 100000000 turns of loops and recursion: is there one without an end? (--turns)"}$'
status 1 predict endless.nn --data data.jsonl --turns 1000
says out '"endless.nn:4:3: more than 1000 turns'
refuses 2 '--turns takes an integer of at least 0, not `many`' predict endless.nn --data data.jsonl --turns many

# Waits until the process takes care of SIGINT (2), and has then run for a while of its own time: it is in the example.
ticks() { sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 12; }
wait_for_example() {
  while [ $((0x$(sed -n 's/^SigCgt:\t*//p' "/proc/$1/status") & 2)) -eq 0 ]; do sleep 0.05; done
  begun=$(ticks "$1")
  while [ "$(ticks "$1")" -lt $((begun + 20)) ]; do sleep 0.05; done
}

# Ctrl-C ends what runs, where it runs. Without the limit nothing else would.
for command in train eval predict bench grad graph explain; do
  printf '{"n": 1}\n' >one.jsonl
  "$nnrun" "$command" endless.nn --data one.jsonl --turns 0 >out 2>err </dev/null &
  process=$!
  wait_for_example "$process"
  kill -s INT "$process"
  got=0
  wait "$process" || got=$?
  [ "$got" -eq 130 ] || { cat err >&2; fail "exit status $got of $command after SIGINT"; }
  says err '^nnrun: one.jsonl:1: endless.nn:4:3: interrupted$' '^nnrun: interrupted'
done
