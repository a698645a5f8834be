" Colors for MLIR and StableHLO before, or without, those of the language server.

if exists("b:current_syntax")
  finish
endif

" Lines of constants may have millions of characters.
setlocal synmaxcol=2000
" The names of ops have dots, which are no letters here.
syntax iskeyword @,48-57,192-255,_,$

syntax match mlirKeyword "\<\h[A-Za-z0-9_$]*\>"
syntax match mlirOp "\<\h[A-Za-z0-9_$]*\%(\.\h[A-Za-z0-9_$]*\)\+\>"
syntax match mlirProperty "\<\h[A-Za-z0-9_$.]*\ze\s*=[^=]"
syntax match mlirNumber "\%(\<\|-\)\d\+\%(\.\d*\)\?\%([eE][-+]\?\d\+\)\?"
syntax match mlirNumber "\<0x\x\+\>"
syntax match mlirType "\<\%(tensor\|memref\|vector\|complex\|tuple\)\ze<"
syntax match mlirType "\<\%([su]\?i\d\+\|b\?f\d\+\%(E\w\+\)\?\|index\|none\)\>"
syntax match mlirType "\%(\<\d\+x\|[?*]x\)\%(\d\+x\|?x\)*\%([su]\?i\d\+\|b\?f\d\+\w*\|index\)\?"
syntax match mlirType "![A-Za-z0-9_$.]\+"
syntax keyword mlirConstant true false unit
syntax match mlirValue "%[A-Za-z0-9_$.-]\+\%(#\d\+\)\?"
syntax match mlirSymbol "@\%(\h[A-Za-z0-9_$.]*\|\"[^\"]*\"\)"
syntax match mlirAttribute "#[A-Za-z0-9_$]\+\%([.-][A-Za-z0-9_$]\+\)*"
syntax match mlirBlock "\^[A-Za-z0-9_$.-]\+"
syntax region mlirString start=+"+ skip=+\\"+ end=+"+ oneline
" After strings, since the last match wins.
syntax match mlirGenericOp "\"\h[A-Za-z0-9_$]*\%(\.\h[A-Za-z0-9_$]*\)\+\"\ze\s*("
syntax match mlirComment "//.*$" contains=@Spell

highlight default link mlirAttribute Macro
highlight default link mlirBlock Label
highlight default link mlirComment Comment
highlight default link mlirConstant Boolean
highlight default link mlirGenericOp Keyword
highlight default link mlirKeyword Keyword
highlight default link mlirNumber Number
highlight default link mlirOp Keyword
highlight default link mlirProperty Identifier
highlight default link mlirString String
highlight default link mlirSymbol Function
highlight default link mlirType Type
highlight default link mlirValue Identifier

let b:current_syntax = "mlir"
