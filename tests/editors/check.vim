" Opens the file in Vim and checks the highlight group of every keyword, number and comment outside comments.
" Called as: vim -es -u NONE --cmd 'let g:folder = ...' --cmd 'let g:keywords = ...' -S check.vim FILE
set nocompatible
exe 'set rtp^=' . fnameescape(g:folder)
filetype plugin on
syntax on
exe 'runtime ftdetect/nn.vim'
setfiletype nn
let s:groups = {}
for s:row in readfile(g:keywords)
  let s:found = matchlist(s:row, '^KEYWORD(\w\+, "\(\w\+\)", "\(\w*\)")')
  if !empty(s:found)
    let s:groups[s:found[1]] = s:found[2] =~# 'V' ? 'nnConstant' : s:found[2] =~# '[DM]' || s:found[1] ==# 'var' ? 'nnDeclaration' : 'nnControl'
  endif
endfor
let s:wrong = []
let s:checked = 0
for s:line in range(1, line('$'))
  " Texts have nothing in them that is coloured by itself.
  let s:text = substitute(getline(s:line), '"\%([^"\\]\|\\.\)*"', '\=repeat(" ", strlen(submatch(0)))', 'g')
  let s:end = match(s:text, '//')
  if s:end >= 0
    let s:checked += 1
    if synIDattr(synID(s:line, s:end + 1, 1), 'name') !=# 'nnComment'
      call add(s:wrong, s:line . ': comment')
    endif
  endif
  let s:at = 0
  while 1
    let [s:word, s:from, s:to] = matchstrpos(s:text, '\<\w\+\>', s:at)
    if s:from < 0 || (s:end >= 0 && s:from > s:end)
      break
    endif
    let s:want = s:word =~# '^\d\+$' ? 'nnNumber' : get(s:groups, s:word, '')
    if s:want !=# ''
      let s:checked += 1
      let s:got = synIDattr(synID(s:line, s:from + 1, 1), 'name')
      if s:got !=# s:want
        call add(s:wrong, s:line . ':' . (s:from + 1) . ': ' . s:word . ' is ' . s:got . ', should be ' . s:want)
      endif
    endif
    let s:at = s:to
  endwhile
endfor
if &commentstring !=# '// %s'
  call add(s:wrong, 'the file type plugin did not run')
endif
call writefile(s:wrong + [s:checked . ' checked'], g:report)
if empty(s:wrong) && s:checked > 0
  qall!
endif
cquit!
