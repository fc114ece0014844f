#!/bin/sh
# What each command of nnrun prints when all is well.
#   commands.sh NNRUN SOURCE NNC
. "$(dirname "$0")/lib.sh"
nnc=$3
model=$examples/treelstm/treelstm.nn
small="-D D=8 -D H=8"
head -n 40 "$examples/treelstm/train.txt" >train.txt
head -n 20 "$examples/treelstm/dev.txt" >dev.txt

# Help.
status 0 --help
for command in train eval predict bench grad graph explain info; do
  says out "^  $command "
  status 0 "$command" --help
  says out "^Usage: nnrun $command \[OPTION...\] MODEL" '--cache-dir=DIR' '-D, --define=NAME=VALUE'
  mv out help
  status 0 help "$command"
  cmp out help || fail "help $command is not $command --help"
  status 0 "$command" -h
  cmp out help || fail "$command -h is not $command --help"
  status 0 --help
done
status 0 --version
says out '^nnrun [0-9]'

# train: a line per epoch, the checkpoint, the metrics.
status 0 train "$model" --data train.txt --dev dev.txt --epochs 2 $small --save one.st --metrics metrics.jsonl
says out '^epoch 1  loss [0-9.]*  dev loss [0-9.]*  dev accuracy [0-9.]*  dev node_accuracy [0-9.]*  [0-9.]* s  [0-9]* examples/s$'
[ "$(wc -l <out)" -eq 2 ] || fail "an epoch is a line"
silent err
[ "$(wc -l <metrics.jsonl)" -eq 2 ] || fail "an epoch is a line of the metrics"
says metrics.jsonl '^{"epoch":2,"loss":[0-9.]*,"seconds":[0-9.e-]*,"examples_per_second":[0-9.]*,"examples":40,"failed":0,"dev":{"loss":[0-9.]*,"accuracy":'
status 0 train "$model" --data train.txt --epochs 1 $small
says err 'the weights will not be kept: there is no --save FILE'
status 0 train "$model" --data train.txt --epochs 1 $small --quiet
silent err
# The same seed gives the same bytes, another one does not; so does the compiled model, whatever the cache holds.
status 0 train "$model" --data train.txt --dev dev.txt --epochs 2 $small --save two.st --metrics metrics.jsonl
cmp one.st two.st || fail "two runs with one seed differ"
[ "$(wc -l <metrics.jsonl)" -eq 4 ] || fail "--metrics appends"
"$nnc" "$model" -o tree.nnb
status 0 train tree.nnb --data train.txt --epochs 2 $small --save two.st --cache-dir ''
cmp one.st two.st || fail "a compiled model trains to other weights"
status 0 train "$model" --data train.txt --epochs 2 $small --save two.st --seed 2
cmp -s one.st two.st && fail "two seeds give the same weights"
status 0 train "$model" --data train.txt --epochs 2 $small --save two.st --no-shuffle
cmp -s one.st two.st && fail "--no-shuffle changes nothing"
# What is drawn is the example's own: with a rate of 0 the loss of every epoch is the same however examples are put into
# minibatches, ordered and shared out, and another one in each epoch. What is drawn outside training is the same after
# each epoch.
cat >drop.nn <<'MODEL'
dim D = 8
vocab Word
param E: f32[Word, D] = normal(1)
fn loss(words: [Word]) -> f32 { sum([sum(square(dropout(E[w], 0.5))) + sum(dropout(E[w], 0.2)) for w in words]) }
MODEL
cat >noise.nn <<'MODEL'
import std.list
dim D = 8
vocab Word
param E: f32[Word, D] = normal(1)
fn walk(words: [Word]) -> f32 {
  var total: f32 = 0
  for w in shuffled(words) {
    if random() < 0.8 { total = total + dot(E[w], normal[D]) + E[w][sample(exp(E[w]))] * sum(uniform[D]) }
  }
  total + sum([E[words[i]][0] * gumbel() for i in sample([1.0 for _ in words], 2)])
}
fn loss(words: [Word]) -> f32 { square(walk(words)) }
fn predict(words: [Word]) -> ([Word], [int], f32, f32[D]) { (shuffled(words), sample(exp(E[words[0]]), 3), walk(words), normal[D]) }
metric noise(words: [Word]) { (walk(words), 1) }
MODEL
awk 'BEGIN { for (i = 0; i < 70; i++) print "a b", (i % 7 ? "c" : ""), "d" }' >drop.txt
drop() { status 0 train "$drawing" --data drop.txt --epochs 3 --rate 0 --quiet "$@"; cut -d ' ' -f 1-5 out >losses; }
for drawing in drop.nn noise.nn; do
  drop --batch 1 --threads 1 --no-shuffle
  mv losses expected
  [ "$(cut -d ' ' -f 5 expected | sort -u | wc -l)" -eq 3 ] || fail "epochs draw the same"
  for how in "--batch 3" "--batch 64 --threads 3" "--batch 64 --autobatch off --no-shuffle" "--batch 7 --autobatch agenda --threads 2"; do
    drop $how
    cmp losses expected || fail "what $drawing draws depends on $how"
  done
