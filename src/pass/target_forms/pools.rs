//! Pools of volumes as pools of planes and of columns.

use super::windows::reshaped;
use super::{operand, result};
use crate::ir::{Attributes, Element, Module, OpId, Rewriter, TensorType, ValueId, onnx};
use crate::ops::OpAttributes;

/// The sizes of an operand or result, if all are known.
fn sizes(tensor: Option<&TensorType>) -> Option<Vec<i64>> {
    tensor?.dims.iter().map(|dim| dim.known()).collect()
}

/// What a pool reads.
struct Windows {
    kernel: Vec<i64>,
    strides: Vec<i64>,
    pads: Vec<i64>,
}

impl Windows {
    /// Those of a pool over three dimensions, if the pools over two of them and over the third compute the same.
    fn of(module: &Module, op: OpId) -> Option<Self> {
        let attributes = OpAttributes::of(module, op);
        let list = |name: &'static str, default: Vec<i64>| {
            if module.attribute(op, name).is_some() { attributes.integers(name).ok() } else { Some(default) }
        };
        let is_default = |name: &'static str| attributes.integer_or(name, 0).ok() == Some(0);
        let (own, wanted) = (sizes(operand(module, op, 0))?, sizes(result(module, op))?);
        let plain = own.len() == 5
            && wanted.len() == 5
            && module.op(op).results.len() == 1
            && module.attribute(op, "auto_pad").is_none()
            && is_default("ceil_mode")
            && list("dilations", vec![1; 3])?.iter().all(|&by| by == 1);
        let windows = Self {
            kernel: list("kernel_shape", Vec::new())?,
            strides: list("strides", vec![1; 3])?,
            pads: list("pads", vec![0; 6])?,
        };
        // The average of averages counts padding as elements, or there is none.
        let averages = module.op(op).name == onnx::AVERAGE_POOL;
        let counts = attributes.integer_or("count_include_pad", 0).ok() == Some(1);
        let agrees = !averages || counts || windows.pads.iter().all(|&pad| pad == 0);
        (plain && agrees && windows.kernel.len() == 3).then_some(windows)
    }
}

pub(super) fn is_of_volumes(module: &Module, op: OpId) -> bool {
    Windows::of(module, op).is_some()
}

/// Pools the planes, with the depth in the batch, and then the columns of each plane.
pub(super) fn pool_twice(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let module = &*rewriter.module;
    let Windows { kernel, strides, pads } = Windows::of(module, op)?;
    let (own, wanted) = (sizes(operand(module, op, 0))?, sizes(result(module, op))?);
    let element = operand(module, op, 0)?.element;
    let (name, value) = (module.op(op).name, module.op(op).operands[0]);
    let result = module.op(op).results[0];
    let dropped = ["kernel_shape", "strides", "pads", "dilations"];
    let dropped = dropped.map(|name| rewriter.module.symbols.intern(name));
    let mut kept = rewriter.module.op(op).attributes.clone();
    kept.retain(|(name, _)| !dropped.contains(name));
    let [batch, channels, depth, rows, columns] = own[..] else { return None };
    let [_, _, out_depth, out_rows, out_columns] = wanted[..] else { return None };
    let pool = |rewriter: &mut Rewriter, value: ValueId, from: [i64; 4], to: [i64; 4], windows: Windows| {
        pool_planes(rewriter, value, (name, element, &kept), from, to, &windows)
    };
    let planes = pool(
        rewriter,
        value,
        [batch * channels, depth, rows, columns],
        [batch * channels, depth, out_rows, out_columns],
        Windows {
            kernel: kernel[1..].to_vec(),
            strides: strides[1..].to_vec(),
            pads: vec![pads[1], pads[2], pads[4], pads[5]],
        },
    );
    let columns = pool(
        rewriter,
        planes,
        [batch, channels, depth, out_rows * out_columns],
        [batch, channels, out_depth, out_rows * out_columns],
        Windows {
            kernel: vec![kernel[0], 1],
            strides: vec![strides[0], 1],
            pads: vec![pads[0], 0, pads[3], 0],
        },
    );
    let shape = rewriter.integers(&wanted);
    Some(rewriter.create(onnx::RESHAPE, &[columns, shape]).like(result))
}

/// A pool of a value with other sizes.
fn pool_planes(
    rewriter: &mut Rewriter,
    value: ValueId,
    (name, element, kept): (crate::ir::OpName, Element, &Attributes),
    from: [i64; 4],
    to: [i64; 4],
    windows: &Windows,
) -> ValueId {
    let planes = reshaped(rewriter, value, element, &from);
    let node = rewriter.create(name, &[planes]).attributes(kept.clone());
    let node = node.ints("kernel_shape", &windows.kernel).ints("strides", &windows.strides);
    node.ints("pads", &windows.pads).out(element, &to)
}
