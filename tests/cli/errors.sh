#!/bin/sh
# What nnrun says, and its exit status, when something is wrong: 2 for the command line, 1 for everything else.
#   errors.sh NNRUN SOURCE NNC
. "$(dirname "$0")/lib.sh"
nnc=$3
model=$examples/treelstm/treelstm.nn

printf '(3 (2 It) (4 good))\n' >one.txt
printf '(3 (2 It) (4 good))\n(2 (2 a) (2 b))\n' >two.txt
: >empty.txt
status 0 train "$model" --data two.txt --epochs 1 --save two.st --quiet -D D=8 -D H=8
says out '^epoch 1  loss '

# The command line.
status 2
says err '^Usage: nnrun COMMAND'
refuses 2 'no command `fly`' fly
for command in train eval predict bench grad graph explain; do
  refuses 2 'which model?' "$command"
  refuses 2 'which data?' "$command" "$model"
done
refuses 2 'one model at a time: `a.nn` and `b.nn`' predict a.nn b.nn --data one.txt
refuses 2 "'--data' requires an argument" predict "$model" --data
refuses 2 '-D takes NAME=VALUE, not `H`' train "$model" --data one.txt -D H
refuses 2 '-D H takes an integer between 1 and 2147483647, not `-3`' train "$model" --data one.txt -D H=-3
refuses 2 'not `99999999999999999999`' train "$model" --data one.txt -D H=99999999999999999999
refuses 2 '--batch takes an integer between 1 and' train "$model" --data one.txt --batch 0
refuses 2 '--epochs takes an integer between 1 and' train "$model" --data one.txt --epochs 0
refuses 2 '--threads takes an integer between 1 and 1024, not `2000`' train "$model" --data one.txt --threads 2000
refuses 2 '--seed takes an integer of at least 0, not `x`' train "$model" --data one.txt --seed x
refuses 2 '--rate takes a number of at least 0, not `nan`' train "$model" --data one.txt --rate nan
refuses 2 '--precision is f32 or f64, not `f16`' train "$model" --data one.txt --precision f16
refuses 2 '--autobatch is auto, off, depth or agenda' train "$model" --data one.txt --autobatch on
refuses 2 '--optimiser is adam, sgd, momentum or adagrad' train "$model" --data one.txt --optimiser lion
refuses 2 '--mode is forward or train' explain "$model" --data one.txt --mode backward
refuses 2 'epochs' eval "$model" --data one.txt --epochs 3

# Models.
refuses 1 'cannot read missing.nn: No such file' train missing.nn --data one.txt
refuses 1 'missing.nnb: cannot be read: No such file' train missing.nnb --data one.txt
refuses 1 'one.txt: this is no compiled model' train one.txt --data one.txt
printf 'fn loss(x: int) -> f32 { y }\n' >wrong.nn
refuses 1 '^error\[NN0207\]: there is no name `y` here' train wrong.nn --data one.txt
says err 'wrong.nn:1:26' '^1 error$'
refuses 1 'has no entry `fly`; it has `encode`, `loss`' predict "$model" --data one.txt --weights two.st --entry fly
printf '// Nothing yet.\n' >empty.nn
refuses 1 '^nnrun: empty.nn has no entry `loss`, nor any other: entries are functions at top level' train empty.nn --data one.txt
for command in train grad bench; do
  refuses 1 "\`predict\` cannot be trained: its result is Label, and no f32; there is \`loss\`" "$command" "$model" --data one.txt --entry predict
done
refuses 1 "no dim \`Q\`; it has D, H" train "$model" --data one.txt -D Q=3
refuses 1 "\`Word\` is a vocabulary" train "$model" --data one.txt -D Word=3
refuses 2 '-D H takes an integer between 1 and 2147483647, not `0`' train "$model" --data one.txt -D H=0
refuses 1 "\`cell.U\` is too large: with its [0-9]* x [0-9 x]* elements there are more than 1099511627776$" train "$model" --data one.txt -D H=1000000
printf 'dim D = 4\ndim G = 4*D\nparam W: f32[G]\nfn loss(x: int) -> f32 { sum(W) + x }\n' >computed.nn
printf '{"x": 1}\n' >x.jsonl
refuses 1 "\`G\` is computed from other dims" train computed.nn --data x.jsonl -D G=3

