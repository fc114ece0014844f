#!/bin/sh
# `nnc test`: what it prints of tests that pass and fail, and that tests are no part of the model.
#   nnc_test.sh NNC SOURCE
. "$(dirname "$0")/lib.sh"
nnc=$program
prints() { diff wanted out >&2 || fail "this is not what is printed"; }

cat >model.nn <<'END'
import std.lstm

dim H = 2
dim Long = 12
vocab Word
vocab Label(closed)
enum Tag { B, I, O }
data Tree = Leaf(tag: Tag) | Node(left: Tree, right: Tree)
data Pair = Pair(n: int, x: float)
param E: f32[Word, H] = normal(0.1)
param C: f32[Label, H]
param b: f32[H]
param s: f32
let cell = LSTM(H, H)
let stack = [LSTM(H, H) for i in 0..2]

fn depth(t: Tree) -> int { match t { Leaf(_) => 0, Node(l, r) => 1 + max(depth(l), depth(r)) } }
fn mirror(t: Tree) -> Tree { match t { Leaf(a) => Leaf(a), Node(l, r) => Node(mirror(r), mirror(l)) } }
fn loss(words: [Word]) -> f32 { sum([sum(E[w] + b) for w in words]) }
metric length(words: [Word]) { (len(words), 1) }
END
"$nnc" model.nn -o without.nnb
cp model.nn without.nn
cat >>model.nn <<'END'

test trees {
  expect depth(Leaf(B)) == 0
  let t = Node(Node(Leaf(B), Leaf(I)), Leaf(O))
  expect mirror(mirror(t)) == t
  expect mirror(t) != t
  expect depth(t) >= 2
  expect depth(t) < 3 && depth(t) > 1
  expect (1, [B]) == (1, [B])
  expect Pair(1, 0.5) == Pair(1, 0.5)
}

test weights {
  param cell.b = ones[4*H]
  param stack[1].W = ones[4*H, H] + 1
  param s = 0.5
  param b = 3 * b // with its initial value
  let next = cell.step(cell.start(), zeros[H])
  expect next.c == 0.5567699411 * ones[H] within 1e-9
  expect s == 0.5
  expect stack[1].W == 2 * ones[4*H, H]
  expect max(stack[0].W) < 2
}

test words {
  vocab Word { the, cat }
  param E = ones[Word, H]
  param b = zeros[H]
  expect loss([the, cat]) == 2 * H
  expect [the] != [cat]
  expect E[the] == E[cat]
  expect [int(w) for w in Word] == [0, 1, 2]
}

test sequence {
  var x = 1
  expect x == 1
  x = x + 1
  expect x == 2
  for i in 0..3 { x = x + i }
  expect x == 5
}

test nothing {}
END
"$nnc" model.nn -o with.nnb
cmp with.nnb without.nnb || fail "tests change the module"

cat >wanted <<'END'
ok      trees
ok      weights
ok      words
ok      sequence
ok      nothing
model.nn: 5 of 5 tests passed
END
status 0 test model.nn
silent err
prints
status 0 test model.nn --filter or
printf 'ok      words\nmodel.nn: 1 of 1 test passed\n' >wanted
prints
status 1 test model.nn --filter xyzzy
says out 'none of 5 tests has a name with `xyzzy` in it'
status 0 test without.nn
says out 'without.nn: no tests'
status 0 check model.nn
status 0 test -D H=3 model.nn

