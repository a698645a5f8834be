; The colors of MLIR and StableHLO, for the grammar felixtensor/tree-sitter-mlir.

(comment) @comment

["(" ")" "{" "}" "[" "]" "<" ">"] @punctuation.bracket
["," ":"] @punctuation.delimiter
["=" "->"] @operator

(custom_operation (bare_id) @keyword)
(custom_op_name) @function
((custom_op_name) @keyword (#match? @keyword "(^|[.])return$"))
(module_operation name: _ @keyword)
(func_operation name: _ @keyword)
(func_operation visibility: _ @keyword)
["attributes" "loc"] @keyword

(symbol_ref_id) @string.special.symbol
(caret_id) @label
[(op_result) (value_use)] @variable

[(builtin_type) (dialect_type) (type_alias) (type_alias_def)] @type
[(tensor_type) (integer_type) (float_type) (complex_type) (tuple_type) (index_type) (none_type)] @type
(dimension_size) @number

[(dialect_attribute) (attribute_alias) (attribute_alias_def)] @attribute
(attribute_entry (bare_id) @property)

[(integer_literal) (float_literal)] @number
(bool_literal) @boolean
(unit_literal) @constant
(string_literal) @string
; The name of an op. The last match wins.
(generic_operation (string_literal) @function)
(escape_sequence) @string.escape