done
status 0 train noise.nn --data drop.txt --dev drop.txt --epochs 3 --rate 0 --save noise.st --metrics noise.jsonl --quiet
[ "$(sed 's/.*"dev"/"dev"/; s/"seconds".*//' noise.jsonl | sort -u | wc -l)" -eq 1 ] || fail "evaluation draws something else in each epoch"
for command in "eval --json" predict; do
  draws() { status 0 $command noise.nn --weights noise.st --data drop.txt "$@"; }
  draws --batch 1 --threads 1 --autobatch off
  mv out expected
  for how in "--batch 64 --threads 3" "--batch 7 --autobatch agenda" "--batch 64 --autobatch depth --minibatch-memory 1"; do
    draws $how
    cmp out expected || fail "$command draws something else with $how"
  done
  draws --seed 2
  cmp -s out expected && fail "$command: --seed changes nothing"
done
# Several files are one data set.
head -n 15 train.txt >a.txt
tail -n 25 train.txt >b.txt
status 0 train "$model" --data a.txt --data b.txt --epochs 2 $small --save two.st
cmp one.st two.st || fail "data in two files is other data"
status 0 train "$model" --data a.txt --epochs 2 $small --save two.st
cmp -s one.st two.st && fail "the second file changes nothing"
# Minibatches larger than the data.
status 0 train "$model" --data a.txt --epochs 1 $small --batch 1000
# Further training from a checkpoint keeps its dims and vocabularies.
status 0 train "$model" --weights one.st --data a.txt --epochs 1 --save two.st
status 0 info two.st
says out '^dim.H  *8$' '^param  cell.U  *f32 \[24, 16\]$'

# eval: of the saved weights the same figures as training had on dev.
status 0 eval "$model" --weights one.st --data dev.txt --json
tail -n 1 metrics.jsonl | sed 's/.*"dev":{//; s/}.*//; s/,/\n/g' >trained
sed 's/[{}]//g; s/": /":/g; s/, /\n/g' out | grep -v '"examples"\|"failed"\|"skipped"' >evaluated
cmp trained evaluated || { cat trained evaluated >&2; fail "eval differs from training's evaluation"; }
says out '^{"examples": 20, "failed": 0, "skipped": 0, "loss": '
status 0 eval "$model" --weights one.st --data dev.txt
says out '^examples 20$' '^loss [0-9.]*$' '^accuracy [0-9.]*$'
status 0 eval "$model" --weights one.st --data dev.txt --limit 3
says out '^examples 3$'

# Means over an epoch lose no small example beside a large one.
cat >huge.nn <<'MODEL'
param p: f32 = zeros
fn loss(x: float) -> f32 { p + x }
metric average(x: float) { (x, 1) }
MODEL
printf '{"x": 1e17}\n{"x": 3}\n{"x": -1e17}\n' >huge.jsonl
for batch in 1 3; do
  status 0 train huge.nn --data huge.jsonl --epochs 1 --rate 0 --batch $batch --save huge.st
  says out '^epoch 1  loss 1  '
  status 0 eval huge.nn --data huge.jsonl --weights huge.st --batch $batch
  says out '^loss 1$' '^average 1$'
done