# Data.
refuses 1 'missing.txt: No such file' train "$model" --data missing.txt
refuses 1 'two.txt/more: Not a directory' train "$model" --data two.txt/more
refuses 1 'is a folder' train "$model" --data .
for command in train grad graph explain bench; do refuses 1 'empty.txt: no examples' "$command" "$model" --data empty.txt; done
refuses 1 'empty.txt: no examples' eval "$model" --weights two.st --data empty.txt
refuses 1 'empty.txt: no examples' train "$model" --data two.txt --dev empty.txt
refuses 1 'missing.txt: No such file' train "$model" --data two.txt --dev missing.txt
refuses 1 'missing.txt: No such file' train "$model" --data two.txt --data missing.txt
printf '\001\002\377\376(\000' >binary.txt
refuses 1 'binary.txt:1:1: a control character (byte 0x01) in a text' train "$model" --data binary.txt
printf 'caf\351 x\n' >latin1.txt
refuses 1 'latin1.txt:1:4: this is not UTF-8 (byte 0xe9); convert the file' train "$examples/rnnlm/rnnlm.nn" --data latin1.txt
# The same bytes get the same verdict, whoever reads them, also where the field is one that predict does not read.
tagger=$examples/bilstm-tagger/bilstm-tagger.nn
printf 'words\ttags\na\tN\nb\tV\n' >good.tsv
status 0 train "$tagger" --data good.tsv --epochs 1 --save tagger.st --quiet -D D=2 -D H=2
says err 'good.tsv: line 1 is taken for the header; if it is data, give --format tsv-header'
for bytes in 'b\tN\351' 'b\tN\000' 'b\001\tN' 'b\rc\tN'; do
  printf "words\ttags\na\tN\n$bytes\n" >wrong.tsv
  for command in train bench grad explain graph; do
    status 1 "$command" "$tagger" --data wrong.tsv -D D=2 -D H=2
    says err 'wrong.tsv:3:[24]: '
    tail -n 1 err >verdict.$command
  done
  status 1 train "$tagger" --data good.tsv --dev wrong.tsv -D D=2 -D H=2
  tail -n 1 err >verdict.dev
  for command in predict eval; do
    status 1 "$command" "$tagger" --data wrong.tsv --weights tagger.st
    tail -n 1 err >verdict.$command
  done
  for command in bench grad explain graph dev predict eval; do
    cmp verdict.train verdict.$command || fail "another verdict of $command on the same bytes"
  done
  status 0 predict "$tagger" --data wrong.tsv --weights tagger.st --skip-bad
done
# Which line is a header does not hang on which columns an entry reads.
status 0 predict "$tagger" --data good.tsv --weights tagger.st
[ "$(wc -l <out)" -eq 1 ] || fail "one sentence"
says out '^{"line": 2, '
printf 'words\tN\na\tN\n' >first.tsv
for command in "train --epochs 1" "predict --weights tagger.st" "eval --weights tagger.st"; do
  set -- $command
  command=$1
  shift
  refuses 1 'first.tsv:1:1: ' "$command" "$tagger" --data first.tsv "$@"
  says err 'tsv-header'
done
refuses 1 'first.tsv: --format names a column `wrods`, which is no parameter of an entry; did you mean `words`?' \
  train "$tagger" --data first.tsv --format tsv:wrods,tags
refuses 1 'data format `jsonl:a`: jsonl has no columns to be named' train "$tagger" --data first.tsv --format jsonl:a
refuses 1 'data format `tsv-heading`: behind `tsv` may stand' train "$tagger" --data first.tsv --format tsv-heading
printf 'EU NNP B-ORG\nrejects VBZ O\n' >spaces.tsv
refuses 1 'spaces.tsv:1:13: .* Columns are separated by tabs, and this line has blanks; --format conll takes blanks' \
  train "$tagger" --data spaces.tsv
status 0 train "$tagger" --data spaces.tsv --format conll:words,_,tags --epochs 1 -D D=2 -D H=2 --save spaces.st
status 0 info spaces.st
says out '^vocab.Tag .*"B-ORG","O"'
printf '1\tN\n' >two.conllu
refuses 1 'two.conllu:1:4: this line has 2 columns, and CoNLL-U has 10' train "$tagger" --data two.conllu
printf '{"words": ["a"], "tag": ["N"]}\n' >misspelt.jsonl
refuses 1 'misspelt.jsonl:1:1: this record has no `tags`, which `loss` needs; did you mean `tag`? it has `words`, `tag`' \
  train "$tagger" --data misspelt.jsonl
