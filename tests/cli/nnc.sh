#!/bin/sh
# What the nnc command does with its options, in an empty folder.
#   nnc.sh NNC SOURCE
. "$(dirname "$0")/lib.sh"
nnc=$program
model=$examples/treelstm/treelstm.nn

# Modules.
status 0 "$model"
silent out
silent err
[ -s treelstm.nnb ] || fail "no treelstm.nnb"
status 0 "$model" -o other.nnb
cmp treelstm.nnb other.nnb || fail "the same model gives two modules"
mkdir -p elsewhere/stdlib elsewhere/model
cp "$source"/stdlib/*.nn elsewhere/stdlib
cp "$model" elsewhere/model
status 0 --stdlib elsewhere/stdlib elsewhere/model/treelstm.nn -o other.nnb
cmp treelstm.nnb other.nnb || fail "a module depends on the folders that it was made from"
status 0 -D H=64 "$model" -D D=32 -o other.nnb
cmp -s treelstm.nnb other.nnb && fail "-D changes nothing"
status 1 "$model" -o no/such/folder.nnb
says err "no/such/folder.nnb"

# Checking.
status 0 check "$model"
silent err
printf 'dim H = 3\nfn f(x: f32[H]) -> f32 { x + }\n' >bad.nn
status 1 check bad.nn
says err '^error\[NN0106\]'
says err 'bad.nn:2:30'
says err '^1 error$'
[ ! -e bad.nnb ] || fail "a module of a wrong model"
status 1 bad.nn
[ ! -e bad.nnb ] || fail "a module of a wrong model"
status 1 --color=always bad.nn
grep -q "$(printf '\033')" err || fail "no colour though asked for"
status 1 --color=auto bad.nn
grep -q "$(printf '\033')" err && fail "colour where there is no terminal"

# Texts.
status 0 --emit=ast "$model"
mv out once.nn
status 0 --emit=ast once.nn
cmp out once.nn || fail "--emit=ast is no fixpoint"
status 0 --emit=ir "$model"
says out '^host @encode'
grep -q '^block ' out && fail "--emit=ir has blocks"
status 0 --emit=blocks "$model" -o blocks.txt
silent out
says blocks.txt '^block @'
says blocks.txt '^adjoint @'
status 0 -D H=77 --emit=ir "$model"
says out '^dim H = 77$'
status 0 --emit=blocks --dump-after=inline "$model"
says err '^host @'
grep -q '^block ' err && fail "blocks after inlining"

status 0 --emit=llvm "$model"
says out '^define '
says out '^; block @'
says out '^; adjoint @'
status 0 --emit=asm "$model"
says out '^# control flow'
says out '^# block @'
says out '^kernel:'

# Layout.
printf 'dim  H=3 // three\n\n\nfn f( k:int )->int{k+H}\n' >rough.nn
printf 'dim H = 3 // three\n\nfn f(k: int) -> int { k + H }\n' >smooth.nn
cp rough.nn rough.keep
chmod 640 rough.nn
status 1 fmt --check rough.nn smooth.nn
says out '^rough.nn:1: this line would change$'
grep -q smooth out && fail "fmt --check names a file that would not change"
cmp rough.nn rough.keep || fail "fmt --check changes a file"
status 0 fmt --stdout rough.nn
cmp out smooth.nn || fail "fmt --stdout prints something else"
cmp rough.nn rough.keep || fail "fmt --stdout changes a file"
"$nnc" fmt - <rough.nn | cmp - smooth.nn || fail "fmt - prints something else"
printf 'dim H=\n' >bad.nn
cp bad.nn bad.keep
touch -d 2001-01-01 smooth.nn
status 1 fmt bad.nn rough.nn smooth.nn
says err 'bad.nn:2:1'
silent out
cmp bad.nn bad.keep || fail "fmt changes a file with errors"
cmp rough.nn smooth.nn || fail "fmt did not write"
[ "$(stat -c %a rough.nn)" = 640 ] || fail "fmt changes access rights"
[ "$(stat -c %Y smooth.nn)" = "$(date -d 2001-01-01 +%s)" ] || fail "fmt writes what has not changed"
status 0 fmt --check rough.nn smooth.nn
silent out
ln -s rough.keep linked.nn
status 0 fmt linked.nn
[ -L linked.nn ] || fail "fmt replaced a link, not what it leads to"
cmp rough.keep smooth.nn || fail "fmt did not write what a link leads to"
status 2 fmt
status 1 fmt missing.nn
says err 'cannot read missing.nn'
status 2 fmt --check --stdout rough.nn
status 2 fmt --indent=4 rough.nn
says err 'there is one layout'
status 0 fmt --help
says out '--check'
status 2 --fmt rough.nn
says err '`nnc fmt FILE`'

# The standard library.
mkdir -p library mine
printf 'import std.special\ndim H = 3\nlet s = Special(H)\nfn loss(i: int) -> f32 { s.f() }\n' >user.nn
status 1 check user.nn
says err 'NN0202'
printf 'layer Special(n: dim) {\n  param b: f32[n]\n  fn f() -> f32 { sum(b) }\n}\n' >library/special.nn
status 0 check --stdlib library user.nn
export NN_STDLIB=library
status 0 check user.nn
unset NN_STDLIB
cp library/special.nn mine/special.nn
printf 'import mine.special\ndim H = 3\nlet s = Special(H)\nfn loss(i: int) -> f32 { s.f() }\n' >own.nn
status 0 check own.nn
status 0 check ./mine/../own.nn

# The search path: the importing file's folder comes first, then -I in order, then NN_PATH.
mkdir -p one/deep two three
printf 'import deep.part\nimport other\ndim H = 3\nfn main(i: int) -> int { i + part.size() + other.size() + H }\n' >path.nn
status 1 check path.nn
says err 'there is no deep/part.nn'
says err 'with `-I DIR` or $NN_PATH'
printf 'import beside\ndim H = 4\nfn size() -> int { H + beside() }\n' >one/deep/part.nn
printf 'fn beside() -> int { 1 }\n' >one/deep/beside.nn
printf 'fn beside() -> int { wrong }\n' >one/beside.nn
printf 'dim H = 5\nfn size() -> int { H }\n' >two/other.nn
printf 'fn wrong() -> int { missing }\n' >three/other.nn
status 1 check -I one path.nn
says err 'there is no one/other.nn'
status 0 check -I one -I two -I three path.nn
export NN_PATH=one:two:three
status 0 check path.nn
unset NN_PATH
export NN_PATH=three
status 0 check -I one --import-path=two path.nn
unset NN_PATH
status 1 check -I one -I three -I two path.nn
status 2 explain NN0106 -I one
# Three dims of one name, of which the main file's has the bare one; -D reaches all of them.
status 0 -I one -I two -D H=7 -D deep.part.H=8 -D other.H=9 --emit=ir path.nn
says out '^dim H = 7$'
says out '^dim deep.part.H = 8$'
says out '^dim other.H = 9$'
printf 'import deep.part\nimport other\nfn main(i: int) -> int { i + part.size() + other.size() }\n' >path.nn
status 1 check -I one -I two -D H=7 path.nn
says err 'write `-D other.H=...` or `-D deep.part.H=...`'

# Explanations, help, mistakes on the command line.
status 0 explain NN0106
says out 'NN0106'
status 0 explain
says out '^NN0101 '
status 2 explain NN9999
status 2 explain NN
status 0 --help
says out '--dump-after'
for pass in inline simplify blocks adjoint; do says out "^  $pass "; done
status 0 --version
says out '^nnc [0-9]'
status 2
status 2 "$model" "$model"
status 2 --nonsense "$model"
status 2 --emit=nonsense "$model"
status 2 --dump-after=nonsense "$model"
status 2 -D H "$model"
status 2 -D H=x "$model"
status 2 -D =3 "$model"
status 1 -D Nothing=3 "$model"
says err 'NN0204'
status 1 -D H=-1 "$model"
status 1 -D H=0 "$model"
says err '`-D H=0`: a dim is at least 1'
status 1 missing.nn
says err 'missing.nn'
status 1 .
says err 'folder'

# Nothing that was read is replaced, under whatever name; what a link leads to is, and devices stay what they are.
mkdir -p outputs
cd outputs
printf 'import part\nparam W: f32\nfn loss(k: int) -> f32 { W * two(k) }\n' >me.nn
printf 'fn two(k: int) -> int { 2 * k }\n' >part.nn
cp me.nn me.keep
cp part.nn part.keep
ln -s me.nn link.nnb
ln part.nn hard.nnb
ln -s me.nn other.nn
for output in me.nn ./me.nn ../outputs/me.nn link.nnb part.nn hard.nnb; do
  for emit in nnb ir ast asm; do
    status 1 --emit=$emit me.nn -o $output
    says err 'would replace the source'
  done
done
status 1 other.nn -o me.nn
cmp me.nn me.keep && cmp part.nn part.keep || fail "a source was replaced"
: >real.nnb
ln -s real.nnb through.nnb
status 0 me.nn -o through.nnb
[ -L through.nnb ] && [ -s real.nnb ] || fail "a link was replaced, not what it leads to"
"$nnc" me.nn -o - | cmp - real.nnb || fail "-o - writes another module"
status 0 me.nn -o /dev/null
[ -c /dev/null ] || fail "/dev/null was replaced"
cd ..

# What is printed has arrived, or the exit status says that it has not.
if [ -c /dev/full ]; then
  for arguments in --help --usage --version explain 'explain NN0101' "--emit=ir $model" "--emit=asm $model" "$model -o -"; do
    got=0
    "$nnc" $arguments >/dev/full 2>err || got=$?
    [ "$got" -eq 1 ] || fail "exit status $got, not 1, of: nnc $arguments >/dev/full"
    says err 'standard output'
    [ "$(wc -l <err)" -eq 1 ] || { cat err >&2; fail "a lost output is told more than once"; }
  done
  status 1 "$model" -o /dev/full
fi

# Options that do not exist, and those that would change nothing.
says_of() { # PATTERN ARGUMENTS...
  pattern=$1
  shift
  status 2 "$@"
  says err "$pattern"
}
says_of 'there is no option --outptu; did you mean --output?' --outptu x "$model"
says_of 'there is no option --include; it is called --import-path' --include=x "$model"
says_of '`nnc check FILE`' --check "$model"
says_of 'there is no option --unheard-of$' "$model" --unheard-of=3
says_of 'there is no command `chekc`; did you mean `check`?' chekc "$model"
says_of '--output has no effect with `check`' check "$model" -o x
says_of '--emit has no effect with `check`' check --emit=ir "$model"
says_of '--dump-after has no effect with `check`' check --dump-after=dce "$model"
says_of '--dump-after has no effect with --emit=ir' --emit=ir --dump-after=dce "$model"
says_of '-D has no effect with `explain`' explain -D A=3
status 0 --define H=64 --stdlib -x "$model" -o other.nnb # the argument of an option may look like one
status 1 -- --unheard-of
says err 'cannot read --unheard-of'
