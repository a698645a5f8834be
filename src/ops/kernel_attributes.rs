//! The attributes that place the kernel of a convolution or pool over its input.
//!
//! ONNX has defaults for them, but several runtimes require them, so all are written.

use crate::ir::OpBuilder;

/// The padding of a convolution or pool.
pub(super) enum Pads {
    /// The numbers of elements before each spatial dimension, then after each.
    Numbers(Vec<i64>),
    /// The `auto_pad` of symbolic padding, which numbers cannot state.
    Auto(&'static str),
}

/// How a convolution or pool moves its kernel: one number per spatial dimension.
pub(super) struct KernelAttributes {
    pub(super) kernel_shape: Vec<i64>,
    pub(super) strides: Vec<i64>,
    /// `None` if the op does not have the attribute in the opset.
    pub(super) dilations: Option<Vec<i64>>,
    pub(super) pads: Pads,
}

impl KernelAttributes {
    /// Writes the attributes.
    pub(super) fn write(self, node: OpBuilder<'_>) -> OpBuilder<'_> {
        let node = node.ints("kernel_shape", &self.kernel_shape).ints("strides", &self.strides);
        let node = match &self.dilations {
            Some(dilations) => node.ints("dilations", dilations),
            None => node,
        };
        match &self.pads {
            Pads::Numbers(pads) => node.ints("pads", pads),
            Pads::Auto(mode) => node.string("auto_pad", mode),
        }
    }
}
