#!/bin/sh
# The editors' grammars: usage run.sh generated|textmate|vim SOURCE-FOLDER WORK-FOLDER GENERATOR. Exit 77: skipped.
set -eu
what=$1 source=$2 work=$3
mkdir -p "$work"
files=$(find "$source/examples" "$source/stdlib" -name '*.nn' | sort)
case "$what" in
  generated)
    mkdir -p "$work/vscode/syntaxes" "$work/vim/syntax"
    "$4" "$work"
    for file in vscode/syntaxes/nn.tmLanguage.json vim/syntax/nn.vim; do
      diff "$source/grammar/editors/$file" "$work/$file" || {
        echo "grammar/editors/$file is not what the tables say; run: cmake --build build --target editors"
        exit 1
      }
    done
    ;;
  textmate)
    command -v node >/dev/null && command -v npm >/dev/null || exit 77
    if [ ! -d "$work/node_modules/vscode-textmate" ]; then
      npm install --silent --no-audit --no-fund --prefix "$work" vscode-textmate@9 vscode-oniguruma@2 >"$work/npm.log" 2>&1 || exit 77
    fi
    # shellcheck disable=SC2086
    node "$source/tests/editors/textmate.mjs" "$work" "$source/grammar/editors/vscode/syntaxes/nn.tmLanguage.json" \
      "$source/compiler/syntax/keywords.def" $files
    ;;
  vim)
    vim --version 2>/dev/null | grep -q '+syntax' || exit 77
    failed=0
    for file in $files; do
      vim -es -u NONE -i NONE -n --cmd "let g:folder = '$source/grammar/editors/vim'" \
        --cmd "let g:keywords = '$source/compiler/syntax/keywords.def'" --cmd "let g:report = '$work/report'" \
        -S "$source/tests/editors/check.vim" "$file" </dev/null || { echo "$file"; cat "$work/report"; failed=1; }
    done
    exit $failed
    ;;
esac