printf '{"words": ["a"]}\n{"words": ["a"], "tags": ["N"], "id": 12345678901234567890123}\n' >second.jsonl
status 0 train "$tagger" --data second.jsonl --skip-bad --epochs 1 -D D=2 -D H=2
says err '1 bad record skipped: second.jsonl:1:1: this record has no `tags`, which `loss` needs'
printf '[\n  {"words": ["a", "b"],\n   "tags": ["N", "V"]},\n  {"words": [], "tags": []}\n]\n' >array.json
status 0 predict "$tagger" --data array.json --weights tagger.st
says out '^{"line": 2, ' '^{"line": 4, '
printf '{"words": [], "tags": []}\n' >nothing.jsonl
refuses 1 "nothing.jsonl: vocabulary \`Tag\` would be empty: of 1 example none has a value of it in \`tags\`" \
  train "$tagger" --data nothing.jsonl
# --limit: as if the file ended there.
printf 'words\ttags\na\tN\n\nb\tV\n\nc\t\351\n' >long.tsv
status 0 train "$tagger" --data long.tsv --limit 1 --epochs 1 --save limit.st -D D=2 -D H=2
status 0 info limit.st
says out '^vocab.Tag  *\["N"\]$'
status 0 train "$tagger" --data good.tsv --data long.tsv --limit 2 --dev good.tsv --epochs 1 --save limit.st -D D=2 -D H=2
status 0 info limit.st
says out '^vocab.Tag  *\["N","V"\]$'
cp one.txt one.what
refuses 1 'one.what: the data format cannot be told from the name; give --format' train "$model" --data one.what
refuses 1 'unknown data format `xml`' train "$model" --data one.txt --format xml
refuses 1 'one.txt:1:1: not JSON' train "$model" --data one.txt --format jsonl
refuses 1 'columns cannot give parameter `t`, a Tree' train "$model" --data one.txt --format tsv
refuses 1 'plain text fills a parameter that is a list' train "$model" --data one.txt --format text
refuses 1 'is no regular file, and training data is read twice' train "$model" --data - --format ptb
refuses 1 'there is no example 7: the data has 2, counted from 0' graph "$model" --data two.txt --example 7
printf 'a\nb\n' >words.tsv
refuses 1 'words.tsv:1:2: this line has 1 column, and none is `tags`, which `loss` needs' train "$examples/bilstm-tagger/bilstm-tagger.nn" --data words.tsv
printf '(3 (2 It) (4 good))\n(7 (8 a)\n(x)\n' >bad.txt
refuses 1 'bad.txt:2:1: this bracket is never closed: the next tree begins at line 3' train "$model" --data bad.txt
status 0 train "$model" --data bad.txt --skip-bad --epochs 1 --save skipped.st -D H=8 -D D=8
says err 'bad.txt: 2 bad records skipped; the first: bad.txt:2:'
status 0 info skipped.st
says out '^vocab.Label  *\["2","4","3"\]$'

# Labels that training has not seen.
printf '(9 (2 It) (4 good))\n(3 (2 It) (4 good))\n' >unseen.txt
says_unseen='unseen.txt:1:2: `9` is not in the closed vocabulary Label'
refuses 1 "$says_unseen" predict "$model" -D H=8 --data unseen.txt --weights two.st
refuses 1 "$says_unseen" eval "$model" --data unseen.txt --weights two.st
refuses 1 "$says_unseen" train "$model" --data one.txt --dev unseen.txt
status 0 predict "$model" --data unseen.txt --weights two.st --skip-bad
says out '^{"line": 2, "predict": "[234]"}$'
says err '1 bad record skipped: '"$says_unseen"
[ "$(wc -l <out)" -eq 1 ] || fail "a skipped record has a prediction"
status 0 eval "$model" --data unseen.txt --weights two.st --skip-bad
says out '^examples 1$' '^skipped 1$'
status 0 train "$model" --data one.txt --dev unseen.txt --skip-bad --epochs 1
says out 'dev accuracy'

