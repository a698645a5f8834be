//! Recognizes pixel shuffles: a Reshape, a Transpose and a Reshape that move blocks of rows and columns to channels
//! or back are ONNX's SpaceToDepth or DepthToSpace, which have channels before rows and columns.

use crate::ir::{Dim, DimExprs, Element, Module, OpId, OpName, ValueId, onnx};
use crate::ops::OpAttributes;

/// The element types for which ONNX Runtime has kernels of both ops.
const ELEMENTS: &[Element] = &[Element::F32, Element::F64];

/// The three ops as one.
#[derive(Clone)]
pub(super) struct Shuffle {
    /// The image.
    pub of: ValueId,
    /// The first two ops, which have no other users.
    pub inside: [OpId; 2],
    /// Whether channels are last instead of second.
    pub channels_last: bool,
    /// The op for an image with channels second.
    pub name: OpName,
    /// The block size in rows and columns.
    pub block: i64,
    /// The mode of DepthToSpace.
    pub mode: Option<&'static str>,
}

/// One way to print a shuffle.
struct ShufflePattern {
    channels_last: bool,
    name: OpName,
    mode: Option<&'static str>,
    /// Into how many dimensions the first Reshape splits each one.
    split: [usize; 4],
    /// The order of the Transpose.
    order: [usize; 6],
    /// From how many dimensions the second Reshape merges each one.
    merged: [usize; 4],
    /// The dimensions of a block between the Reshapes.
    block: [usize; 2],
}

const TO_SPACE: OpName = onnx::DEPTH_TO_SPACE;
const TO_DEPTH: OpName = onnx::SPACE_TO_DEPTH;

const FORMS: &[ShufflePattern] = &[
    ShufflePattern {
        channels_last: true,
        name: TO_SPACE,
        mode: Some("DCR"),
        split: [1, 1, 1, 3],
        order: [0, 1, 3, 2, 4, 5],
        merged: [1, 2, 2, 1],
        block: [3, 4],
    },
    ShufflePattern {
        channels_last: true,
        name: TO_SPACE,
        mode: Some("CRD"),
        split: [1, 1, 1, 3],
        order: [0, 1, 4, 2, 5, 3],
        merged: [1, 2, 2, 1],
        block: [4, 5],
    },
    ShufflePattern {
        channels_last: true,
        name: TO_DEPTH,
        mode: None,
        split: [1, 2, 2, 1],
        order: [0, 1, 3, 2, 4, 5],
        merged: [1, 1, 1, 3],
        block: [2, 4],
    },
    ShufflePattern {
        channels_last: false,
        name: TO_SPACE,
        mode: Some("DCR"),
        split: [1, 3, 1, 1],
        order: [0, 3, 4, 1, 5, 2],
        merged: [1, 1, 2, 2],
        block: [1, 2],
    },
    ShufflePattern {
        channels_last: false,
        name: TO_SPACE,
        mode: Some("CRD"),
        split: [1, 3, 1, 1],
        order: [0, 1, 4, 2, 5, 3],
        merged: [1, 1, 2, 2],
        block: [2, 3],
    },
    ShufflePattern {
        channels_last: false,
        name: TO_DEPTH,
        mode: None,
        split: [1, 1, 2, 2],
        order: [0, 3, 5, 1, 2, 4],
        merged: [1, 3, 1, 1],
        block: [3, 5],
    },
];

/// The shuffle that ends in an op. `uses` counts the uses of each value.
pub(super) fn shuffle(module: &Module, uses: &[u32], op: OpId) -> Option<Shuffle> {
    if module.op(op).name != onnx::RESHAPE {
        return None;
    }
    let before = |op: OpId, name: OpName| {
        let &operand = module.op(op).operands.first()?;
        let inner = module.defined_by(operand, name)?;
        (uses.get(operand.index()) == Some(&1)).then_some(inner)
    };
    let transpose = before(op, onnx::TRANSPOSE)?;
    let reshape = before(transpose, onnx::RESHAPE)?;
    let &of = module.op(reshape).operands.first()?;
    let result = |op: OpId| module.tensor(*module.op(op).results.first()?);
    let (from, parts, to) = (module.tensor(of)?, result(reshape)?, result(op)?);
    let moved = result(transpose)?;
    let order = OpAttributes::of(module, transpose).positions("perm").ok()?;
    let form = FORMS.iter().find(|form| {
        order == form.order
            && are_parts(&module.dim_exprs, &from.dims, &parts.dims, &form.split)
            && are_parts(&module.dim_exprs, &to.dims, &moved.dims, &form.merged)
            && parts.dims[form.block[0]] == parts.dims[form.block[1]]
    })?;
    let block = parts.dims[form.block[0]].known().filter(|&block| block > 1)?;
    let &ShufflePattern { channels_last, name, mode, .. } = form;
    let inside = [reshape, transpose];
    ELEMENTS.contains(&from.element).then_some(Shuffle { of, inside, channels_last, name, block, mode })
}

/// Whether each dimension is the product of this many parts.
fn are_parts(sizes: &DimExprs, dims: &[Dim], parts: &[Dim], counts: &[usize]) -> bool {
    let mut rest = parts;
    let mut each = dims.iter().zip(counts).map(|(&dim, &count)| {
        let (own, others) = rest.split_at_checked(count)?;
        rest = others;
        (dim != Dim::Dynamic && sizes.product(own.iter().copied()) == dim).then_some(())
    });
    dims.len() == counts.len()
        && each.all(|part| part.is_some())
        && parts.len() == counts.iter().sum::<usize>()
}
