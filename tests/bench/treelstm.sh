#!/bin/bash
# The Tree-LSTM against a hand-written, level-batched C program, in turn in one run: sentences per CPU second of each,
# and the median of the ratios.
#
#   NN_BASELINE=treelstm.c NN_DATA=FOLDER tests/bench/treelstm.sh [BUILD-FOLDER] [ROUNDS] [SECONDS]
#
# The yardstick's command line is TREES D H BATCH MODE(0 forward, 1 backward, 2 train) SECONDS, and it prints
# "sent/s X". OpenBLAS must be told its core type, or it is measured at a fraction of its speed.
set -eu
build=${1:-build} rounds=${2:-5} seconds=${3:-4}
: "${NN_BASELINE:?the C source of the yardstick}" "${NN_DATA:?the folder that holds sst/train.txt}"
here=$(cd "$(dirname "$0")/../.." && pwd)
trees=$NN_DATA/sst/train.txt
yardstick=$(mktemp)
trap 'rm -f "$yardstick"' EXIT
gcc -O3 -march=native -ffast-math "$NN_BASELINE" -o "$yardstick" -lopenblas -lm
if [ -z "${OPENBLAS_CORETYPE:-}" ]; then
  if grep -q avx512f /proc/cpuinfo; then export OPENBLAS_CORETYPE=SKYLAKEX; else export OPENBLAS_CORETYPE=HASWELL; fi
fi
for size in ${SIZES:-128 256}; do
  for mode in ${MODES:-forward train}; do
    number=$([ "$mode" = forward ] && echo 0 || echo 2)
    for _ in $(seq "$rounds"); do
      a=$("$here/$build/nnrun" bench "$here/examples/treelstm/treelstm.nn" --data "$trees" -D D=$size -D H=$size --batch 64 \
            --threads 1 --mode $mode --seconds "$seconds" --json --quiet |
          sed -n 's/.*"examples_per_cpu_second": \([0-9.e+]*\).*/\1/p')
      b=$("$yardstick" "$trees" $size $size 64 "$number" "$seconds" | sed -n 's/^sent\/s \([0-9.]*\).*/\1/p')
      echo "$a $b"
    done | awk -v name="H=$size $mode" '
      { a[NR] = $1; b[NR] = $2; r[NR] = $1 / $2 }
      function median(x, n,  i, j, t) { for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (x[j] < x[i]) { t = x[i]; x[i] = x[j]; x[j] = t }
                                        return x[int((n + 1) / 2)] }
      END { printf "%-16s nnrun %8.0f   yardstick %8.0f sentences/s   ratio %.2f (%.2f-%.2f)\n", name, median(a, NR), median(b, NR), median(r, NR), r[1], r[NR] }'
  done
done
