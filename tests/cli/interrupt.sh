#!/bin/sh
# Training that is stopped from outside loses nothing: signals, a closed pipe. And progress on a terminal.
#   interrupt.sh NNRUN SOURCE
. "$(dirname "$0")/lib.sh"
model=$examples/treelstm/treelstm.nn
head -n 200 "$examples/treelstm/train.txt" >train.txt
train="train $model --data train.txt -D D=8 -D H=8 --epochs 1000000"

# wait_for FILE: up to a minute.
wait_for() {
  for _ in $(seq 600); do
    [ -s "$1" ] && return 0
    sleep 0.1
  done
  fail "$1 does not come"
}

for signal in INT TERM; do
  "$nnrun" $train --quiet --save "$signal.st" >out 2>err &
  process=$!
  wait_for "$signal.st"
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
"$nnrun" predict "$model" --weights pipe.st --data train.txt --batch 1 2>err | head -n 1 >first
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