# Checkpoints.
refuses 1 'give the checkpoint that training saved with --weights' eval "$model" --data one.txt
refuses 1 'give the checkpoint' predict "$model" --data one.txt
refuses 1 'missing.st: No such file' eval "$model" --data one.txt --weights missing.st
refuses 1 'one.txt: not a safetensors file, or a truncated one' eval "$model" --data one.txt --weights one.txt
refuses 1 'not a safetensors file' eval "$model" --data one.txt --weights empty.txt
head -c 2000 two.st >cut.st
refuses 1 'cut.st: damaged checkpoint: tensor `[A-Za-z.]*` lies outside the file' eval "$model" --data one.txt --weights cut.st
head -c 100 two.st >cut.st
refuses 1 'cut.st: not a safetensors file, or a truncated one' info "$model" --weights cut.st
refuses 1 "but .* in the model with the given dims" predict "$model" --data one.txt --weights two.st -D H=16
status 0 train "$examples/rnnlm/rnnlm.nn" --data one.txt --epochs 1 --quiet -D D=4 -D H=4 --save other.st
refuses 1 "other.st has no vocabulary \`Label\`; it is a checkpoint of model \`rnnlm\`" eval "$model" --data one.txt --weights other.st
# One of the other precision is converted.
status 0 predict "$model" --data two.txt --weights two.st
mv out single
status 0 train "$model" --weights two.st --data two.txt --epochs 1 --rate 0 --precision f64 --save wide.st --quiet
status 0 predict "$model" --data two.txt --weights wide.st
cmp out single || fail "weights change on the way from f32 to f64 and back"

# Examples whose own control flow fails.
cat >fails.nn <<'MODEL'
vocab Word
param E: f32[Word, 4]
fn loss(words: [Word]) -> f32 { sum(mean([E[w] for w in words])) }
fn predict(words: [Word], k: int) -> Word { words[k] }
metric share(words: [Word]) { (value(loss(words)) > 0, 1) }
MODEL
printf '{"words": ["a"], "k": 0}\n{"words": [], "k": 0}\n{"words": ["a", "b"], "k": 1}\n' >fails.jsonl
status 1 train fails.nn --data fails.jsonl --epochs 1 --save fails.st
says err 'fails.jsonl:2: fails.nn:3:3[0-9]: mean of an empty list' \
  '^nnrun: 1 of 3 examples failed in an epoch, and taught nothing; with --allow-failures the exit status is 0 all the same$'
says out '  1 failed$'
cp fails.st kept.st
status 0 train fails.nn --data fails.jsonl --epochs 1 --save fails.st --allow-failures
says err '^nnrun: 1 of 3 examples failed in an epoch, and taught nothing$'
cmp fails.st kept.st || fail "--allow-failures changes what is learnt"
# Failures of --dev alone: in the line of the epoch, in the metrics, in the status.
printf '{"words": ["a"], "k": 0}\n' >fine.jsonl
status 1 train fails.nn --data fine.jsonl --dev fails.jsonl --epochs 2 --metrics fails.metrics
says out '  dev 1 failed$'
says err '1 of 3 examples failed in --dev, and count in nothing'
says fails.metrics '"dev_failed":1'
status 0 train fails.nn --data fine.jsonl --dev fails.jsonl --epochs 2 --allow-failures
status 0 train fails.nn --data fine.jsonl --dev fine.jsonl --epochs 1
# bench counts what was done.
status 1 bench fails.nn --data fails.jsonl --batch 3 --seconds 0.05 --json
says out '"failed": [1-9]'
python3 - <<'CHECK' || fail "bench counts failed examples as work"
import json
r = json.load(open("out"))
assert r["failed"] == r["minibatches"], r
done = r["examples_per_second"] * r["seconds"]
assert abs(done - 2 * r["minibatches"]) < 0.5, r
CHECK
says err 'mean of an empty list' 'examples failed and count in no rate'
for mode in forward backward train; do
  status 1 bench fails.nn --data fails.jsonl --batch 3 --seconds 0.05 --mode $mode
  says out '^failed examples, not counted  *[1-9]'
  status 0 bench fails.nn --data fails.jsonl --batch 3 --seconds 0.05 --mode $mode --allow-failures
  status 0 bench fails.nn --data fine.jsonl --seconds 0.05 --mode $mode
