#!/bin/sh
# What the variational autoencoder draws and learns, against the data's own making: examples/vae/generate.c.
#   vae.sh NNRUN SOURCE
. "$(dirname "$0")/lib.sh"
model=$examples/vae/vae.nn train=$examples/vae/train.jsonl dev=$examples/vae/dev.jsonl
status 0 train "$model" --data "$train" --epochs 80 --rate 0.003 --batch 32 --save vae.st --quiet
status 0 eval "$model" --weights vae.st --data "$dev" --json
metric() { sed -n "s/.*\"$1\": *\([0-9.e+-]*\).*/\1/p" out; }
elbo=$(metric elbo) evidence=$(metric evidence)
status 0 eval "$model" --weights vae.st --data "$dev" --json --batch 7 --threads 3 --autobatch depth
[ "$(metric elbo) $(metric evidence)" = "$elbo $evidence" ] || fail "what is evaluated depends on the batches"
status 0 eval "$model" --weights vae.st --data "$dev" --json --seed 2
[ "$(metric elbo)" != "$elbo" ] || fail "--seed changes nothing that is evaluated"

# Nats that an image of `dev` costs when every pixel is drawn for itself with its share in `train`.
pixels='{ gsub(/[^01 ]/, ""); n = split($0, x, " ") }'
independent=$(awk "$pixels"' FNR == NR { for (i = 1; i <= n; i++) ones[i] += x[i]; images++; next }
  { for (i = 1; i <= n; i++) { p = (ones[i] + 0.5) / (images + 1); cost -= log(x[i] ? p : 1 - p) } }
  END { print cost / FNR }' "$train" "$dev")
# Nats that an image holds: one of 48, and 64 pixels that are turned with a probability of 2 %. No lower bound is above
# that, but for what 300 images happen to be.
held=$(awk 'BEGIN { print log(48) - 64 * (0.02 * log(0.02) + 0.98 * log(0.98)) }')
awk -v elbo="$elbo" -v evidence="$evidence" -v independent="$independent" -v held="$held" 'BEGIN {
  exit !(-elbo < independent - 10 && elbo < evidence && -evidence > held - 0.5) }' ||
  fail "elbo $elbo, evidence $evidence; independent pixels cost $independent, and an image holds $held nats"

# How far an image is from the nearest of the 48, on average, and the share of those at most 4 pixels from one.
nearest() {
  awk 'BEGIN {
    split("##### #...# #...# #...# ##### ..#.. ..#.. ##### ..#.. ..#.. #...# .#.#. ..#.. .#.#. #...#", rows, " ")
    for (kind = 0; kind < 3; kind++) for (top = 0; top < 4; top++) for (left = 0; left < 4; left++) {
      image = kind " " top " " left
      images[image]
      for (r = 0; r < 5; r++) for (c = 0; c < 5; c++)
        if (substr(rows[kind * 5 + r + 1], c + 1, 1) == "#") pixel[image, (top + r) * 8 + left + c]
    }
  }
  { sub(/.*\[/, ""); sub(/\].*/, ""); gsub(/,/, ""); split($0, x, " "); best = 64
    for (image in images) {
      distance = 0
      for (i = 0; i < 64; i++) distance += (x[i + 1] >= 0.5) != ((image, i) in pixel)
      if (distance < best) best = distance
    }
    sum += best; near += best <= 4 }
  END { print sum / NR, near / NR }' "$1"
}
status 0 predict "$model" --weights vae.st --data "$dev"
set -- $(nearest "$dev") $(nearest out)
awk -v given="$1" -v got="$3" 'BEGIN { exit !(given > 1 && got < given / 1.5) }' ||
  fail "images are $1 pixels from what they show, and what is remembered of them $3"

# New images. None is drawn twice, each by its number; the seed says which.
for i in $(seq 300); do echo '{}'; done >nothing.jsonl
fantasies() { status 0 predict "$model" --weights vae.st --entry fantasy --data nothing.jsonl "$@"; }
fantasies --seed 3
mv out drawn
fantasies --seed 3 --batch 17 --threads 2
cmp out drawn || fail "what is drawn depends on the batches"
fantasies --seed 4
cmp -s out drawn && fail "--seed changes nothing that is drawn"
[ "$(cut -d , -f 2- drawn | sort -u | wc -l)" -gt 290 ] || fail "the same is drawn again and again"
set -- $(nearest drawn)
awk -v distance="$1" -v near="$2" 'BEGIN { exit !(distance < 8 && near > 0.12) }' ||
  fail "fantasies are $1 pixels from an image, $2 of them at most 4"
