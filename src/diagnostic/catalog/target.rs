//! E03xx: limits of the target.

use super::{did_you_mean, remedies};
use crate::source::Span;

diagnostics! {
    /// An op or an element type needs a newer opset than `--opset` allows.
    ///
    /// Without the option, the opset is raised to what the ops need; with it, the opset is fixed. 8-bit floats came
    /// with opset 19, 4-bit integers with opset 21.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf8E4M3FN> {
    ///   %0 = stablehlo.convert %x : (tensor<4xf32>) -> tensor<4xf8E4M3FN>
    ///   return %0 : tensor<4xf8E4M3FN>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --opset 18
    /// ```
    ///
    /// What to do: omit the option, or pass the opset that the message names if the runtime can read it.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --opset 19
    /// ```
    E0301 OpsetTooLow<'a> { op: &'a str, needs: u32, given: u32, at: Span }
        => "`{op}` needs opset {needs}, but `--opset {given}` was passed"
        group "{op}"
        label at "needs opset {needs}"
        note { remedies::opset_reason(op) }
        help "omit `--opset`, or pass `--opset {needs}`";

    /// The compiler does not write this opset, or the target does not read it.
    ///
    /// Opsets below 15 lack ops that most programs need. The compiler does not write the ops of opsets above the highest. A
    /// target reads opsets up to its own highest one, which `hlo2onnx targets` lists.
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
    /// $ hlo2onnx convert model.mlir --opset 14
    /// ```
    ///
    /// What to do: pass an opset in the range, or omit `--opset`.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir
    /// ```
    E0302 OpsetOutOfRange<'a> { given: u32, lowest: u32, highest: u32, target: Option<&'a str> }
        => "opset {given} is not supported; use {lowest} to {highest}"
        note { target.map(|target| format!("models for `{target}` have opsets up to {highest}")) }
        help "omit `--opset` to use the opset that the ops need";

    /// `--dim` names a dimension that the program does not have.
    ///
    /// `--dim NAME=SIZE` replaces a symbolic dimension of a `jax.export` with shape polymorphism by a number. The names
    /// are those that the Python code passed to `jax.export.symbolic_shape`; a program that was lowered with concrete
    /// shapes does not have any.
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
    /// What to do: use a name that the program has, or omit the option.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir
    /// ```
    E0303 UnknownDimension<'a> { name: &'a str, nearest: Option<&'a str> }
        => "the program has no symbolic dimension `{name}`"
        help { did_you_mean(nearest).or_else(|| Some("only dimensions that `jax.export` left symbolic have names".into())) };

    /// The program has more ops than the limit.
    ///
    /// Calls are inlined, so a short text of functions that call each other can expand to more ops than a machine can
    /// hold. The ops are counted before inlining. The limit is 10,000,000 ops, far above what JAX prints for the
    /// largest models: a layer takes about a hundred.
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
    /// What to do: if the program is meant to be that large, raise the limit with `--max-ops N`. Otherwise write
    /// repeated layers as a `jax.lax.scan`.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir
    /// ```
    E0304 TooManyOps<'a> { count: &'a str, limit: u64, function: &'a str, at: Span }
        => "`{function}` expands to {count} ops, and the limit is {limit}"
        label at "including the functions that it calls"
        help "raise the limit with `--max-ops N`, or use `jax.lax.scan`";

    /// A dimension cannot be dynamic, because the program mixes its rows or treats them differently.
    ///
    /// `--dynamic INPUT:DIM=NAME` makes a dimension of a program that was lowered with concrete shapes dynamic. The
    /// text does not show what the program would be for another size, so the dimension becomes dynamic only if each row
    /// of the results is computed from the same row of the input, and all rows in the same way. Each op that does
    /// otherwise is reported: a sum over the rows, a slice of them, a constant with one value per row.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
    ///   %bias = stablehlo.constant dense<[[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0]]> : tensor<8x1xf32>
    ///   %0 = stablehlo.broadcast_in_dim %bias, dims = [0, 1] : (tensor<8x1xf32>) -> tensor<8x4xf32>
    ///   %1 = stablehlo.add %x, %0 : tensor<8x4xf32>
    ///   return %1 : tensor<8x4xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --dynamic arg0:0=batch
    /// ```
    ///
    /// What to do: export with a symbolic dimension,
    /// `jax.export.export(f)(jax.ShapeDtypeStruct(jax.export.symbolic_shape("batch, 4"), x.dtype))`, which defines the
    /// program for every size. Or make the program treat all rows alike: use batch normalization in inference mode, and
    /// no constant that contains the batch size.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
    ///   %bias = stablehlo.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
    ///   %0 = stablehlo.broadcast_in_dim %bias, dims = [1] : (tensor<4xf32>) -> tensor<8x4xf32>
    ///   %1 = stablehlo.add %x, %0 : tensor<8x4xf32>
    ///   return %1 : tensor<8x4xf32>
    /// }
    /// ```
    E0305 MixedRows<'a> { name: &'a str, argument: &'a str, axis: usize, why: &'a str, op: &'a str, at: Span, argument_at: Span }
        => "dimension {axis} of `{argument}` cannot be the dynamic `{name}`: {why}"
        group "{name} {op}: {why}"
        label at "{why}"
        label argument_at "`{name}` was requested for dimension {axis}"
        help "lower it with a symbolic size instead: a name in `inputs` of `to_onnx`, or `jax.export.symbolic_shape`";

    /// The sizes break an assertion of the program.
    ///
    /// An export with symbolic dimensions asserts the constraints that were passed to `symbolic_shape`, and the
    /// relations between dimensions. The sizes from `--dim`, or from the types of the arguments, break one of them. JAX
    /// would refuse to call the function with such arguments.
    ///
    /// An example that triggers it (`b` is at least 4):
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<?xf32>) -> tensor<?xf32> {
    ///   %four = stablehlo.constant dense<4> : tensor<i32>
    ///   %0 = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?xf32>) -> tensor<i32>
    ///   %1 = stablehlo.compare GE, %0, %four, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    ///   stablehlo.custom_call @shape_assertion(%1, %0) {api_version = 2 : i32, error_message = "Expected b >= 4, but found {0}", has_side_effect = true} : (tensor<i1>, tensor<i32>) -> ()
    ///   %2 = call @wrapped(%0, %x) : (tensor<i32>, tensor<?xf32>) -> tensor<?xf32>
    ///   return %2 : tensor<?xf32>
    /// }
    /// func.func private @wrapped(%b: tensor<i32> {jax.global_constant = "b"}, %x: tensor<?xf32>) -> tensor<?xf32> {
    ///   return %x : tensor<?xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --dim b=2
    /// ```
    ///
    /// What to do: use sizes that fit, or export the function with other constraints.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --dim b=8
    /// ```
    E0306 BrokenAssertion<'a> { why: &'a str, at: Span }
        => "the sizes break an assertion of the program: {why}"
        label at "asserted here"
        help "pass other sizes with `--dim`, or export with other constraints";

    /// The function returns no tensor, and an ONNX graph needs an output.
    ///
    /// A function that is called for its side effects alone, such as `jax.debug.print`, computes nothing that a model
    /// could return.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) {
    ///   %0 = stablehlo.sine %x : tensor<4xf32>
    ///   return
    /// }
    /// ```
    ///
    /// What to do: return what the function computes.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.sine %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0307 NoOutputs<'a> { function: &'a str, at: Span }
        => "`{function}` returns no tensor, and a model needs an output"
        label at "returns no tensor"
        help "return what the function computes";

    /// An op or an element type needs a newer opset than the target reads.
    ///
    /// Each release of a runtime reads opsets up to a highest one, which `hlo2onnx targets` lists. The program needs an
    /// ONNX op or an element type that came later. `hlo2onnx explain E0301` lists such ops and what they are used for.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xi32>) -> tensor<4xi4> {
    ///   %0 = stablehlo.convert %x : (tensor<4xi32>) -> tensor<4xi4>
    ///   return %0 : tensor<4xi4>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target onnxruntime:1.17
    /// ```
    ///
    /// What to do: name a newer release of the target if the model will run there. Otherwise write the program without the
    /// op that the message marks.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target onnxruntime:1.26
    /// ```
    E0308 OpsetBeyondTarget<'a> { op: &'a str, needs: u32, target: &'a str, highest: u32, at: Span }
        => "`{op}` needs opset {needs}, but `{target}` reads opsets up to {highest}"
        group "{op}"
        label at "needs opset {needs}"
        note { remedies::opset_reason(op) }
        help "name a newer release or another target with `--target`, or write the program without it";

    /// The target has no kernel for a node, so it would not load the model.
    ///
    /// The runtime lacks an ONNX op, or has it for other element types only. The compiler computes in another element type
    /// where it can; here no type helps.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<i32>) -> tensor<i32> {
    ///   %limit = stablehlo.constant dense<100> : tensor<i32>
    ///   %0 = stablehlo.while(%y = %x) : tensor<i32>
    ///     cond {
    ///       %1 = stablehlo.compare LT, %y, %limit : (tensor<i32>, tensor<i32>) -> tensor<i1>
    ///       stablehlo.return %1 : tensor<i1>
    ///     } do {
    ///       %1 = stablehlo.add %y, %y : tensor<i32>
    ///       stablehlo.return %1 : tensor<i32>
    ///     }
    ///   return %0 : tensor<i32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target tract
    /// ```
    ///
    /// What to do: name another target, or write the program without the op that the message marks.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target onnxruntime
    /// ```
    E0309 NoKernel<'a> { op: &'a str, target: &'a str, why: &'a str, at: Span }
        => "`{op}` does not run: {target} has {why}"
        group "{op} {why}"
        label at "{target} does not run this"
        help "name another target, or write the program without this op";

    /// The target would compute a node incorrectly, without an error.
    ///
    /// OpenVINO computes integers of 64 bits in 32 on CPUs, and much of `i32` in `f32`. The compiler writes the
    /// arithmetic of `i32` and `ui32` in forms that are exact there. It refuses constants that `i32` does not have, `ui32`
    /// that becomes `i64`, and products of integer matrices that are large or have symbolic sizes.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<?x4xi32>, %y: tensor<4x?xi32>) -> tensor<?x?xi32> {
    ///   %0 = stablehlo.dot_general %x, %y, contracting_dims = [1] x [0] : (tensor<?x4xi32>, tensor<4x?xi32>) -> tensor<?x?xi32>
    ///   return %0 : tensor<?x?xi32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target openvino
    /// ```
    ///
    /// What to do: write the arithmetic in `int32`, make its result an input of the model, or name another target.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target onnxruntime
    /// ```
    E0310 WrongOnTarget<'a> { op: &'a str, target: &'a str, why: &'a str, at: Span }
        => "`{op}` would be wrong: {target} {why}"
        group "{op} {why}"
        label at "{target} computes this incorrectly"
        help "write the arithmetic in `int32`, make its result an input of the model, or name another target";

    /// `--float16` is passed, but the target does not compute in f16.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<2x4xf32>, %w: tensor<4x3xf32>) -> tensor<2x3xf32> {
    ///   %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<2x4xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
    ///   return %0 : tensor<2x3xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --float16 --target rten
    /// ```
    ///
    /// What to do: omit one of the options.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --float16
    /// ```
    E0311 NoHalfFloats<'a> { target: &'a str }
        => "`--float16` was passed, but {target} does not compute in f16"
        help "omit `--float16`, or name another target";

    /// `--keep-functions` is passed, but the target does not run the functions of a model.
    ///
    /// OpenVINO, tract and rten take a node that calls a function for an op that they do not have, or for one of ONNX
    /// with the same name.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<2x4xf32>
    ///   return %0 : tensor<2x4xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --keep-functions --target tract
    /// ```
    ///
    /// What to do: omit one of the options.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target tract
    /// ```
    E0312 NoFunctions<'a> { target: &'a str }
        => "`--keep-functions` was passed, but {target} does not run functions of a model"
        help "omit `--keep-functions`, or name another target";
}
