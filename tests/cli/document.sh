#!/bin/bash
# A document's files and commands, in an empty folder: fences that name a file are written, `sh` ones are run, and must
# print what the `output` fence behind them says, up to numbers other than positions in files; `sh fails` ones must fail.
#   document.sh NNRUN SOURCE DOCUMENT NNC
set -eu
nnrun=$1 source=$2 document=$2/$3 nnc=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/parts" "$work/here"
ln -s "$nnrun" "$work/bin/nnrun"
ln -s "$nnc" "$work/bin/nnc"
PATH=$work/bin:$PATH
export NN_CACHE_DIR=$work/cache
unset NN_STDLIB


# parts/NUMBER holds a fence's text, and `order` a line for each: its number, line and info.
awk -v parts="$work/parts" '
  /^```/ && !open { open = 1; n++; info = substr($0, 4); print n "\t" NR "\t" info; file = parts "/" n; printf "" > file; next }
  /^```$/ && open { open = 0; close(file); next }
  open { print > file }
' "$document" >"$work/order"

# Numbers and runs of blanks are the same whatever they are.
plain() { sed -E 's/[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?/#/g; s/[ \t]+/ /g; s/ $//' "$1"; }

# The positions in files, as `FILE:LINE:COLUMN`.
positions() { grep -oE '[^ ]+:[0-9]+:[0-9]+' "$1" || true; }

cd "$work/here"
commands=0 files=0 printed=
while IFS=$'\t' read -r number line info; do
  part=$work/parts/$number place=$(basename "$document"):$line
  case $info in
  sh | 'sh fails')
    status=0
    # Benchmarks need not measure anything here.
    sed -E 's/--seconds [0-9.]+/--seconds 0.05/g' "$part" >"$work/command"
    bash -e "$work/command" >"$work/got" 2>&1 || status=$?
    if [ "$info" = sh ] && [ "$status" -ne 0 ] || [ "$info" != sh ] && [ "$status" -eq 0 ]; then
      cat "$part" "$work/got" >&2
      echo "$place: exit status $status" >&2
      exit 1
    fi
    commands=$((commands + 1)) printed=$work/got
    ;;
  output)
    plain "$part" >"$work/wanted"
    plain "$printed" | diff "$work/wanted" - >&2 || { echo "$place: this is not what is printed" >&2; exit 1; }
    positions "$part" >"$work/wanted"
    positions "$printed" | diff "$work/wanted" - >&2 || { echo "$place: these are other positions" >&2; exit 1; }
    ;;
  *' '*)
    cp "$part" "${info#* }"
    files=$((files + 1))
    ;;
  esac
done <"$work/order"
[ "$commands" -ge 3 ] && [ "$files" -ge 1 ] || { echo "$document has no commands or no files" >&2; exit 1; }
