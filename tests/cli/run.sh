#!/bin/sh
# `nnrun run`: values of every type as they can be typed, what is printed, and what is said of values that do not parse.
#   run.sh NNRUN SOURCE
. "$(dirname "$0")/lib.sh"

cat >model.nn <<'END'
dim H = 12
enum Tag { B, I, O }
data Tree = Leaf(tag: Tag, n: int) | Node(left: Tree, right: Tree)
data Many = Many(tag: Tag, parts: [Many]) | One(tag: Tag, n: int)
data Point = Point(x: float, y: float)
data Maybe = Nothing | Just(n: int)

fn int_of(n: int) -> int { n }
fn float_of(x: float) -> float { x }
fn bool_of(b: bool) -> bool { b }
fn tag_of(t: Tag) -> Tag { t }
fn tags_of(ts: [Tag]) -> [Tag] { ts }
fn numbers_of(xs: [float]) -> [float] { xs }
fn rows_of(xss: [[int]]) -> [[int]] { xss }
fn pair_of(p: (int, Tag)) -> (int, Tag) { p }
fn tree_of(t: Tree) -> Tree { t }
fn many_of(m: Many) -> Many { m }
fn point_of(p: Point) -> Point { p }
fn maybe_of(m: Maybe) -> Maybe { m }
fn vector_of(v: f32[3]) -> f32[3] { v }
fn matrix_of(m: f32[2, 3]) -> f32[2, 3] { m }
fn several(t: Tree, n: int, ts: [Tag]) -> int { n + len(ts) }
fn nothing() -> int { 42 }
fn tensors(x: float) -> (f32, f32[H], f32[2, H]) { (0.5 * x, x * ones[H], x * ones[2, H]) }
fn quotient(a: int, b: int) -> int { a / b }
fn logarithm(x: float) -> f32 { sum(log(x * ones[H])) }
fn text_of(s: text) -> text { s }
fn texts_of(ss: [text]) -> [text] { ss }
fn word_of(w: Word) -> Word { w }
data Word = Word(form: text, tag: Tag)
END
"$nnrun" info model.nn >info || fail "no model"

# gives ENTRY WANTED VALUE...: the last line that is printed, behind the type; `same` wants it of the value, too.
gives() {
  entry=$1 wanted_text=$2
  shift 2
  status 0 run model.nn --entry "$entry" "$@"
  last=$(tail -n 1 out)
  case $last in
  "$entry: "*" = $wanted_text") ;;
  *) fail "$entry $*: $last" ;;
  esac
}
gives int_of 3 3
gives int_of -3 -- -3
gives int_of 9223372036854775807 9223372036854775807
gives float_of 0.5 0.5
gives float_of 1e-300 1e-300
gives bool_of true true
gives tag_of I I
gives tag_of I '"I"'
gives tags_of '[B, O]' 'B O'
gives tags_of '[B, O]' '["B", "O"]'
gives tags_of '[]' ''
gives tags_of '[]' '[]'
gives numbers_of '[0.5, 1, -2]' '0.5 1 -2'
gives numbers_of '[0.5, 1, -2]' '[0.5, 1, -2]'
gives rows_of '[[1, 2], []]' '[[1, 2], []]'
gives pair_of '(1, B)' '[1, "B"]'
gives tree_of 'Node(left: Leaf(tag: B, n: 1), right: Leaf(tag: O, n: 2))' '((B 1) (O 2))'
gives tree_of 'Leaf(tag: B, n: 1)' '{"Leaf": {"tag": "B", "n": 1}}'
gives many_of 'Many(tag: B, parts: [One(tag: I, n: 1), One(tag: O, n: 2)])' '(B (I 1) (O 2))'
gives many_of 'Many(tag: B, parts: [One(tag: I, n: 1), One(tag: O, n: 2)])' '(B (I 1)
  (O 2))'
gives point_of 'Point(x: 1, y: 2.5)' '{"x": 1, "y": 2.5}'
gives point_of 'Point(x: 1, y: 2.5)' '[1, 2.5]'
gives vector_of 'f32[3] [0.5, 1, 2]' '0.5 1 2'
says_text out 'v: f32[3] = f32[3] [0.5, 1, 2]'
gives vector_of 'f32[3] [0.5, 1, 2]' '[0.5, 1, 2]'
gives matrix_of 'f32[2, 3] [[1, 2, 3], [4, 5, 6]]' '[[1, 2, 3], [4, 5, 6]]'
gives maybe_of Nothing '"Nothing"'
gives maybe_of 'Just(n: 3)' '{"Just":
  {"n": 3}}'
gives several 5 '((B 1) (O 2))' 3 'B I'
printf 't: Tree = Node(left: Leaf(tag: B, n: 1), right: Leaf(tag: O, n: 2))\nn: int = 3\nts: [Tag] = [B, I]\nseveral: int = 5\n' >wanted
cmp wanted out || fail "arguments are not shown as they were read"
gives nothing 42
gives tensors '(0.25, f32[12] [0.5, 0.5, 0.5, ..., 0.5], f32[2, 12] [[0.5, 0.5, 0.5, ..., 0.5], [0.5, 0.5, 0.5, ..., 0.5]])' 0.5
status 0 run model.nn --entry tensors 0.5 --full
grep -q '\.\.\.' out && fail "--full leaves elements out"
status 0 run model.nn --entry several --json '((B 1) (O 2))' 3 'B I'
[ "$(cat out)" = 5 ] || fail "--json prints more than the result"
status 0 run model.nn --entry tensors --precision f64 0.1
says_text out '(0.05, '