# Failures: where, and both values.
cat without.nn - >failing.nn <<'END'
test wrong {
  vocab Label { yes, no }
  expect 1 + 1 == 3
  expect 0.1 + 0.2 == 0.3
  expect [1, 2] == [1, 2, 3]
  expect depth(Leaf(B)) > 0
  expect false
  expect 0.5 * ones[H] == zeros[H]
  expect ones[Long] ==
    zeros[Long]
  expect ones[H, Long] == zeros[H, Long] within 0.5
  expect Node(Leaf(B), Leaf(O)) == Leaf(I)
  expect yes == no
  expect Pair(1, 0.5) == Pair(1, 1e-300)
  expect 1.0 / 0.0 == 0.0
  expect log(-ones[H]) == log(-ones[H])
  expect 100.0 == 101.0 within 0.01
  expect 100.0 == 102.0 within 0.01
  expect 1 != 1
}
test empty {
  var x = [1]
  expect pop(pop(x)) == x
}
test limits {
  while true {}
}
test passes { expect true }
END
cat >wanted <<'END'
FAILED  wrong
  failing.nn:23:3: expect 1 + 1 == 3
    left   2
    right  3
  failing.nn:24:3: expect 0.1 + 0.2 == 0.3
    left   0.30000000000000004
    right  0.3
  failing.nn:25:3: expect [1, 2] == [1, 2, 3]
    left   [1, 2]
    right  [1, 2, 3]
  failing.nn:26:3: expect depth(Leaf(B)) > 0
    left   0
    right  0
  failing.nn:27:3: expect false
    it is  false
  failing.nn:28:3: expect 0.5 * ones[H] == zeros[H]
    left   f32[2] [0.5, 0.5]
    right  f32[2] [0, 0]
  failing.nn:29:3: expect ones[Long] == ...
    left   f32[12] [1, 1, 1, ..., 1]
    right  f32[12] [0, 0, 0, ..., 0]
  failing.nn:31:3: expect ones[H, Long] == zeros[H, Long] within 0.5
    left   f32[2, 12] [[1, 1, 1, ..., 1], [1, 1, 1, ..., 1]]
    right  f32[2, 12] [[0, 0, 0, ..., 0], [0, 0, 0, ..., 0]]
  failing.nn:32:3: expect Node(Leaf(B), Leaf(O)) == Leaf(I)
    left   Node(left: Leaf(tag: B), right: Leaf(tag: O))
    right  Leaf(tag: I)
  failing.nn:33:3: expect yes == no
    left   yes
    right  no
  failing.nn:34:3: expect Pair(1, 0.5) == Pair(1, 1e-300)
    left   Pair(n: 1, x: 0.5)
    right  Pair(n: 1, x: 1e-300)
  failing.nn:35:3: expect 1.0 / 0.0 == 0.0
    left   inf
    right  0
  failing.nn:36:3: expect log(-ones[H]) == log(-ones[H])
    left   f32[2] [nan, nan]
    right  f32[2] [nan, nan]
  failing.nn:38:3: expect 100.0 == 102.0 within 0.01
    left   100
    right  102
  failing.nn:39:3: expect 1 != 1
    left   1
    right  1
FAILED  empty
  failing.nn:43:10: pop of an empty list
FAILED  limits
END
status 1 test failing.nn
head -n "$(wc -l <wanted)" out >begin
diff wanted begin >&2 || fail "this is not what is printed of failures"
says out '^  failing.nn:46:3: .*100000000 turns'
says out '^ok      passes$'
says out '^failing.nn: 1 of 4 tests passed$'

# A seed gives the initial values, ...
printf 'dim H = 3\nparam W: f32[H]\ntest drawn { expect W == zeros[H] }\n' >drawn.nn
# ... and what is drawn.
printf 'test noise { expect normal() == 0 }\n' >noise.nn
printf 'test numbers { expect (random(), sample([1.0 for _ in 0..1000])) == (0.0, 0) }\n' >numbers.nn
for file in drawn.nn noise.nn numbers.nn; do
  status 1 test $file
  cp out first
  status 1 test $file --seed 1
  cmp out first || fail "$file: the seed is not 1"
  status 1 test $file --seed 2
  cmp -s out first && fail "$file: --seed changes nothing"
done

# Imports of other folders.
mkdir other
printf 'fn two() -> int { 2 }\n' >other/part.nn
printf 'import part\ntest imported { expect part.two() == 2 }\n' >imports.nn
status 1 test imports.nn
status 0 test -I other imports.nn
says out '^ok      imported$'

# Files with errors, mistakes on the command line.
printf 'test wrong { expect 1 == true }\n' >bad.nn
status 1 test bad.nn model.nn
says err 'bad.nn:1:26'
says out '^model.nn: 5 of 5 tests passed$'
status 2 test
status 1 test missing.nn
status 2 test --seed x model.nn
status 2 test --weights x model.nn
says err '`nnrun run`'
status 0 test --help
says out '--filter'

# The tests of the examples.
status 0 test "$source"/examples/*/*.nn
says out '^ok '
