#!/bin/sh
# A model that is cut into files that import each other is the model in one file: the same parameters after training,
# the same predictions and the same gradients, byte by byte.
#   imports.sh NNRUN SOURCE EXAMPLE SUFFIX ENTRY...
. "$(dirname "$0")/lib.sh"
name=$3 suffix=$4
shift 4
data=$examples/$name/dev.$suffix
mkdir whole cut cut/parts
cp "$examples/$name/$name.nn" whole/

# Declarations; functions; what begins with the loss. The third sees the first only through the second.
awk -v work=cut/parts/work.nn -v main="cut/$name.nn" '
  BEGIN { out = "cut/parts/base.nn"; print "import base" >work; print "import parts.work" >main }
  /^fn loss/ { out = main }
  /^fn / && out != main { out = work }
  { print >out }' "whole/$name.nn"
for part in "cut/parts/base.nn" "cut/$name.nn"; do
  [ "$(wc -l <"$part")" -gt 5 ] || fail "there is next to nothing in $part"
done

same() { cmp "whole.$1" "cut.$1" || fail "$1: the model in parts gives something else than in one file"; }
for how in whole cut; do
  status 0 train "$how/$name.nn" --data "$data" --epochs 2 --limit 40 --batch 8 --save "$how.weights" --quiet
  status 0 grad "$how/$name.nn" --weights "$how.weights" --data "$data" --limit 20 --out "$how.gradients"
  mv out "$how.losses"
done
same weights
same gradients
same losses
[ -s whole.losses ] || fail "no losses"
for entry in "$@"; do
  for how in whole cut; do
    status 0 predict "$how/$name.nn" --weights whole.weights --data "$data" --limit 40 --entry "$entry"
    mv out "$how.$entry"
  done
  [ "$(wc -l <"whole.$entry")" -eq 40 ] || fail "$entry: 40 results"
  same "$entry"
done
