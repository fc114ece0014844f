#!/bin/sh
# An installation works wherever it is put: the programs, their standard library, and the library for others' programs.
#   install.sh NNRUN SOURCE BUILD CMAKE CC [FLAGS...]
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
build=$3 cmake=$4 cc=$5
shift 5

"$cmake" --install "$build" --prefix "$work/first" >log 2>&1 || { cat log >&2; fail "cmake --install"; }
mv first moved
bin=$work/moved/bin

# The standard library beside the programs, not the one in the source tree.
printf 'fn installed(x: f32) -> f32 { x + 1.0 }\n' >moved/share/nn/stdlib/marker.nn
printf 'import std.marker\nparam b: f32\nfn loss(n: int) -> f32 { installed(b) }\n' >user.nn
"$bin/nnc" user.nn || fail "nnc does not find the installed standard library"
program=$bin/nnrun
status 0 info user.nn
says out 'loss'

# A program that uses the runtime, against nnrun.
"$bin/nnc" "$examples/treelstm/treelstm.nn" -o tree.nnb
status 0 train tree.nnb --data "$examples/treelstm/dev.txt" --epochs 1 --quiet --save tree.safetensors
status 0 predict tree.nnb --weights tree.safetensors --data "$examples/treelstm/new.txt"
sed 's/.*"predict": \(.*\)}$/\1/' out >expected
PKG_CONFIG_PATH=$(find "$work/moved" -name pkgconfig)
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
"$cc" "$@" -std=c99 -Wall -Wextra -pedantic -Werror "$here/embed.c" $(pkg-config --cflags --libs nn) -o embed ||
  fail "a program with nn.h and libnn.a"
./embed tree.nnb tree.safetensors "$examples/treelstm/new.txt" >got || fail "embed ends with status $?"
cmp expected got || fail "embed and nnrun predict differ"

# The header in C++, where there is a compiler.
if command -v c++ >/dev/null; then
  printf '#include <nn.h>\nint main() { return nn_status_code(nullptr); }\n' >user.cc
  c++ -std=c++17 -Wall -Wextra -pedantic -Werror -fsyntax-only -Imoved/include user.cc || fail "nn.h in C++"
fi
