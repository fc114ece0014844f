" Syntax of .nn files. Written by grammar/editors/generate.c; do not edit.
if exists("b:current_syntax")
  finish
endif

syn keyword nnControl if else match for in while expect return break continue
syn keyword nnDeclaration import dim vocab enum data param layer fn memo metric test let var
syn keyword nnConstant true false
syn keyword nnPrimitive f32 int bool float
syn match nnOperation /\<\%(len\|push\|pop\|last\|reversed\|zip\|sum\|mean\|max\|min\|argmax\|argmin\|text\|chars\|split\|join\|find_text\|lower\|upper\|nfc\|nfd\|nfkc\|nfkd\|is_unknown\|print\|assert\|float\|int\|abs\|tensor\|sum_batches\|mean_batches\|moment_batches\|std_batches\|concat_to_batch\|pick_batch\|to_batch\|value\|values\|topk\|argsort\|random\|sample\|normal\|uniform\|gumbel\|gumbel_like\|bernoulli\|broadcast\|reshape\|permute\|exp\|log\|log1p\|expm1\|sqrt\|square\|tanh\|sigmoid\|erf\|erfc\|relu\|dropout\|stop_gradient\|dot\|logsumexp\|pick\|nll\|softmax\|log_softmax\|normal_like\|uniform_like\|concat\|slice\|transpose\|lookup\|zeros\|ones\)\>\ze\s*[(\[]/
syn match nnType /\<[A-Z]\w*\>/
syn match nnNumber /\<\d[0-9_]*\%(\.\%(\.\)\@!\d*\)\?\%([eE][+-]\?\d\+\)\?/
syn match nnFunction /\%(\<\%(fn\|metric\)\s\+\)\@<=\h\w*/
syn match nnImportAs /\%(^\s*import\s.*\)\@<=\<as\>/
syn match nnOperator /=>\|->\|==\|!=\|<=\|>=\|&&\|||\|\.\.\|[-+*\/%@<>=!|]/
syn match nnComment /\/\/.*$/ contains=@Spell
syn region nnText start=/"/ skip=/\\./ end=/"/ oneline contains=@Spell

hi def link nnControl Conditional
hi def link nnDeclaration Keyword
hi def link nnConstant Boolean
hi def link nnPrimitive Type
hi def link nnOperation Function
hi def link nnType Type
hi def link nnNumber Number
hi def link nnFunction Identifier
hi def link nnOperator Operator
hi def link nnImportAs Keyword
hi def link nnComment Comment
hi def link nnText String

let b:current_syntax = "nn"
