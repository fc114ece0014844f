#!/bin/sh
# An example's results have the same bits alone and in any batch, under any --autobatch, with any --threads.
#   same_bits.sh NNRUN SOURCE EXAMPLE SUFFIX ENTRY...
# Results of the entries are numbers with all their digits, so files that are equal are equal bits.
. "$(dirname "$0")/lib.sh"
name=$3 suffix=$4
shift 4
model=$examples/$name/$name.nn data=$examples/$name/dev.$suffix

# Weights as they are drawn: what they give differs from example to example.
status 0 train "$model" --data "$data" --epochs 1 --rate 0 --limit 48 --save trained.st --quiet
for entry in "$@"; do
  run() { status 0 predict "$model" --weights trained.st --data "$data" --limit 48 --entry "$entry" "$@"; }
  run --batch 1 --threads 1 --autobatch off
  mv out alone
  [ "$(wc -l <alone)" -eq 48 ] || fail "$entry: 48 results"
  [ "$(cut -d , -f 2- alone | sort -u | wc -l)" -gt 2 ] || fail "$entry: nearly all results are equal"
  for how in "--batch 1 --threads 3" "--batch 7 --threads 1" "--batch 48 --threads 2" "--batch 48 --threads 3 --autobatch depth" \
    "--batch 48 --threads 1 --autobatch agenda" "--batch 13 --threads 2 --autobatch off" "--batch 64 --threads 4 --autobatch auto"; do
    run $how
    cmp -s out alone || {
      diff alone out | head -n 4 >&2
      fail "$entry: results with $how differ from those of each example alone"
    }
  done
done
