//! Finds products and what follows them.

use crate::ir::{Module, OpId, ValueId, onnx};

/// The product and the bias that an Add has as operands, if the bias has one dimension, that of the columns.
pub(super) fn product_and_bias(module: &Module, add: OpId) -> Option<[ValueId; 2]> {
    let operation = module.op(add);
    let (&[x, y], &[result]) = (&operation.operands[..], &operation.results[..]) else { return None };
    if operation.name != onnx::ADD {
        return None;
    }
    let columns = module.tensor(result)?.dims.last();
    [[x, y], [y, x]].into_iter().find(|&[product, bias]| {
        module.defined_by(product, onnx::MAT_MUL).is_some()
            && module.value_type(product) == module.value_type(result)
            && module.tensor(bias).is_some_and(|ty| ty.rank() == 1 && ty.dims.last() == columns)
    })
}
