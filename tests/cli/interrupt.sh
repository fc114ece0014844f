#!/bin/sh
# Training that is stopped from outside loses nothing: signals, a closed pipe. And progress on a terminal.
#   interrupt.sh NNRUN SOURCE
. "$(dirname "$0")/lib.sh"
model=$examples/treelstm/treelstm.nn
head -n 200 "$examples/treelstm/train.txt" >train.txt
train="train $model --data train.txt -D D=8 -D H=8 --epochs 1000000"

# wait_for FILE PROCESS: until there is something in the file, which the process writes.
wait_for() {
  while [ ! -s "$1" ]; do
    kill -0 "$2" 2>/dev/null || fail "$1 does not come"
    sleep 0.1
  done
}

for signal in INT TERM; do
  "$nnrun" $train --quiet --save "$signal.st" >out 2>err &
  process=$!
  wait_for "$signal.st" "$process"
  kill -s "$signal" "$process"
  got=0
  wait "$process" || got=$?
  wanted=130
  [ "$signal" = TERM ] && wanted=143
  [ "$got" -eq "$wanted" ] || { cat err >&2; fail "exit status $got after SIG$signal"; }
  says err "^nnrun: interrupted; $signal.st keeps the weights of epoch [0-9]*$"
  status 0 eval "$model" --weights "$signal.st" --data train.txt --limit 5
done

# Who reads the epochs goes away: those weights are saved, and training ends.
got=0
{ "$nnrun" $train --quiet --save pipe.st 2>err || echo $? >code; } | head -n 1 >first
says first '^epoch 1  loss '
says code '^1$'
says err 'standard output could not be written, so training ends after epoch [0-9]*; pipe.st keeps the weights of epoch [0-9]*$'
status 0 info pipe.st

# What prints results ends quietly, as filters do.
"$nnrun" predict "$model" -D D=8 -D H=8 --weights pipe.st --data train.txt --batch 1 2>err | head -n 1 >first
says first '^{"line": 1, "predict": '
silent err

# On a terminal one line is rewritten: examples, rate, time left, loss, the last epoch's metric.
# Containers without /dev/pts cannot make a terminal.
if script -qec true /dev/null >/dev/null 2>&1; then
  data=$examples/treelstm/train.txt
  TERM=xterm script -qec "$nnrun train $model --data $data --dev train.txt --epochs 2 --batch 3 --save tty.st" typescript >/dev/null
  tr '\r' '\n' <typescript | sed "s/$(printf '\033')\[K//" >lines
  says lines '^epoch 1/2  [0-9]*/1500  [0-9]* examples/s  [0-9]* [a-z]* left  loss [0-9.]*' '^epoch 2  loss .* examples/s$'
  says lines '^epoch 2/2  .* left  loss [0-9.]*  dev accuracy [0-9.]*$'
fi
# Elsewhere there are none of its escapes.
grep -q "$(printf '\033')" err first out && fail "escapes in files" || true

# While kernels compile, too: the first signal ends every command, in the middle of a kernel. Of the blocks of the model one
# takes long. The signal comes when the code of the first one is in the cache, beside the control flow's; where all were
# done by then, the model was not long enough.
slow_model() {
  printf 'dim D = 8\nparam p: f32[D] = ones\nfn grown(x0: f32[D], n: int) -> f32[D] {\n'
  i=0
  while [ $i -lt "$1" ]; do
    echo "  let x$((i + 1)) = tanh(x$i * p + x$((i / 2))) * x$((i / 3)) + sigmoid(x$((i / 4)))"
    i=$((i + 1))
  done
  printf '  x%d\n}\n' "$1"
  printf 'fn loss(n: int) -> f32 {\n  let x = if value(sum(p)) > float(n) { p * n } else { p }\n  sum(grown(x, n))\n}\n'
  printf 'fn predict(n: int) -> f32 { loss(n) }\n'
}
cached() { find "$1" -name '*.nnobj' | wc -l; }

echo '{"n": 1}' >one.jsonl
for command in train predict; do
  got=0 lines=1500
  while [ $got -eq 0 ]; do
    slow_model $lines >slow.nn
    rm -rf compiled && mkdir compiled
    "$nnrun" $command slow.nn --data one.jsonl --threads 2 --cache-dir compiled >out 2>err &
    process=$!
    while [ "$(cached compiled)" -lt 2 ] && kill -0 "$process" 2>/dev/null; do sleep 0.05; done
    kill -s TERM "$process" 2>/dev/null || :
    wait "$process" || got=$?
    lines=$((2 * lines))
  done
  [ "$got" -eq 143 ] || { cat err >&2; fail "exit status $got of $command after SIGTERM"; }
  says err '^nnrun: interrupted'
done
