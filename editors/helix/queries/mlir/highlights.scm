; The colors of MLIR and StableHLO, for the grammar felixtensor/tree-sitter-mlir.

(comment) @comment.line

["(" ")" "{" "}" "[" "]" "<" ">"] @punctuation.bracket
["," ":"] @punctuation.delimiter
["=" "->"] @operator

(module_operation name: _ @keyword)
(func_operation name: _ @keyword.function)
(func_operation visibility: _ @keyword.storage.modifier)
["attributes" "loc"] @keyword
((custom_op_name) @keyword.operator (#not-match? @keyword.operator "(^|[.])return$"))
((custom_op_name) @keyword.control.return (#match? @keyword.control.return "(^|[.])return$"))
(generic_operation (string_literal) @keyword.operator)
(custom_operation (bare_id) @keyword)

(symbol_ref_id) @function
(caret_id) @label
[(op_result) (value_use)] @variable

[(builtin_type) (tensor_type) (integer_type) (float_type) (complex_type) (tuple_type) (index_type) (none_type)] @type.builtin
[(dialect_type) (type_alias) (type_alias_def)] @type
(dimension_size) @constant.numeric.integer

[(dialect_attribute) (attribute_alias) (attribute_alias_def)] @attribute
(attribute_entry (bare_id) @variable.other.member)

(integer_literal) @constant.numeric.integer
(float_literal) @constant.numeric.float
(bool_literal) @constant.builtin.boolean
(unit_literal) @constant.builtin
; Not any string: that of a generic op is its name, and either the first or the last match wins, by release.
(attribute_value (string_literal) @string)
(custom_operation (string_literal) @string)
(location (string_literal) @string)
(pretty_dialect_item_body (string_literal) @string)
(tensor_literal (string_literal) @string)
(escape_sequence) @constant.character.escape
