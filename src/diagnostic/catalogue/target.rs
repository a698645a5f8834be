//! E03xx: limits of the target.

use super::{did_you_mean, remedies};
use crate::source::Span;

diagnostics! {
    /// An op needs a newer opset than `--opset` allows.
    ///
    /// Without the option the opset is raised by itself to what the ops need. The option is binding.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xi32> {
    ///   %0 = stablehlo.bitcast_convert %x : (tensor<4xf32>) -> tensor<4xi32>
    ///   return %0 : tensor<4xi32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --opset 23
    /// ```
    ///
    /// What to do: leave the option out, or give the opset that the message names, when the runtime can read it.
    ///
    /// Mended:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --opset 26
    /// ```
    E0301 OpsetTooLow<'a> { op: &'a str, needs: u32, given: u32, at: Span }
        => "`{op}` needs opset {needs}, and `--opset {given}` was given"
        group "{op}"
        label at "needs opset {needs}"
        note { remedies::opset_reason(op) }
        help "leave `--opset` out, or give `--opset {needs}`";

    /// The opset is not one that the compiler writes.
    ///
    /// Opsets below 18 lack the ops that the lowerings are made of; above the highest, no released runtime reads the
    /// model.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --opset 17
    /// ```
    ///
    /// What to do: give an opset in the range, or leave `--opset` out.
    ///
    /// Mended:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir
    /// ```
    E0302 OpsetOutOfRange { given: u32, lowest: u32, highest: u32 }
        => "opset {given} is not supported, only {lowest} to {highest}"
        help "leave `--opset` out to get what the ops need";

    /// A dimension that the program does not have was given a size.
    ///
    /// `--dim NAME=SIZE` makes a symbolic dimension of a `jax.export` with shape polymorphism a number. The names are
    /// those that the Python code gave to `jax.export.symbolic_shape`; a program that was lowered with concrete shapes
    /// has none.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --dim batch=8
    /// ```
    ///
    /// What to do: give a name that the program has, or leave the option out.
    ///
    /// Mended:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir
    /// ```
    E0303 UnknownDimension<'a> { name: &'a str, nearest: Option<&'a str> }
        => "there is no symbolic dimension `{name}`"
        help { did_you_mean(nearest).or_else(|| Some("only dimensions that `jax.export` left symbolic have names".into())) };

    /// The program has more ops than the limit.
    ///
    /// A call stands for all ops of its function, so that a short text of functions that call each other can stand for
    /// more ops than a machine can hold. They are counted before calls are replaced by what they stand for. The limit
    /// is 10,000,000 ops, far above what JAX prints for the largest models: a layer takes about a hundred.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<f32>) -> tensor<f32> {
    ///   %0 = call @f1(%x) : (tensor<f32>) -> tensor<f32>
    ///   return %0 : tensor<f32>
    /// }
    /// func.func private @f1(%x: tensor<f32>) -> tensor<f32> {
    ///   %0 = call @f2(%x) : (tensor<f32>) -> tensor<f32>
    ///   %1 = call @f2(%0) : (tensor<f32>) -> tensor<f32>
    ///   return %1 : tensor<f32>
    /// }
    /// func.func private @f2(%x: tensor<f32>) -> tensor<f32> {
    ///   %0 = stablehlo.sine %x : tensor<f32>
    ///   %1 = stablehlo.sine %0 : tensor<f32>
    ///   return %1 : tensor<f32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --max-ops 3
    /// ```
    ///
    /// What to do: when the program is meant to be that large, raise the limit with `--max-ops N`. Otherwise let
    /// `jax.lax.scan` repeat what is repeated.
    ///
    /// Mended:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir
    /// ```
    E0304 TooManyOps<'a> { count: &'a str, limit: u64, function: &'a str, at: Span }
        => "`{function}` stands for {count} ops, and the limit is {limit}"
        label at "with the functions that it calls"
        help "raise the limit with `--max-ops N`, or repeat with `jax.lax.scan`";
}