done
status 1 predict fails.nn --data fails.jsonl --weights fails.st
says out '^{"line": 1, "predict": "a"}$' '^{"line": 2, "error": "fails.nn:4:[0-9]*: index 0 ' '^{"line": 3, "predict": "b"}$'
says err '1 of 3 examples failed'
status 1 eval fails.nn --data fails.jsonl --weights fails.st
says out '^examples 3$' '^failed 1$' '^share '
says err 'mean of an empty list'
# One that fails in a metric alone counts in nothing either, neither in the loss nor in other metrics.
cat >half.nn <<'MODEL'
param w: f32 = ones
fn loss(n: int) -> f32 { w * float(n + 2) }
metric divided(n: int) { (6 / n, 1) }
metric same(n: int) { (n, 1) }
MODEL
printf '{"n": 0}\n{"n": 1}\n{"n": 3}\n{"n": 0}\n' >half.jsonl
printf '{"n": 1}\n{"n": 3}\n' >rest.jsonl
status 0 eval half.nn --data rest.jsonl
grep -v '^examples' out >rest.out
for batch in 1 2 3 4; do
  status 1 eval half.nn --data half.jsonl --batch $batch
  says out '^failed 2$' '^loss 4$' '^divided 4$' '^same 2$'
  grep -v '^examples\|^failed' out | cmp - rest.out || fail "a failed example counts, in batches of $batch"
  says err '2 of 4 examples failed and count in nothing'
done
status 1 train half.nn --data rest.jsonl --dev half.jsonl --epochs 1 --rate 0
says out '  dev loss 4  dev divided 4  dev same 2 ' '  dev 2 failed$'
printf '{"n": 0}\n' >none.jsonl
status 1 eval half.nn --data none.jsonl
says out '^loss -$' '^divided -$' '^same -$'
status 1 eval half.nn --data none.jsonl --json
says out '"loss": null, "divided": null, "same": null'
status 1 train half.nn --data rest.jsonl --dev none.jsonl --epochs 1 --rate 0
says out '  dev loss -  dev divided -  dev same - '
status 1 grad fails.nn --data fails.jsonl --weights fails.st
[ "$(sed -n 2p out)" = nan ] || fail "a failed example has a loss"
[ "$(wc -l <out)" -eq 3 ] || fail "grad prints a line for each example"
printf '{"words": [], "k": 0}\n' >all.jsonl
refuses 1 'every example failed; nothing was learnt' train fails.nn --data all.jsonl --weights fails.st
refuses 1 'every example failed; nothing was learnt' train fails.nn --data all.jsonl --weights fails.st --allow-failures
refuses 1 'every example failed; there is nothing to measure' bench fails.nn --data all.jsonl --seconds 0.05 --allow-failures
refuses 1 '1 of 1 example failed' graph fails.nn --data all.jsonl
for command in "predict --weights fails.st" "eval --weights fails.st" grad explain graph; do
  set -- $command
  command=$1
  shift
  status 0 "$command" fails.nn "$@" --data all.jsonl --allow-failures
  says err '1 of 1 example failed'
done
# Examples of which some fail the entry and others a metric are counted once each.
cat >both.nn <<'MODEL'
param p: f32 = ones
fn loss(x: [float], y: [float]) -> f32 { p * x[0] }
metric share(x: [float], y: [float]) { (y[0], 1) }
MODEL
printf '{"x": [], "y": [1]}\n{"x": [1], "y": []}\n{"x": [], "y": []}\n{"x": [1], "y": [1]}\n' >both.jsonl
printf '{"x": [1], "y": [1]}\n' >both1.jsonl
status 0 train both.nn --data both1.jsonl --epochs 1 --save both.st
status 1 eval both.nn --data both.jsonl --weights both.st
says out '^failed 3$'
printf '{"words": ["a"]}\n' >lacks.jsonl
refuses 1 'lacks.jsonl:1:1: this record has no `k`, which `predict` needs; it has `words`' predict fails.nn --data lacks.jsonl --weights fails.st

# Losses and weights that are no numbers: the last good checkpoint stays.
cat >diverges.nn <<'MODEL'
param a: f32 = ones
fn loss(x: float) -> f32 { x * a * a * a }
MODEL
printf '{"x": 1}\n{"x": 1e30}\n' >diverges.jsonl
refuses 1 'epoch 1/1: diverges.jsonl:2: the loss is -inf: .mul. of 1e+30 and -3e+30 at diverges.nn:2:30 .*; try a smaller --rate, or --clip' train diverges.nn --data diverges.jsonl --optimiser sgd \
  --rate 1e30 --batch 1 --no-shuffle --epochs 1 --save diverged.st
[ ! -e diverged.st ] || fail "weights of a diverged training were saved"
printf '{"x": 1}\n' >good.jsonl
status 0 train diverges.nn --data good.jsonl --rate 0 --epochs 1 --save good.st
cp good.st kept.st
printf '{"x": 1e38}\n' >steep.jsonl
status 1 train diverges.nn --data steep.jsonl --weights kept.st --optimiser sgd --rate 1e30 --epochs 1 --save good.st
says err 'parameter `a` is not finite any more; try a smaller --rate, or --clip'
cmp good.st kept.st || fail "a good checkpoint was overwritten"

