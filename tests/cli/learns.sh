#!/bin/sh
# Trains an example from its own data and checks what it learnt.
#   learns.sh NNRUN SOURCE NAME SUFFIX EPOCHS METRIC THRESHOLD [OPTION...]
# The threshold is one that neither chance nor the best guess without the structure can reach (tests/README.md). Then
# the saved checkpoint must predict the unlabelled data, give the same metric in a fresh process, and the run must repeat
# bit for bit.
set -eu
nnrun=$1 folder=$2/examples/$3 model=$2/examples/$3/$3.nn name=$3 suffix=$4 epochs=$5 metric=$6 threshold=$7
shift 7
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$nnrun" train "$model" --data "$folder/train.$suffix" --dev "$folder/dev.$suffix" --epochs "$epochs" --quiet "$@" \
  --save "$work/weights.safetensors" --metrics "$work/metrics.jsonl"
score() { sed -n "s/.*\"$metric\": *\([0-9.e+-]*\).*/\1/p" "$1" | tail -n 1; }
reached=$(score "$work/metrics.jsonl")
awk -v a="$reached" -v b="$threshold" 'BEGIN { exit !(a >= b) }' || {
  echo "$name: $metric $reached after $epochs epochs, expected at least $threshold"
  exit 1
}
"$nnrun" eval "$model" --weights "$work/weights.safetensors" --data "$folder/dev.$suffix" --json --quiet >"$work/eval.json"
again=$(score "$work/eval.json")
awk -v a="$reached" -v b="$again" 'BEGIN { d = a - b; exit !(d < 1e-9 && d > -1e-9) }' || {
  echo "$name: $metric was $reached when saved and is $again when loaded"
  exit 1
}
new=$(ls "$folder"/new.*)
"$nnrun" predict "$model" --weights "$work/weights.safetensors" --data "$new" >"$work/predictions"
[ -s "$work/predictions" ] && ! grep -q '"error"' "$work/predictions" || {
  echo "$name: no predictions"
  exit 1
}
for run in 1 2; do
  "$nnrun" train "$model" --data "$folder/dev.$suffix" --epochs 1 --quiet --save "$work/repeat$run.safetensors" >/dev/null
done
cmp "$work/repeat1.safetensors" "$work/repeat2.safetensors" || {
  echo "$name: two runs with one seed differ"
  exit 1
}
echo "$name: $metric $reached"
