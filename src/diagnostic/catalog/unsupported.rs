//! E02xx: valid programs that cannot be converted.

use super::remedies;
use crate::diagnostic::Fix;
use crate::source::Span;

diagnostics! {
    /// An op has no lowering to ONNX.
    ///
    /// The text is valid, but this op has no mapping, or ONNX cannot compute it. One run reports all such ops of a
    /// text, grouped by name.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main() -> tensor<4xf32> {
    ///   %t = stablehlo.create_token : !stablehlo.token
    ///   %0:2 = "stablehlo.infeed"(%t) : (!stablehlo.token) -> (tensor<4xf32>, !stablehlo.token)
    ///   %1 = stablehlo.abs %0#0 : tensor<4xf32>
    ///   return %1 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: `hlo2onnx ops` lists the supported ops. Rewrite the Python line, which is shown if the text has
    /// locations, with supported functions, or move that part out of the exported function.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0201 UnsupportedOp<'a> { op: &'a str, at: Span }
        => "`{op}` is not supported"
        group "{op}"
        label at "no lowering for this op"
        note { remedies::origin(op) }
        help { remedies::cure(op).or_else(|| Some("`hlo2onnx ops` lists the supported ops; see also `hlo2onnx explain E0201`".into())) };

    /// The op is supported, but not with these attributes or operands.
    ///
    /// An attribute, a region or a combination of types needs something that the lowering does not implement; the
    /// message names it. Nothing is approximated: the compiler refuses a form whose results would differ.
    ///
    /// An example that triggers it (a device number, in a module that does not declare its number of devices):
    ///
    /// ```mlir
    /// module @jit_f {
    ///   func.func public @main() -> tensor<ui32> {
    ///     %0 = stablehlo.replica_id : tensor<ui32>
    ///     return %0 : tensor<ui32>
    ///   }
    /// }
    /// ```
    ///
    /// What to do: rewrite the Python line, which is shown if the text has locations, in a more common form.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// module @jit_f attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
    ///   func.func public @main() -> tensor<ui32> {
    ///     %0 = stablehlo.replica_id : tensor<ui32>
    ///     return %0 : tensor<ui32>
    ///   }
    /// }
    /// ```
    E0202 UnsupportedForm<'a> { op: &'a str, why: &'a str, at: Span }
        => "this form of `{op}` is not supported: {why}"
        group "{op} {why}"
        label at "{why}"
        note { remedies::origin(op) }
        help { remedies::cure(op).or_else(|| Some("write it in a more common form; `hlo2onnx ops` lists the supported forms".into())) };

    /// The op is supported, but not on this element type.
    ///
    /// ONNX lacks the type, or no runtime computes the op on it and no wider type holds its values.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xi2>) -> tensor<4xi2> {
    ///   %0 = stablehlo.add %x, %x : tensor<4xi2>
    ///   return %0 : tensor<4xi2>
    /// }
    /// ```
    ///
    /// What to do: cast to a supported type before the op (`x.astype(jnp.float32)`) and back after it.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xi8>) -> tensor<4xi8> {
    ///   %0 = stablehlo.add %x, %x : tensor<4xi8>
    ///   return %0 : tensor<4xi8>
    /// }
    /// ```
    E0203 UnsupportedType<'a> { op: &'a str, ty: &'a str, at: Span }
        => {
            match op {
                "func.func" => format!("an argument of `{ty}` is not supported"),
                _ => format!("`{op}` on `{ty}` is not supported"),
            }
        }
        group "{op} {ty}"
        label at "`{ty}`"
        help {
            Some(match op {
                "func.func" => "take the argument in another type, such as `jnp.float32` or `jnp.int8`".into(),
                _ => "cast to another type before the op: `x.astype(jnp.float32)`".into(),
            })
        };

    /// A size that must be static is dynamic.
    ///
    /// Sizes may be numbers, or expressions over symbolic dimensions, which the model computes. Here a size depends on
    /// the values of the inputs, or the op needs it as a number.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
    ///   %0 = stablehlo.cholesky %x, lower = true : tensor<?x?xf32>
    ///   return %0 : tensor<?x?xf32>
    /// }
    /// ```
    ///
    /// What to do: fix the dimension, with `--dim b=8` or by lowering with a concrete shape.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<3x3xf32>) -> tensor<3x3xf32> {
    ///   %0 = stablehlo.cholesky %x, lower = true : tensor<3x3xf32>
    ///   return %0 : tensor<3x3xf32>
    /// }
    /// ```
    E0204 DynamicShape<'a> { what: &'a str, at: Span }
        => "the size of {what} is dynamic, and must be static here"
        group "{what}"
        label at "must be static"
        note { what.split('`').nth(1).and_then(remedies::origin) }
        help "fix the dimension: `--dim NAME=SIZE`, or lower the function with a concrete shape";

    /// A custom call has no lowering.
    ///
    /// A `stablehlo.custom_call` calls code outside the program: a LAPACK routine, a Pallas or Triton kernel. Calls
    /// with a known meaning (QR, Cholesky, eigenvalues, top-k, sharding markers ...) are converted; `hlo2onnx ops`
    /// lists them.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.custom_call @my_kernel(%x) : (tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: replace your own call by `jax.numpy` functions, or move it out of the exported function. For a
    /// kernel of a library, switch the kernel off (attention implementations have an option `implementation="xla"`), or
    /// lower for the CPU: `jax.export.export(f, platforms=["cpu"])`.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.logistic %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0205 UnsupportedCustomCall<'a> { target: &'a str, at: Span }
        => "the custom call `{target}` is not supported"
        group "{target}"
        label at "calls code outside the program"
        note { remedies::origin(target) }
        help { remedies::cure(target).or_else(|| Some("replace the call by `jax.numpy` functions, or move it out of the exported function".into())) };

    /// The program runs on several devices.
    ///
    /// An ONNX model runs on one device. A program whose ops compute on one device's shard of a value (`shard_map`,
    /// `pmap`), or exchange values with other devices (`all_reduce`, `all_gather` ...), would compute something else on
    /// one device. It is reported once. Shardings of arguments, results and other values (`with_sharding_constraint`,
    /// logical axes of Flax) do not change the results: they are dropped, for any number of devices.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// module @jit_f attributes {mhlo.num_partitions = 4 : i32, mhlo.num_replicas = 1 : i32} {
    ///   sdy.mesh @mesh = <["data"=4]>
    ///   func.func public @main(%x: tensor<8xf32>) -> tensor<8xf32> {
    ///     %0 = sdy.manual_computation(%x) in_shardings=[<@mesh, [{"data"}]>] out_shardings=[<@mesh, [{"data"}]>] manual_axes={"data"} (%part: tensor<2xf32>) {
    ///       %1 = stablehlo.reverse %part, dims = [0] : tensor<2xf32>
    ///       sdy.return %1 : tensor<2xf32>
    ///     } : (tensor<8xf32>) -> tensor<8xf32>
    ///     return %0 : tensor<8xf32>
    ///   }
    /// }
    /// ```
    ///
    /// What to do: lower on one device: without `shard_map` or `pmap` in the function, or on a mesh of one device.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// module @jit_f attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
    ///   sdy.mesh @mesh = <["data"=1]>
    ///   func.func public @main(%x: tensor<8xf32>) -> tensor<8xf32> {
    ///     %0 = sdy.manual_computation(%x) in_shardings=[<@mesh, [{"data"}]>] out_shardings=[<@mesh, [{"data"}]>] manual_axes={"data"} (%part: tensor<8xf32>) {
    ///       %1 = stablehlo.reverse %part, dims = [0] : tensor<8xf32>
    ///       sdy.return %1 : tensor<8xf32>
    ///     } : (tensor<8xf32>) -> tensor<8xf32>
    ///     return %0 : tensor<8xf32>
    ///   }
    /// }
    /// ```
    E0206 MultipleDevices<'a> { devices: usize, mesh: Option<&'a str>, at: Span }
        => {
            let number = if devices > 1 { devices.to_string() } else { "several".to_owned() };
            let mesh = mesh.map(|mesh| format!(": {mesh}")).unwrap_or_default();
            format!("a program for {number} devices is not supported{mesh}")
        }
        group "several devices"
        label at "computes on one device's shard"
        help "lower the function on one device: without `shard_map` or `pmap`, or on a mesh of one device, \
              `jax.make_mesh((1,), (\"x\",))`";

    /// The program uses the result of a Python callback.
    ///
    /// `jax.pure_callback` and `jax.experimental.io_callback` call a Python function on the host. JAX prints them as a
    /// `stablehlo.custom_call` with an id that is valid only in the process that printed it. The text does not contain
    /// the function, and a model cannot call Python. Callbacks whose results are not used are dropped (W0502).
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.custom_call @xla_ffi_python_cpu_callback(%x) : (tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: compute it with `jax.numpy` inside the function. If it must be Python, export the parts before and
    /// after the call as two models, and call Python between them.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.sine %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0207 HostCallback<'a> { callback: &'a str, target: &'a str, at: Span }
        => "`{callback}` calls Python, and its result is used"
        group "{callback}"
        label at "runs Python on the host"
        note { (callback != target).then(|| format!("JAX prints it as the custom call `{target}`")) }
        help {
            Some(match callback {
                "equinox.error_if" => "set `EQX_ON_ERROR=nan` or `off` before Python starts, or pass `throw=False` to the solver",
                _ => "compute it with `jax.numpy`, or export the parts before and after the call as two models",
            }.into())
        };

    /// No dialect has an op of this name.
    ///
    /// The compiler knows the names of all ops of `stablehlo` and `chlo`; one without a lowering is E0201. This name is
    /// not one of them, but resembles one: it is misspelled, or the op was renamed between releases of StableHLO.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = "stablehlo.multipy"(%x, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: use the name in the message.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = "stablehlo.multiply"(%x, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0208 UnknownOp<'a> { op: &'a str, nearest: &'a str, at: Span }
        => "unknown op `{op}`"
        group "{op}"
        label at "not an op of its dialect"
        help "did you mean `{nearest}`?"
        fix { Fix::to(op, Some(nearest)) };
}