# What is read is not written over, by whatever name.
ln -s one.txt link.txt
ln two.st hard.st
cp "$model" copy.nn
cp two.st unchanged.st
cp one.txt unchanged.txt
for output in one.txt link.txt ./one.txt dev.txt copy.nn two.st hard.st; do
  cp one.txt dev.txt
  refuses 2 "^nnrun train: --save $output would overwrite the .*, which is read" train copy.nn --data one.txt --dev dev.txt \
    --weights two.st --save "$output"
done
refuses 2 '^nnrun train: --save two.st would overwrite the checkpoint of --init' train copy.nn --data one.txt --init two.st --save two.st
refuses 2 '^nnrun train: --metrics dev.txt would overwrite' train copy.nn --data one.txt --dev dev.txt --metrics dev.txt
refuses 2 '^nnrun grad: --out one.txt would overwrite' grad copy.nn --data one.txt --out one.txt
refuses 1 '^nnrun: --save and --metrics name the same file' train copy.nn --data one.txt --save x.st --metrics x.st
cmp two.st unchanged.st && cmp one.txt unchanged.txt && cmp copy.nn "$model" || fail "an input was written over"

# A checkpoint of another model is refused with what differs, and what fits of it is a beginning.
cat >first.nn <<'MODEL'
dim H = 3
dim G = 10 - H
param a: f32[H]
param b: f32[G]
param old: f32
fn loss(x: float) -> f32 { sum(a) * x + sum(b) + old }
MODEL
sed 's/dim H = 3/dim H = 4/; s/param old: f32/param new: f32\nparam c: f32[2]/; s/ + old/ + new + sum(c)/' first.nn >second.nn
echo '{"x": 1}' >x.jsonl
status 0 train first.nn --data x.jsonl --epochs 1 --save first.st -D H=2
status 0 eval first.nn --data x.jsonl --weights first.st
"$nnrun" info first.st | grep -q 'dim.G' && fail "a computed dim is in the checkpoint"
refuses 1 "first.st does not fit the model: .*it has no parameter \`new\`, \`c\`; the model has no parameter \`old\`; it is a checkpoint of" \
  eval second.nn --data x.jsonl --weights first.st
refuses 1 "dim \`H\` is 2, but 5 in the model; \`a\` is \[2\], but \[5\]" eval first.nn --data x.jsonl --weights first.st -D H=5
# A size that depends on dims stays positive, with -D and in a compiled model, too.
cat >least.nn <<'MODEL'
dim H = 3
dim G = H - 1
param a: f32[G]
fn loss(x: f32[H]) -> f32 { sum(x) * sum(a) }
fn less(x: f32[H - 2]) -> f32 { sum(x) }
MODEL
"$nnc" least.nn -o least.nnb || fail "least.nn does not compile"
for compiled in least.nn least.nnb; do
  refuses 1 "^nnrun: dim \`G\` is 0, it must be at least 1: it is .H - 1., with H = 1" run "$compiled" --entry less -D H=1 '[]'
  refuses 1 "least.nn:5:9: a size is 0, it must be at least 1: it is .H - 2., with H = 2" run "$compiled" --entry less -D H=2 '[]'
done
# A dim that is no parameter's size may be given another value, which is said.
cat >turns.nn <<'MODEL'
dim T = 3
param w: f32 = ones
fn loss(x: f32) -> f32 { sum([w * x for _ in 0..T]) }
MODEL
status 0 train turns.nn --data x.jsonl --epochs 1 --rate 0 --save turns.st
status 0 eval turns.nn --data x.jsonl --weights turns.st -D T=1
says err '^nnrun: turns.st: -D replaces dims of it that no parameter.s size depends on: T = 1 (not 3)$'
status 0 eval turns.nn --data x.jsonl --weights turns.st -D T=3
silent err
status 0 train second.nn --data x.jsonl --epochs 1 --rate 0 --init first.st -D H=2 --save second.st
says err "^nnrun: first.st: 2 of 4 parameters taken; it has no parameter \`new\`, \`c\`; the model has no parameter \`old\`$"
refuses 1 "first.st has nothing for the model: dim \`H\` is 2, but 4 in the model" train second.nn --data x.jsonl \
  --epochs 1 --init first.st --save second.st
