(module_operation (symbol_ref_id) @name) @item
(func_operation (symbol_ref_id) @name) @item
