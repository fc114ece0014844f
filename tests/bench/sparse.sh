#!/bin/sh
# A lookup table of 1,000,000 x 64 trained with exact and with lazy updates, in turn in one run: examples per CPU second
# of each and the median of the ratios, for words drawn evenly and as Zipf's law has them.
#
#   tests/bench/sparse.sh [BUILD-FOLDER] [ROUNDS] [SECONDS]
set -eu
build=${1:-build} rounds=${2:-5} seconds=${3:-4}
here=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/bag.nn" <<'MODEL'
dim N = 1000000
dim D = 64
dim C = 5
param E: f32[N, D] = normal(0.1)
param W: f32[C, D]
fn loss(ids: [int], label: int) -> f32 { nll(W @ mean([E[i] for i in ids]), label) }
MODEL
for words in even zipf; do
  awk -v words=$words 'BEGIN {
    srand(1)
    for (n = 0; n < 20000; n++) {
      line = ""
      for (k = 0; k < 20; k++) line = line (k ? ", " : "") int(words == "even" ? 999999 * rand() : exp(log(999999) * rand()))
      printf "{\"ids\": [%s], \"label\": %d}\n", line, int(5 * rand())
    }
  }' >"$work/$words.jsonl"
done
speed() {
  "$here/$build/nnrun" bench "$work/bag.nn" --data "$work/$words.jsonl" --batch 64 --threads 1 --mode train --seconds "$seconds" \
    --json --quiet "$@" | sed -n 's/.*"examples_per_cpu_second": \([0-9.e+]*\).*/\1/p'
}
for words in even zipf; do
  for how in "adam" "adam --decay 0.01" "momentum" "sgd --decay 0.01" "adagrad"; do
    for _ in $(seq "$rounds"); do
      # shellcheck disable=SC2086
      echo "$(speed --optimiser $how --sparse exact) $(speed --optimiser $how --sparse lazy)"
    done | sort -k 1,1n | awk -v name="$words, $how" '
      { a[NR] = $1; b[NR] = $2; r[NR] = $1 / $2 }
      function median(x, n,  i, j, t) { for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (x[j] < x[i]) { t = x[i]; x[i] = x[j]; x[j] = t }
                                        return x[int((n + 1) / 2)] }
      END { printf "%-26s exact %8.0f   lazy %8.0f examples/s   ratio %.2f\n", name, median(a, NR), median(b, NR), median(r, NR) }'
  done
done