refuses 2 'give one of them' train second.nn --data x.jsonl --init first.st --weights first.st

# Places that cannot be written.
refuses 1 '^nnrun: no/such/folder.st: cannot be written: No such file' train "$model" --data one.txt --save no/such/folder.st
refuses 1 '^nnrun: \.: cannot be written: it is a folder' train "$model" --data one.txt --save .
refuses 1 'no/such/folder.jsonl: cannot be written' train "$model" --data one.txt --metrics no/such/folder.jsonl
refuses 1 'no/such/g.st: cannot be written' grad "$model" --data one.txt --out no/such/g.st
if [ -c /dev/full ]; then
  for command in "predict --weights two.st" "eval --weights two.st" grad graph explain "info --weights two.st"; do
    set -- $command
    command=$1
    shift
    data="--data one.txt"
    [ "$command" = info ] && data=
    got=0
    "$nnrun" "$command" "$model" $data "$@" >/dev/full 2>err || got=$?
    [ "$got" -eq 1 ] || fail "exit status $got of $command on a full disk"
    says err 'standard output could not be written: No space left'
  done
  status 1 train "$model" --data one.txt --epochs 1 --metrics /dev/full --save full.st
  says err '/dev/full: the metrics could not be written: No space left'
  [ -s full.st ] || fail "the weights are lost with the metrics"
fi
# A limit on the size of files stands for a full disk: the checkpoint that is there stays.
cp two.st limited.st
(ulimit -f 1 && status 1 train "$model" --data two.txt --epochs 2 --save limited.st)
says err 'it will be tried again after the next epoch' 'could not be written: File too large$'
cmp two.st limited.st || fail "a checkpoint that could not be written destroyed the old one"
[ -z "$(ls limited.st.tmp* 2>/dev/null)" ] || fail "half a checkpoint was left behind"
# What is no file is not replaced, and a link stays one.
mkfifo pipe
cat pipe >piped.st &
status 0 train "$model" --data two.txt --epochs 1 --save pipe
wait
[ -p pipe ] || fail "a pipe was replaced"
status 0 info piped.st
says out '^dim.H'
cp two.st target.st
ln -s target.st link.st
status 0 train "$model" --data two.txt --epochs 1 --save link.st
[ -h link.st ] || fail "a link was replaced"
cmp -s two.st target.st && fail "the checkpoint behind a link was not written"

# The cache of compiled code: damaged, unusable, without a home.
status 0 predict "$model" --data two.txt --weights two.st --cache-dir fresh
mv out expected
for file in fresh/*.nnobj; do printf 'damage' | dd of="$file" bs=1 seek=200 conv=notrunc 2>/dev/null; done
status 0 predict "$model" --data two.txt --weights two.st --cache-dir fresh
cmp out expected || fail "a damaged cache changes results"
for file in fresh/*.nnobj; do head -c 150 "$file" >shorter && cp shorter "$file"; done
status 0 predict "$model" --data two.txt --weights two.st --cache-dir fresh
cmp out expected || fail "a truncated cache changes results"
status 0 predict "$model" --data two.txt --weights two.st --cache-dir one.txt
says err 'one.txt: compiled code cannot be kept there'
cmp out expected || fail "no cache changes results"
status 0 predict "$model" --data two.txt --weights two.st --cache-dir '' -D D=8 -D H=8
silent err
status 0 predict "$model" --data two.txt --weights two.st -D D=8
says err '^nnrun: two.st: its dims are those that run, not the model.s: H = 8 (not 128)$'
(unset NN_CACHE_DIR XDG_CACHE_HOME HOME && status 0 predict "$model" --data two.txt --weights two.st)
cmp out expected || fail "no home changes results"

# Training that can change nothing is said to, of a compiled model as of a source (nnc's warning).
printf 'param w: f32 = ones\nfn g(x: float) -> f32 { x }\nfn loss(x: float) -> f32 { g(x) }\nfn with(x: float) -> f32 { w * x }\n' >idle.nn
"$nnc" idle.nn -o idle.nnb 2>/dev/null
echo '{"x": 1}' >idle.jsonl
status 0 train idle.nnb --data idle.jsonl --epochs 1 --quiet
says err '^nnrun: `loss` uses no parameter: training changes nothing$'
status 0 train idle.nnb --entry with --data idle.jsonl --epochs 1 --quiet
silent err
