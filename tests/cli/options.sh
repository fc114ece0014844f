#!/bin/sh
# nnrun's command line: options that do not exist, that would change nothing, or whose output would overwrite, and
# output that does not arrive.
#   options.sh NNRUN SOURCE
. "$(dirname "$0")/lib.sh"
printf 'param W: f32\nparam b: f32 = zeros\nfn loss(x: float, y: float) -> f32 { square(W * x + b - y) }\nfn predict(x: float) -> f32 { W * x + b }\n' >line.nn
printf '{"x": 1, "y": 2}\n{"x": 2, "y": 3}\n' >xy.jsonl
status 0 train line.nn --data xy.jsonl --epochs 1 --save line.st --quiet
run="line.nn --data xy.jsonl"

# Options of other programs, slips, options of other commands.
refuses 2 'there is no option --lr; it is called --rate$' train $run --lr 0.1
refuses 2 'there is no option --lr; it is called --rate$' train $run --lr=0.1
refuses 2 'there is no option --lr; it is called --rate$' train $run -lr 0.1
refuses 2 'there is no option --learning-rate; it is called --rate' train $run --learning-rate 0.1
refuses 2 'it is called --rate, and is an option of train and bench' eval $run --lr 0.1
refuses 2 'it is called --batch$' predict $run --batch-size 3
refuses 2 'it is called --threads$' predict $run --num-threads 3
refuses 2 'it is called --weights$' eval $run --checkpoint line.st
refuses 2 'it is called --save$' train $run --output line.st
refuses 2 'it is called --out$' grad $run --output line.st
refuses 2 'processor' train $run --device cuda
refuses 2 'did you mean --epochs?' train $run --epocs 3
refuses 2 'epochs is an option of train$' eval $run --epochs 3
refuses 2 'there is no option --unheard-of$' train $run --unheard-of
refuses 2 'there is no command `trian`; did you mean `train`?' trian $run
refuses 2 'did you mean `eval`?' evaluate $run
refuses 2 'the command comes before the model' line.nn train
status 0 train $run --epoch 1 --quiet --no-sh # unambiguous beginnings are options
status 1 predict line.nn --data --lr --weights line.st # the argument of an option is none
says err '^nnrun: --lr: '

# Folders of imports of a model that is compiled here.
mkdir one two
printf 'fn size() -> int { 4 }\n' >one/part.nn
printf 'import part\nfn size() -> int { 1 + part.size() }\n' >two/other.nn
printf 'import part\nimport other\nfn add(i: int) -> int { i + part.size() + other.size() }\n' >path.nn
printf '{"i": 2}\n' >path.jsonl
found="path.nn --entry add --data path.jsonl"
status 1 predict $found -I one
says err 'cannot find `other`'
status 0 predict $found -I one --import-path=two
says out '"add": 11}'
export NN_PATH=one:two
status 0 predict $found
unset NN_PATH
says out '"add": 11}'

# Options without effect.
refuses 2 '--momentum has no effect: it belongs to `--optimiser momentum`' train $run --momentum 0.5
refuses 2 '--momentum has no effect' train $run --momentum 0.5 --optimiser sgd
status 0 train $run --momentum 0.5 --optimiser momentum --epochs 1 --quiet
for option in '--rate 1' '--optimiser sgd' '--clip 1' '--decay 1' '--sparse lazy'; do
  refuses 2 "${option% *} has no effect: this --mode updates no weights" bench $run --mode forward $option
  refuses 2 "${option% *} has no effect: this --mode updates no weights" bench $run $option --mode backward
done
refuses 2 '--loss has no effect' bench $run --mode forward --loss sum
refuses 2 '--autobatch has no effect' graph $run --before --autobatch off

# Outputs that are inputs, under whatever name.
ln -s xy.jsonl link.jsonl
ln line.nn hard.nn
cp xy.jsonl xy.keep
refuses 2 '--out xy.jsonl would overwrite' grad $run --out xy.jsonl
refuses 2 '--out ./link.jsonl would overwrite' graph $run --out ./link.jsonl
refuses 2 '--out line.st would overwrite' grad $run --weights line.st --out line.st
refuses 2 '--metrics xy.jsonl would overwrite' train $run --metrics xy.jsonl
refuses 2 '--metrics link.jsonl would overwrite' train line.nn --data xy.keep --dev xy.jsonl --metrics link.jsonl
refuses 2 '--save hard.nn would overwrite' train $run --save hard.nn
refuses 1 'name the same file' train $run --save line.st --metrics line.st
cmp xy.jsonl xy.keep || fail "an input was replaced"

# What is printed has arrived, or the exit status says that it has not, once.
if [ -c /dev/full ]; then
  for arguments in --help --version help 'help train' 'train --help' 'train --usage' 'info line.nn' 'info line.st' \
    "train $run --epochs 1 --quiet" "predict $run --weights line.st" "eval $run --weights line.st" "eval $run --json" \
    "explain $run" "graph $run" "grad $run" "bench $run --seconds 0.1 --quiet" "bench $run --seconds 0.1 --json --quiet"; do
    got=0
    "$nnrun" $arguments >/dev/full 2>err || got=$?
    [ "$got" -eq 1 ] || { cat err >&2; fail "exit status $got, not 1, of: nnrun $arguments >/dev/full"; }
    [ "$(grep -c 'standard output' err)" -eq 1 ] || { cat err >&2; fail "not said once: nnrun $arguments >/dev/full"; }
  done
fi
