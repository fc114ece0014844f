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

# While kernels compile, too: the first signal ends every command, and nobody spins while he waits. The model is one block
# that takes long.
{
  printf 'dim D = 8\nparam p: f32[D] = ones\nfn loss(n: int) -> f32 {\n  let x0 = p * n\n'
  i=0
  while [ $i -lt 6000 ]; do
    echo "  let x$((i + 1)) = tanh(x$i * p + x$((i / 2))) * x$((i / 3)) + sigmoid(x$((i / 4)))"
    i=$((i + 1))
  done
  printf '  sum(x6000)\n}\nfn predict(n: int) -> f32 { loss(n) }\n'
} >slow.nn
echo '{"n": 1}' >one.jsonl
for command in train predict; do
  "$nnrun" $command slow.nn --data one.jsonl --cache-dir "" >out 2>err &
  process=$!
  sleep 6
  kill -s TERM "$process" 2>/dev/null || fail "$command of the slow model is too soon done"
  before=$(date +%s)
  got=0
  wait "$process" || got=$?
  after=$(($(date +%s) - before))
  [ "$got" -eq 143 ] || { cat err >&2; fail "exit status $got of $command after SIGTERM"; }
  [ "$after" -le 5 ] || fail "$command goes on for $after s after SIGTERM"
done
