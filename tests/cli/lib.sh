# Shared by the tests of nnrun and nnc: source it with the program and SOURCE as $1 and $2. Runs in an empty folder with
# a cache of compiled code of its own.
set -eu
program=$1 nnrun=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
NN_CACHE_DIR=$work/cache
export NN_CACHE_DIR
unset NN_STDLIB
examples=$source/examples

fail() {
  echo "$(basename "$0"): $1" >&2
  exit 1
}
# status WANTED ARGUMENTS...: runs the program and compares the exit status; output goes to the files out and err.
status() {
  wanted=$1
  shift
  got=0
  "$program" "$@" >out 2>err </dev/null || got=$?
  [ "$got" -eq "$wanted" ] || {
    cat err >&2
    fail "exit status $got, not $wanted, of: $(basename "$program") $*"
  }
}
# says FILE PATTERN...: each basic regular expression matches a line of the file.
says() {
  file=$1
  shift
  for pattern in "$@"; do
    grep -q -- "$pattern" "$file" || {
      cat "$file" >&2
      fail "$file does not say: $pattern"
    }
  done
}
# says_text FILE TEXT: the text stands in a line of the file.
says_text() { grep -qF -- "$2" "$1" || { cat "$1" >&2; fail "$1 does not say: $2"; }; }
silent() { [ ! -s "$1" ] || { cat "$1" >&2; fail "$1 is not empty"; }; }
# refuses STATUS PATTERN ARGUMENTS...: the program fails with that status, says why on standard error, and prints nothing.
refuses() {
  refuses_status=$1 pattern=$2
  shift 2
  status "$refuses_status" "$@"
  says err "$pattern"
  silent out
}
