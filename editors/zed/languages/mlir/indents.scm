(region "}" @end) @indent
