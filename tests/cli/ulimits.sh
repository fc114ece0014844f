#!/bin/sh
# Limits of the system: little address space, few threads, a small stack. Each ends in a result or in a message, and
# nothing waits for ever.
#   ulimits.sh NNRUN SOURCE NNC
. "$(dirname "$0")/lib.sh"
nnc=$3
model=$examples/treelstm/treelstm.nn
head -n 60 "$examples/treelstm/train.txt" >train.txt
train="train $model --data train.txt -D D=8 -D H=8 --epochs 1 --quiet"
"$nnrun" $train --save free.st >expected || fail "training without limits"
loss() { grep -o 'loss [0-9.]*' "$1"; }

# OpenBLAS asks for ever where it gets no memory: without it the results are the same to rounding. (The sanitizers need
# more address space than that before they begin.)
for limit in 400000 500000 1000000 4000000; do
  (ulimit -v $limit && "$nnrun" --version) >/dev/null 2>&1 || continue
  got=0
  (ulimit -v $limit && timeout -s KILL 120 "$nnrun" $train --threads 2 --save limited.st) >out 2>err || got=$?
  [ "$got" -eq 0 ] || { cat err >&2; fail "exit status $got with ulimit -v $limit"; }
  [ "$(loss out)" = "$(loss expected)" ] || fail "another loss with ulimit -v $limit"
  [ $limit -ne 400000 ] || says err 'the limit on memory (ulimit -v) leaves OpenBLAS no room'
  if [ $limit -eq 4000000 ]; then
    silent err
    cmp limited.st free.st || fail "other weights within a limit that is large enough"
  fi
done

# Parameters that do not fit are refused before anything is computed, with what needs how much.
cat >large.nn <<'MODEL'
dim N = 12000
param b: f32[N]
param w: f32[N, N]
fn loss(x: f32) -> f32 { sum(w @ (b * x)) }
MODEL
echo '{"x": 1}' >large.jsonl
if (ulimit -v 2000000 && "$nnrun" --version) >/dev/null 2>&1; then
  got=0
  (ulimit -v 2000000 && "$nnrun" train large.nn --data large.jsonl --optimiser adam --threads 1 --quiet) >out 2>err || got=$?
  [ "$got" -eq 1 ] || fail "exit status $got of training with parameters that do not fit"
  says err '^nnrun: parameters need 2.3 GB (values, gradients, two moments of adam), 2.05 GB are there: the largest is `w`, 12000 x 12000$'
  got=0
  (ulimit -v 2000000 && "$nnrun" eval large.nn -D N=30000 --data large.jsonl --threads 1) >out 2>err || got=$?
  [ "$got" -eq 1 ] || fail "exit status $got of parameters that do not fit"
  says err '^nnrun: parameters need 3.6 GB (values), 2.05 GB are there: the largest is `w`, 30000 x 30000$'
fi

# A stack that is too small is said to be so; one that the system lets grow, grows.
got=0
(ulimit -s 64 && "$nnrun" $train) >out 2>err || got=$?
[ "$got" -eq 1 ] || fail "exit status $got with ulimit -s 64"
says err '^nnrun: the stack is limited to 64 KiB, and 1024 are needed'
got=0
(ulimit -s 64 && "$nnc" "$model" -o m.nnb) >out 2>err || got=$?
[ "$got" -eq 1 ] || fail "exit status $got of nnc with ulimit -s 64"
says err '^nnc: the stack is limited to 64 KiB'
(ulimit -S -s 64 && "$nnrun" $train --threads 2 --save soft.st) >out 2>err || fail "a soft limit on the stack"
cmp soft.st free.st

# Fewer threads than were asked for. The limit is the user's, and root has none.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
  chmod -R go+rX "$work" && chmod go+rwx "$work"
  run="setpriv --reuid=54321 --clear-groups"
  if $run "$nnrun" --version >/dev/null 2>&1 && $run cat "$model" >/dev/null 2>&1; then
    got=0
    $run sh -c "ulimit -u 2 2>/dev/null || ulimit -p 2; exec '$nnrun' $train --threads 8 --cache-dir ''" >out 2>err || got=$?
    [ "$got" -eq 0 ] || { cat err >&2; fail "exit status $got with ulimit -u 2"; }
    says err '^nnrun: the system allows only [1-7] of 8 threads'
    [ "$(loss out)" = "$(loss expected)" ] || fail "another loss with fewer threads"
  fi
fi
