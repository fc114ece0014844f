#!/bin/sh
# Metrics of any sums: perplexity, F1, correlation, BLEU counts, tables and confusion matrices, against awk.
#   metrics.sh NNRUN SOURCE NNC
set -eu
nnrun=$1 source=$2 nnc=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
  echo "metrics.sh: $1" >&2
  exit 1
}
says() { grep -qF -- "$2" "$1" || { cat "$1" >&2; fail "$1 does not say: $2"; }; }

# The metrics of the manual, which has the formulas.
awk '/^### Metrics/ { there = 1 } there && /^```$/ { exit } inside { print } there && /^```nn$/ { inside = 1 }' \
  "$source/grammar/LANGUAGE.md" >model.nn
cat >>model.nn <<'END'
vocab Word
param W: f32[Tag]
fn loss(ts: [Tag]) -> f32 { sum([W[t] * W[t] for t in ts]) }
metric words(ws: [Word]) { ws }
metric costly(ts: [Tag], costs: [float]) { zip(ts, costs) }
metric scalars(ts: [Tag]) { (sum([0 * W[t] + 2 for t in ts]), sum([0 * W[t] + 1 for t in ts])) }
metric most(ts: [Tag]) { ts } total(all) {
  assert(len(ts_of(all)) == 3)
  argmax(all)
}
fn ts_of(all: [float]) -> [float] { all }
END

# ps and ts, a cost for each, and two numbers.
cat >rows <<'END'
B I O O B|B I O B I|0.5 1 0.25 2 1|1 2.5
O O O B I|O O B B I|0.1 0.2 0.3 0.4 3|2 3.75
B I I O|B I I I|1 1 1 0.5|-1 0.5
I|O|4|0.25 2
B I O O I|B I O O B|2 0.5 0.5 1 1|3 0.5
END
awk -F'|' '{
  gsub(/[A-Z]/, "\"&\"", $1); gsub(/[A-Z]/, "\"&\"", $2); gsub(/ /, ", ", $1); gsub(/ /, ", ", $2); gsub(/ /, ", ", $3)
  split($4, p, " ")
  printf "{\"ps\": [%s], \"ts\": [%s], \"costs\": [%s], \"x\": %s, \"y\": %s, \"ws\": [\"w%d\", \"v\"]}\n", $1, $2, $3, p[1], p[2], NR % 2
}' rows >data.jsonl

awk -F'|' '
function ngrams(a, n, m, counts,   i, k, g) {
  delete counts
  for (i = 1; i + m - 1 <= n; i++) {
    g = ""
    for (k = 0; k < m; k++) g = g " " a[i + k]
    counts[g]++
  }
}
{
  n = split($1, p, " "); split($2, t, " "); split($3, c, " "); split($4, xy, " ")
  for (i = 1; i <= n; i++) {
    cost += c[i]; tokens++
    table[t[i] p[i]]++
    both += p[i] == t[i] && p[i] != "O"; guessed += p[i] != "O"; meant += t[i] != "O"
  }
  rows++; x += xy[1]; y += xy[2]; xx += xy[1]^2; yy += xy[2]^2; sxy += xy[1] * xy[2]
  for (m = 1; m <= 4; m++) {
    ngrams(p, n, m, guess); ngrams(t, n, m, right)
    for (g in guess) found[m] += guess[g] < right[g] ? guess[g] : right[g]
    there[m] += n - m + 1 > 0 ? n - m + 1 : 0
  }
}
END {
  printf "perplexity %.6g\n", exp(cost / tokens)
  printf "f1 %.6g\n", 2 * both / (guessed + meant)
  printf "correlation %.6g\n", (rows * sxy - x * y) / sqrt((rows * xx - x * x) * (rows * yy - y * y))
  for (m = 1; m <= 4; m++) precision += log(found[m] / there[m]) / 4
  printf "bleu %.6g\n", exp(precision)
  split("B I O", tags, " ")
  for (i = 1; i <= 3; i++) {
    for (k = 1; k <= 3; k++) { line[i] = line[i] sprintf("  %8d", table[tags[i] tags[k]]); all[i] += table[tags[i] tags[k]] }
    recall[i] = table[tags[i] tags[i]] / all[i]
  }
  for (i = 1; i <= 3; i++) printf "  %s%s\n", tags[i], line[i] > "rows.confusion"
  for (i = 1; i <= 3; i++) printf "  %s  %8.6g\n", tags[i], recall[i] > "rows.recall"
}' rows >wanted

"$nnrun" train model.nn --data data.jsonl --dev data.jsonl --epochs 1 --metrics log.jsonl --save w.safetensors >out 2>err
says out 'dev perplexity'
! grep -q 'dev confusion' out || fail "a table in a line of training"
says log.jsonl '"recall":{"B":'

for how in "--batch 4" "--batch 1" "--batch 3 --threads 3"; do
  # shellcheck disable=SC2086
  "$nnrun" eval model.nn --weights w.safetensors --data data.jsonl $how >out 2>err || { cat err >&2; fail "eval fails with $how"; }
  while read -r line; do says out "$line"; done <wanted
  sed -n '/^confusion$/,/^[a-z]/p' out | grep '^  [BIO] ' >confusion
  cmp -s confusion rows.confusion || { diff confusion rows.confusion >&2 || true; fail "another confusion matrix"; }
  sed -n '/^recall$/,/^[a-z]/p' out | sed 1d | grep '^  [BIO] ' >recall
  cmp -s recall rows.recall || { diff recall rows.recall >&2 || true; fail "another recall"; }
  says out 'scalars 2'
  says out 'most 0'
  cp out "out.$(echo "$how" | tr -d ' -')"
done
cmp -s out.batch4 out.batch1 || fail "batches change metrics"

# A vocabulary's table has what occurred. A compiled model gives the same, in JSON, too.
"$nnc" model.nn -o model.nnb
"$nnrun" eval model.nnb --weights w.safetensors --data data.jsonl --json >out 2>err
for count in '"v": 5' '"w0": 2' '"w1": 3'; do says out "$count"; done
says out '"costly": {"B": '
says out '"confusion": {"B": {"B": '

# A total that fails has no value, and eval fails.
cat >failing.nn <<'END'
param w: f32
fn loss(x: float) -> f32 { w * x }
metric m(x: float) { [x] } total(xs) { xs[7] }
END
printf '{"x": 1}\n' >one.jsonl
status=0
"$nnrun" eval failing.nn --data one.jsonl >out 2>err || status=$?
[ "$status" -eq 1 ] || fail "exit status $status of a total that fails"
says err 'm.total: failing.nn:3:40: index 7 is out of range: the list has 1 element'
says out 'm -'

# Without examples nothing has a value; an example that fails counts in no sum.
cat >partly.nn <<'END'
param w: f32
fn loss(x: float) -> f32 {
  assert(x > 0)
  w * x
}
metric m(x: float) { (x, 1, 1) } total(a, b, c) { a / b + 0 * c }
END
printf '{"x": 1}\n{"x": -5}\n{"x": 2}\n' >three.jsonl
"$nnrun" eval partly.nn --data three.jsonl --allow-failures >out 2>err
says out 'm 1.5'