# predict: a line of JSON an example; the file when there are several; standard input.
status 0 predict "$model" --weights one.st --data dev.txt $small
silent err
[ "$(grep -c '^{"line": [0-9]*, "predict": "[0-4]"}$' out)" -eq 20 ] || fail "20 predictions"
mv out predictions
status 0 predict "$model" --weights one.st --data dev.txt --limit 4
head -n 4 predictions | cmp - out || fail "--limit"
status 0 predict "$model" --weights one.st --data a.txt --data dev.txt
says out '^{"file": "a.txt", "line": 15, "predict": "[0-4]"}$' '^{"file": "dev.txt", "line": 1, "predict": "[0-4]"}$'
sed -n 's/.*"dev.txt", /{/p' out | cmp - predictions || fail "the second file's predictions differ"
"$nnrun" predict "$model" --weights one.st --data - --format ptb <dev.txt | cmp - predictions || fail "standard input"
: >none.txt
status 0 predict "$model" --weights one.st --data none.txt
silent out
status 0 predict "$model" --weights one.st --data dev.txt --entry state --limit 1
says out '^{"line": 1, "state": {"h": \[[-0-9.e, ]*\], "c": \[[-0-9.e, ]*\]}}$'
# A second start compiles nothing.
ls cache >before
status 0 predict "$model" --weights one.st --data dev.txt
ls cache | cmp - before || fail "a second start compiles"

# bench of what leaves no trace has no means, and says no nan.
printf 'fn predict(n: int) -> int { n + 1 }\n' >plain.nn
printf '{"n": 1}\n{"n": 2}\n' >plain.jsonl
status 0 bench plain.nn --data plain.jsonl --entry predict --mode forward --seconds 0.05
says out '^mean batch size  *0'
grep -q nan out && fail "bench prints nan"

# bench: the figures, by their names.
status 0 bench "$model" --data dev.txt $small --seconds 0.1 --mode train --threads 1 --batch 8
says out '^train, minibatches of 8, 1 thread: [0-9]* minibatches in ' '^examples/s by wall clock  *[0-9.]*$' \
  '^time: kernels  *[0-9.]* %$' '^matrix products  *[0-9.]* GFLOP/s$' '^share of the peak  *[0-9.]* %$'
for mode in forward backward train; do
  status 0 bench "$model" --data dev.txt $small --seconds 0.05 --mode "$mode" --json
  says out "\"mode\": \"$mode\", \"batch\": 20,"
  for name in examples_per_second examples_per_cpu_second nodes_per_second batches_per_minibatch mean_batch_size \
    share_trace share_schedule share_kernels share_update gflops peak_gflops peak_share; do
    says out "\"$name\": [0-9]"
  done
done

# grad: losses and gradients known by hand: the loss of words is 3 times the sum of their rows of E, each 0.25 * 4.
cat >rows.nn <<'MODEL'
dim D = 4
vocab Word
param E: f32[Word, D] = constant(0.25)
fn loss(words: [Word]) -> f32 { 3 * sum(sum([E[w] for w in words])) }
MODEL
printf 'a b a\nb\nb c\n' >rows.txt
for precision in f32 f64; do
  status 0 grad rows.nn --data rows.txt --out gradients.st --precision "$precision" --batch 2
  printf '9\n3\n6\n' | cmp - out || { cat out >&2; fail "losses of the rows"; }
  status 0 info gradients.st
  says out "^param  E  *$precision \[4, 4\]$"
  # Rows of <unk>, a, b, c: 3 for each time that the word occurs.
  wide=$(echo "$precision" | sed 's/f32/4/; s/f64/8/')
  tail -c $((16 * wide)) gradients.st | od -A n -v -t "f$wide" | tr -s ' \n' '\n\n' | sed '/^$/d' | tr '\n' ' ' >gradients
  echo '0 0 0 0 6 6 6 6 9 9 9 9 3 3 3 3 ' | tr -d '\n' | cmp - gradients || { cat gradients >&2; fail "gradients of the rows"; }
done

# Many minibatches lose no digits: 300,000 times 0.1.
cat >tenths.nn <<'MODEL'
param w: f32[2] = ones
fn loss(x: float) -> f32 { sum(w * x) }
MODEL
yes '{"x": 0.1}' | head -n 300000 >tenths.jsonl
status 0 grad tenths.nn --data tenths.jsonl --out gradients.st --batch 100
tail -c 8 gradients.st | od -A n -v -t f4 | grep -q "^ *30000[.]*00*[0-9]*  *30000[.]*00*[0-9]*$" || fail "grad loses digits over many minibatches"

