#!/bin/sh
# The Tree-LSTM on the Stanford Sentiment Treebank, in $NN_DATA/sst: root accuracy of at least 0.42 on the development
# set within five epochs (DyNet's example of the same model: 0.27, 0.38, 0.41, 0.41, 0.44). Skipped without the data.
#   acceptance.sh NNRUN SOURCE
set -eu
nnrun=$1 model=$2/examples/treelstm/treelstm.nn
[ -f "${NN_DATA:-}/sst/train.txt" ] || exit 77
"$nnrun" train "$model" --data "$NN_DATA/sst/train.txt" --dev "$NN_DATA/sst/dev.txt" -D D=128 -D H=128 --rate 1e-3 \
  --batch 64 --epochs 5 --quiet |
  awk '{ print; for (i = 1; i < NF; i++) if ($i == "accuracy" && $(i + 1) > best) best = $(i + 1) }
       END { if (best < 0.42) { print "best accuracy", best; exit 1 } }'
