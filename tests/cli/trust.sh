#!/bin/sh
# What others may have touched or put in a file's place: no command waits for a FIFO where it wants a file, code that
# others could have written is not run, and killed writers leave nothing that stays.
#   trust.sh NNRUN SOURCE NNC
. "$(dirname "$0")/lib.sh"
nnc=$3
model=$examples/treelstm/treelstm.nn
small="-D D=4 -D H=4 --epochs 1"
head -n 20 "$examples/treelstm/train.txt" >train.txt
# Seconds after which a command counts as hanging.
patience=100
status() {
  wanted=$1
  shift
  got=0
  timeout $patience "$nnrun" "$@" >out 2>err </dev/null || got=$?
  [ "$got" -eq "$wanted" ] || { cat err >&2; fail "exit status $got, not $wanted, of: nnrun $*"; }
}
status 0 train "$model" --data train.txt $small --save w.st

# FIFOs and devices where a file is wanted.
mkfifo fifo fifo.nn fifo.nnb fifo.txt fifo.safetensors
refuses 1 'fifo.txt: is no regular file' train "$model" --data fifo.txt
refuses 1 'fifo.safetensors: it is a pipe (FIFO)' predict "$model" --data train.txt --weights fifo.safetensors
refuses 1 'fifo: it is a pipe (FIFO)' train "$model" --data train.txt --weights fifo
refuses 1 'fifo.safetensors: it is a pipe (FIFO)' info fifo.safetensors
status 1 info fifo
status 1 info fifo.nnb
says err 'fifo.nnb: the file is empty'
refuses 1 '/dev/zero: it is a device' predict "$model" --weights w.st --data /dev/zero --format text
refuses 1 '/dev/zero: cannot be read: it is a device' info /dev/zero
echo 'import fifo' >imports.nn
echo 'fn predict(x: int) -> int { x }' >>imports.nn
got=0
timeout $patience "$nnc" imports.nn -o imports.nnb 2>err || got=$?
[ "$got" -eq 1 ] || fail "exit status $got of an import of a FIFO"
says err 'cannot read .*fifo.nn: it is a pipe (FIFO)'
got=0
timeout $patience "$nnc" fifo.nn -o fifo.out 2>err || got=$?
[ "$got" -ne 124 ] || fail "nnc waits for a FIFO"
# A pipe with somebody at the other end is read as ever.
cat train.txt >fifo.txt &
status 0 predict "$model" --weights w.st --data fifo.txt --format ptb
wait
[ "$(wc -l <out)" -eq 20 ] || fail "a pipe was not read to its end"
echo 'fn predict(x: int) -> int { x }' | "$nnc" /dev/stdin -o piped.nnb || fail "nnc reads no pipe"
"$nnc" "$model" -o compiled.nnb
cat compiled.nnb >fifo.nnb &
status 0 info /dev/fd/9 9<fifo.nnb
wait

# The cache: a folder that others can write to is said, once, and left alone.
mkdir -m 0777 open
chmod 0777 open
status 0 predict "$model" -D D=4 -D H=4 --data train.txt --weights w.st --cache-dir open
[ "$(grep -c 'compiled code is not kept there, because others may write to it' err)" -eq 1 ] || fail "it is not said once"
[ -z "$(ls -A open)" ] || fail "code was kept in a folder of others"
mv out expected
status 0 predict "$model" -D D=4 -D H=4 --data train.txt --weights w.st --cache-dir own
silent err
for file in own/*.nnobj; do chmod 0666 "$file"; done
status 0 predict "$model" -D D=4 -D H=4 --data train.txt --weights w.st --cache-dir own
[ "$(grep -c 'not used, because others may write to it' err)" -eq 1 ] || fail "it is not said once"
cmp out expected
for file in own/*.nnobj; do rm "$file"; mkfifo "$file"; done
status 0 predict "$model" -D D=4 -D H=4 --data train.txt --weights w.st --cache-dir own
[ "$(grep -c 'not used, because it is no regular file' err)" -eq 1 ] || fail "it is not said once"
cmp out expected
status 0 predict "$model" -D D=4 -D H=4 --data train.txt --weights w.st --cache-dir own
silent err

# Killed in the middle of whatever it did, forty times; the next one cleans up.
for i in $(seq 40); do
  timeout -s KILL "0.$(printf %02d $((i + 20)))" "$nnrun" train "$model" --data train.txt -D D=64 -D H=64 --batch 20 \
    --epochs 100000 --quiet --save k.st --cache-dir killed >/dev/null 2>&1 || :
done
status 0 train "$model" --data train.txt -D D=4 -D H=4 --epochs 1 --save k.st --cache-dir killed
left=$(ls -A . killed | grep -c -e '\.tmp\.' -e '^\.new-' || :)
[ "$left" -eq 0 ] || fail "$left files of killed processes were left"

# A name of vectors that means nothing is no wish for the best ones.
NN_SIMD=avx1024 refuses 1 'NN_SIMD is `avx1024`; this processor has ' predict "$model" -D D=4 -D H=4 --data train.txt --weights w.st
