//! W05xx: models that can differ from the program.

use crate::source::Span;

diagnostics! {
    /// An op is computed with less precision than the program has.
    ///
    /// ONNX Runtime has no kernel for this op on this type or on a wider one. The result is computed in the type that
    /// the message names and cast back.
    ///
    /// An example that triggers it (written as an ONNX op, since every StableHLO op has an exact form on `f64`):
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf64>) -> tensor<4xf64> {
    ///   %0 = "onnx.Erf"(%x) : (tensor<4xf64>) -> tensor<4xf64>
    ///   return %0 : tensor<4xf64>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx opt model.mlir --passes insert_casts
    /// ```
    ///
    /// What to do: nothing, if that precision is enough. Otherwise keep the op out of the exported function.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = "onnx.Erf"(%x) : (tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    W0501 ReducedPrecision<'a> { op: &'a str, ty: &'a str, via: &'a str, at: Span }
        => "`{op}` on `{ty}` is computed in `{via}`"
        group "{op} {ty} {via}"
        label at "loses precision here";

    /// A Python callback was dropped.
    ///
    /// `jax.debug.print` and `jax.debug.callback` run Python on the host and return nothing to the program. The model
    /// cannot call Python, and computes the same results without them. The same is true of a `jax.pure_callback` or
    /// `jax.experimental.io_callback` whose result no result of the function needs, and for a check that only raises:
    /// `equinox.error_if`, which diffrax, lineax and optimistix call, returns its argument in the model, whether the
    /// check holds or not. A callback whose result is used is an error instead (E0207).
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   stablehlo.custom_call @xla_ffi_python_cpu_callback(%x) {has_side_effect = true} : (tensor<4xf32>) -> ()
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: nothing, or remove the call from the function. For NaN results where a check of equinox fails, set
    /// `EQX_ON_ERROR=nan` before Python starts.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    W0502 DroppedCallback<'a> { callback: &'a str, at: Span }
        => "`{callback}` calls Python and is dropped"
        group "{callback}"
        label at "not in the model";

    /// An argument stays an input although others of its tree were bound to weights.
    ///
    /// No file has a tensor with its path, so the model takes it as an input.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%kernel: tensor<2x3xf32> loc("params['Dense_0']['kernel']"),
    ///     %bias: tensor<4x3xf32> loc("params['Dense_0']['bias']"), %x: tensor<4x2xf32> loc("x")) -> tensor<4x3xf32> {
    ///   %0 = stablehlo.dot_general %x, %kernel, contracting_dims = [1] x [0]
    ///     : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
    ///   %1 = stablehlo.add %0, %bias : tensor<4x3xf32>
    ///   return %1 : tensor<4x3xf32>
    /// }
    /// ```
    ///
    /// ```python
    /// save_file({"Dense_0/kernel": np.zeros((2, 3), np.float32)}, "weights.safetensors")
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights weights.safetensors
    /// ```
    ///
    /// What to do: nothing, if it is meant to be an input. Otherwise pass the file that contains it with another
    /// `--weights`, or change the paths with `--rename FROM=TO`.
    ///
    /// Fixed:
    ///
    /// ```python
    /// save_file({"Dense_0/kernel": np.zeros((2, 3), np.float32), "Dense_0/bias": np.zeros((4, 3), np.float32)}, "weights.safetensors")
    /// ```
    W0503 UnboundWeight<'a> { argument: &'a str, at: Span }
        => "no tensor has the path `{argument}`"
        group ""
        label at "stays an input"
        help "pass the file that contains it with another `--weights`, or change paths with `--rename FROM=TO`";

    /// `--external-data reference` had no effect.
    ///
    /// `--external-data reference` leaves tensors in the files of `--weights`. A compressed file, a tensor whose offset
    /// is not a multiple of its element size, 4-bit elements, and literals of the text are copied.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32> loc("x")) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --external-data reference
    /// ```
    ///
    /// What to do: nothing, if the model may contain the data. Otherwise pass `--weights` a safetensors file, or an npz
    /// of `numpy.savez`, which does not compress.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir
    /// ```
    W0505 NothingReferenced {}
        => "`--external-data reference` had no effect: the model contains all data"
        help "pass a safetensors file to `--weights`";

    /// A constant may depend on the number of rows, which becomes dynamic.
    ///
    /// With `--dynamic x:0=batch` each row is computed as in the export, for any number of them. Where Python computed
    /// with that number, as `x / len(x)` does, the export has a constant, which does not change. This constant is the
    /// number of rows or its reciprocal, and is combined with values that have rows. The match may be a coincidence.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
    ///   %eight = stablehlo.constant dense<8.0> : tensor<f32>
    ///   %0 = stablehlo.broadcast_in_dim %eight, dims = [] : (tensor<f32>) -> tensor<8x4xf32>
    ///   %1 = stablehlo.divide %x, %0 : tensor<8x4xf32>
    ///   return %1 : tensor<8x4xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --dynamic arg0:0=batch
    /// ```
    ///
    /// What to do: check the Python line. Export again with a number of rows that occurs nowhere else in the program,
    /// such as 7: a constant that does not depend on the number of rows stays the same.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<7x4xf32>) -> tensor<7x4xf32> {
    ///   %eight = stablehlo.constant dense<8.0> : tensor<f32>
    ///   %0 = stablehlo.broadcast_in_dim %eight, dims = [] : (tensor<f32>) -> tensor<7x4xf32>
    ///   %1 = stablehlo.divide %x, %0 : tensor<7x4xf32>
    ///   return %1 : tensor<7x4xf32>
    /// }
    /// ```
    W0506 SuspectConstant<'a> { number: &'a str, rows: i64, name: &'a str, at: Span }
        => "the constant {number} may depend on the {rows} rows of the export, and does not change with `{name}`"
        group "{name} {number}"
        label at "computes with {number}"
        help "check the Python line, or export with a number of rows that occurs nowhere else, such as 7";

    /// The target stores or computes numbers of 64 bits in 32 bits.
    ///
    /// rten stores `f64` as `f32` and `i64` as `i32`, and OpenVINO computes them so on CPUs. A float keeps 24 of its 53
    /// bits, and an integer outside of the range of `i32` is wrong, also between two ops.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xi64>) -> tensor<4xi64> {
    ///   %0 = stablehlo.multiply %x, %x : tensor<4xi64>
    ///   return %0 : tensor<4xi64>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target openvino
    /// ```
    ///
    /// What to do: use `float32` and `int32`, or name another target. Without `jax_enable_x64` JAX does not make the wider
    /// types.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target onnxruntime
    /// ```
    W0507 NarrowerNumbers<'a> { ty: &'a str, via: &'a str, target: &'a str, at: Span }
        => "`{ty}` is computed in `{via}`: {target} has no wider arithmetic"
        group "{ty} {via}"
        label at "has values of `{ty}`"
        help "use `{via}` in the program, or name another target";
}