# graph: DOT that Graphviz takes, with shapes, before and after batching.
status 0 graph "$model" --weights one.st --data dev.txt
says out '^digraph trace {$' 'label="batch 0: ' '{8}' 'treelstm.nn:[0-9]*' '^}$'
mv out after.dot
status 0 graph "$model" --weights one.st --data dev.txt --before --out before.dot
silent out
says before.dot '^digraph trace {$' '{8}'
grep -q subgraph before.dot && fail "--before has batches"
[ "$(grep -c 'label=.*{' before.dot)" -eq "$(grep -v batch after.dot | grep -c 'label=.*{')" ] || fail "nodes get lost"
# Rows of an instance are one box, or one each.
nodes() { grep -v batch "$1" | grep -c 'label=.*{'; }
status 0 graph "$model" --weights one.st --data dev.txt --rows
says out '{8}' '^  n[0-9]* -> n[0-9]*'
silent_in() { grep -q "$2" "$1" && fail "$1 says $2" || true; }
silent_in out '{8x[0-9]'
[ "$(nodes out)" -gt "$(nodes after.dot)" ] || fail "--rows draws no more"
cat >columns.nn <<'MODEL'
dim D = 3
vocab Word
param E: f32[Word, D] = normal(0.5)
param w: f32[D]
fn loss(columns: [[Word]]) -> f32 { sum([sum_batches(dot(w, tanh(E[c]))) for c in columns]) }
MODEL
echo '{"columns": [["a", "b", "a", "b"], ["b", "b", "b", "b"]]}' >columns.jsonl
status 0 graph columns.nn --data columns.jsonl
says out '{1x8}' '{1x2}'
status 0 graph columns.nn --data columns.jsonl --rows
[ "$(nodes out)" -eq 11 ] || fail "not 8 rows, 2 sums and their sum"
status 0 graph "$model" --weights one.st --data dev.txt --example 3 --batch 2
says out 'fillcolor="#cfe8f7"' 'fillcolor="#fbe3b9"'
if command -v dot >/dev/null; then
  for file in before.dot after.dot out; do dot -Tsvg "$file" >svg || fail "Graphviz refuses $file"; done
fi

# explain: the batches, and reasons.
status 0 explain "$model" --weights one.st --data dev.txt
says out '^20 examples, [0-9]* rows of [0-9]* block instances in [0-9]* batches, mean size [0-9.]*; no schedule has fewer' \
  '  NNR0004  it needs results of batch [0-9]*$' '^`nnrun explain --reasons` explains the codes$' '^blocks$' 'tree.nn:[0-9]*  .*matmul.* of cell.U'
status 0 explain "$model" --weights one.st --data dev.txt --json --batch 5 --mode train
says out '^{"examples": 5, "nodes": [0-9]*, "instances": [0-9]*, "n_batches": [0-9]*, "lower_bound": [0-9]*, "batches": \[{"block": ' '"reason": "it needs.*", "code": "NNR0004"'
status 0 explain "$model" --weights one.st --data dev.txt --batch 2 --autobatch off
says out '  NNR0001  batching is off$'
status 0 explain --reasons
says out '^NNR0002: its examples waited for decisions when batch N ran$' '^NNR0004: it needs results of batch N$'
silent err

# info: a model, a bound model, a checkpoint.
status 0 info "$model"
says out '^model  treelstm$' '^entry  loss(t: Tree) -> f32$' '^metric accuracy(t: Tree)' '^dim    H = 128$' \
  '^vocab  Word, min_count 2$' '^vocab  Label, closed$' '^param  cell.U  *f32\[3\*H, 2\*H\]$' 'give --weights'
status 0 info tree.nnb --weights one.st
says out '^dim    H = 8$' '^vocab  Label, closed, 5: ' '^param  cell.U  *\[24, 16\]$' ' parameters in all$'
status 0 info one.st
says out '^model  *treelstm$' '^param  cell.b  *f32 \[24\]$'
for what in "$model" "tree.nnb --weights one.st" one.st; do
  status 0 info $what --json
  says out '^{.*"cell.U".*}$'
done

# Trees far deeper than a stack of calls; under AddressSanitizer deep stacks are small (runtime/value/fiber.c).
depth=20000
grep -q __asan_init "$nnrun" && depth=1000
awk -v n=$depth 'BEGIN { for (i = 0; i < n; i++) printf "(2 (2 the) "; printf "(2 good)"; for (i = 0; i < n; i++) printf ")"; print "" }' >deep.txt
status 0 predict "$model" --weights one.st --data deep.txt
says out '^{"line": 1, "predict": "[0-4]"}$'