# refuses ENTRY MESSAGE VALUE...
refuses() {
  entry=$1 message=$2
  shift 2
  status 1 run model.nn --entry "$entry" "$@"
  says_text err "nnrun: $message"
  [ ! -s out ] || fail "something is printed although $entry was refused"
}
refuses int_of '`n: int`, column 1: ' x
refuses int_of '`n: int`, column 1: ' 1.5
refuses int_of '`n: int`: expected a value, found nothing' ''
refuses bool_of '`b: bool`, column 1: ' maybe
refuses tag_of '`t: Tag`, column 1: `X` is no member of enum Tag' X
refuses tags_of '`ts: [Tag]`, column 5: `X` is no member of enum Tag' 'B I X'
refuses tags_of '`ts: [Tag]`, column 7: ' '["B", "X"]'
refuses rows_of '`xss: [[int]]`, column 6: ' '[[1, x]]'
refuses rows_of '`xss: [[int]]`, line 2, column 2: ' '[[1,
 true]]'
refuses rows_of '`xss: [[int]]`: expected one value, found more behind it' '[[1]], "more": 2'
refuses tree_of '`t: Tree`, column 9: `X` is no member of enum Tag' '((B 1) (X 2))'
refuses tree_of '`t: Tree`, column 1: this bracket is never closed' '((B 1) (O 2)'
refuses tree_of '`t: Tree`, column 1: ' '["B"]'
refuses point_of '`p: Point(x: float, y: float)`, column 1: at `p`: lacks the field y' '{"x": 1}'
refuses vector_of '`v: f32[3]`, column ' '[1, 2]'
refuses vector_of '`v: f32[3]`, column ' '1 2'
refuses int_of '`int_of` takes 1 value (n: int), and 0 are given'
refuses several '`several` takes 3 values (t: Tree, n: int, ts: [Tag]), and 1 is given' '((B 1) (O 2))'
refuses nothing '`nothing` takes 0 values, and 1 is given' 3
refuses unknown 'model.nn has no entry `unknown`; it has `int_of`' 3
status 1 run model.nn 3
says_text err 'has no entry `predict`'
status 2 run
says_text err 'which model?'
status 2 run model.nn --data x 3
says_text err '--data is an option of'
status 1 run model.nn --entry quotient 1 0
says_text err 'model.nn:25:40: division by zero'
says_text out 'b: int = 0'
status 1 run model.nn --entry logarithm -- -1
says_text out 'logarithm: f32 = nan'
says_text err '`logarithm` is nan: `log` of -1'

# What is drawn, with each seed something else.
printf 'dim H = 4\nfn noise(n: int) -> (f32[H], float, int) { (normal[H], random(), sample([1.0 for _ in 0..n])) }\n' >noise.nn
for seed in 1 1 2; do
  status 0 run noise.nn --entry noise 1000000 --seed $seed
  cat out >>noises
done
[ "$(grep '^noise' noises | sort | uniq -c | awk '{ print $1 }' | sort | tr '\n' ' ')" = "1 2 " ] || fail "seeds and draws"

# A trained model: as `predict` does it, with words that training did not see.
cp "$source"/examples/treelstm/treelstm.nn .
"$nnrun" train treelstm.nn --data "$source"/examples/treelstm/train.txt --epochs 1 --limit 200 --save tree.safetensors --quiet 2>log ||
  { cat log >&2; fail "no training"; }
head -n 3 "$source"/examples/treelstm/new.txt >three.txt
"$nnrun" predict treelstm.nn --weights tree.safetensors --data three.txt --entry state | sed 's/^{"line": [0-9]*, "state": \(.*\)}$/\1/' >predicted
while IFS= read -r tree; do
  "$nnrun" run treelstm.nn --weights tree.safetensors --entry state --json "$tree"
done <three.txt >typed
cmp predicted typed || fail "run and predict give different results"
status 0 run treelstm.nn --weights tree.safetensors '(2 unheard-of)'
says_text out 't: Tree = Leaf(label: 2, word: <unk>)'
status 1 run treelstm.nn --weights tree.safetensors '(9 good)'
says_text err '`t: Tree`, column 2: `9` is not in the closed vocabulary Label'
status 1 run treelstm.nn '(2 good)'
says_text err '--weights'
status 0 run --help
says_text out '--full'

# Texts: as they are, or in quotation marks; a record from one string. Control characters reach no terminal.
gives text_of '"a \"b\" é"' 'a "b" é'
gives text_of '"a\n\u001b"' '"a\n\u001b"'
gives texts_of '["x", "y"]' 'x y'
gives texts_of '["x y", ""]' '["x y", ""]'
gives word_of 'Word(form: "B", tag: B)' B
gives word_of 'Word(form: "b", tag: B)' '{"form": "b", "tag": "B"}'
status 1 run model.nn --entry word_of 'Q'
says_text err '`Q` is no member of enum Tag'
status 0 run model.nn --entry text_of --json '"a\n\u001b"'
says_text out '"a\u000a\u001b"'

# Each example of a minibatch keeps the text that it made.
cat >exclaim.nn <<'END'
param w: f32
fn loss(s: text) -> f32 { w * len(s) }
fn predict(s: text) -> text { s + "!" }
END
printf 'one\ntwo\nthree\n' >three.txt
status 0 train exclaim.nn --data three.txt --epochs 1 --save exclaim.safetensors --quiet
status 0 predict exclaim.nn --weights exclaim.safetensors --data three.txt
says_text out '"one!"'
says_text out '"two!"'
says_text out '"three!"'
