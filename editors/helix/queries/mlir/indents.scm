(region) @indent
"}" @outdent
