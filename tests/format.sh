#!/bin/sh
# Checks that the C sources are as clang-format makes them, with comments of one kind, `//`; 77 (skipped) where there is
# none.
#
# usage: format.sh [--fix] [SOURCE-FOLDER]
set -eu
fix=false
if [ "${1:-}" = --fix ]; then
  fix=true
  shift
fi
cd "${1:-$(dirname "$0")/..}"
command -v clang-format >/dev/null 2>&1 || { echo "clang-format is not installed"; exit 77; }
major=$(clang-format --version | sed -n 's/.*version \([0-9]*\).*/\1/p')
# Versions differ in small ways; the tree is as Debian 12's makes it.
[ "$major" = 14 ] || $fix || { echo "clang-format $major: only 14 is compared"; exit 77; }
files=$(find compiler runtime tests examples grammar -name '*.[ch]' -not -path '*/node_modules/*')
if $fix; then
  exec clang-format -i $files
fi
if grep -nE '^[[:space:]]*/\*|[;{}][[:space:]]*/\*' $files; then
  echo "comments begin with //"
  exit 1
fi
clang-format --dry-run -Werror $files
