//! A06xx: advice.

use crate::source::Span;

diagnostics! {
    /// The text has no locations.
    ///
    /// JAX's locations contain the names of arguments and modules, and the Python line of each op. Without them, inputs
    /// are named `arg0`, weights and nodes are numbered, and diagnostics cannot show the Python line.
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
    /// What to do: print the text with its locations.
    ///
    /// ```python
    /// text = jax.jit(f).lower(x).as_text(debug_info=True)
    /// ```
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32> loc("x")) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    A0601 NoLocations {}
        => "the text has no locations: Python names and lines are unknown"
        help "print it with locations: `lowered.as_text(debug_info=True)`";

    /// The opset was raised to what an op or an element type needs.
    ///
    /// The default opset is one that most runtimes read. The ONNX op, or the element type, came with a later one.
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
    /// What to do: nothing, if the runtime reads that opset. `--opset N` makes it an error instead.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --opset 19
    /// ```
    A0602 OpsetRaised<'a> { op: &'a str, to: u32, at: Span }
        => "the opset was raised to {to} for `{op}`"
        group "{op}"
        label at "needs opset {to}";

    /// A complex input or output becomes real.
    ///
    /// ONNX's ops do not compute on complex numbers. A complex tensor is a real one with a trailing dimension of two: the
    /// real and the imaginary part.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>> {
    ///   %0 = stablehlo.add %x, %x : tensor<4xcomplex<f32>>
    ///   return %0 : tensor<4xcomplex<f32>>
    /// }
    /// ```
    ///
    /// What to do: pass and read such tensors:
    ///
    /// ```python
    /// real = np.stack([z.real, z.imag], axis=-1)
    /// z = real[..., 0] + 1j * real[..., 1]
    /// ```
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%re: tensor<4xf32>, %im: tensor<4xf32>) -> tensor<4xf32> {
    ///   %z = stablehlo.complex %re, %im : tensor<4xcomplex<f32>>
    ///   %0 = stablehlo.abs %z : (tensor<4xcomplex<f32>>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    A0603 ComplexAsReal<'a> { what: &'a str, at: Span }
        => "{what} is complex in the program and real in the model"
        group "{what}"
        label at "has a trailing dimension of two in the model";

    /// An op may not propagate NaN as XLA does.
    ///
    /// XLA's maximum and minimum return NaN when an operand is NaN; the fast kernels of the runtime can return the other
    /// operand. The exact form is slow in reductions and pooling, so the fast form is the default.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<f32> {
    ///   %low = stablehlo.constant dense<0xFF800000> : tensor<f32>
    ///   %0 = stablehlo.reduce(%x init: %low) applies stablehlo.maximum across dimensions = [0]
    ///     : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    ///   return %0 : tensor<f32>
    /// }
    /// ```
    ///
    /// What to do: nothing, if the values are never NaN. Otherwise `--strict-nan` selects the exact form.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --strict-nan
    /// ```
    A0604 NanNotPropagated<'a> { op: &'a str, at: Span }
        => "`{op}` may not propagate NaN"
        group "{op}"
        label at "computed in the fast form"
        help "`--strict-nan` propagates NaN as XLA does, and is slower";

    /// A file has weights that no argument uses.
    ///
    /// JAX omits arguments that the program does not use, and checkpoints contain more than the variables, such as the
    /// state of an optimizer.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%kernel: tensor<2x3xf32> loc("params['Dense_0']['kernel']"), %x: tensor<4x2xf32> loc("x")) -> tensor<4x3xf32> {
    ///   %0 = stablehlo.dot_general %x, %kernel, contracting_dims = [1] x [0]
    ///     : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
    ///   return %0 : tensor<4x3xf32>
    /// }
    /// ```
    ///
    /// ```python
    /// save_file({"Dense_0/kernel": np.zeros((2, 3), np.float32), "opt_state/count": np.zeros(1, np.float32)}, "weights.safetensors")
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights weights.safetensors
    /// ```
    ///
    /// What to do: nothing, if the program does not need them.
    ///
    /// Fixed:
    ///
    /// ```python
    /// save_file({"Dense_0/kernel": np.zeros((2, 3), np.float32)}, "weights.safetensors")
    /// ```
    A0605 UnusedWeights<'a> { path: &'a str, names: &'a [&'a str] }
        => {
            const SHOWN: usize = 4;
            let (count, rest) = (names.len(), names.len().saturating_sub(SHOWN));
            let what = if count == 1 { "unused tensor in" } else { "unused tensors in" };
            let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            format!("{count} {what} `{path}`: {}{more}", shown.join(", "))
        };

    /// An input or output of a narrow float type becomes f32.
    ///
    /// ONNX or the target lacks this type. The model stores its values in f32, which represents all of them.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf8E3M4>) -> tensor<4xf32> {
    ///   %0 = stablehlo.convert %x : (tensor<4xf8E3M4>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: cast the inputs and outputs:
    ///
    /// ```python
    /// inputs = {"x": x.astype(np.float32)}
    /// y = outputs[0].astype(ml_dtypes.float8_e3m4)
    /// ```
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    A0606 NarrowAsFloat<'a> { what: &'a str, ty: &'a str, at: Span }
        => "{what} is `{ty}` in the program and `f32` in the model"
        group "{what}"
        label at "the same values, in `f32`";

    /// The program was exported for several platforms, and the model is for one.
    ///
    /// Such a program takes the index of its platform as an argument, and uses it to select the implementation of an
    /// op: LAPACK calls on a CPU, other kernels on an accelerator. A model has one implementation. The text does not
    /// name the platforms: they are those that the export listed, in the same order.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// module @jit_f attributes {jax.uses_shape_polymorphism = false} {
    ///   func.func public @main(%p: tensor<i32> {jax.global_constant = "_platform_index"}, %x: tensor<4xf32>) -> tensor<4xf32> {
    ///     %0 = "stablehlo.case"(%p) ({
    ///       %1 = stablehlo.sine %x : tensor<4xf32>
    ///       stablehlo.return %1 : tensor<4xf32>
    ///     }, {
    ///       %1 = stablehlo.cosine %x : tensor<4xf32>
    ///       stablehlo.return %1 : tensor<4xf32>
    ///     }) : (tensor<i32>) -> tensor<4xf32>
    ///     return %0 : tensor<4xf32>
    ///   }
    /// }
    /// ```
    ///
    /// A serialized `jax.export.Exported` names its platforms: the model is for the CPU, or for the first if there is no CPU. A
    /// text does not name them: the model is for the first.
    ///
    /// What to do: nothing, if the model is that of the CPU. Otherwise pass the index of the CPU, or export for the CPU
    /// only:
    ///
    /// ```python
    /// jax.export.export(jax.jit(f), platforms=["cpu"])(x)
    /// ```
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --dim _platform_index=0
    /// ```
    A0607 OnePlatform<'a> { platforms: &'a [String], selected: usize, at: Span }
        => {
            match platforms.get(selected) {
                Some(platform) => {
                    let all: Vec<String> = platforms.iter().map(|platform| format!("`{platform}`")).collect();
                    format!("the program is for {}; the model is for `{platform}`", all.join(" and "))
                }
                None => "the program is for several platforms, and the model is for the first".into(),
            }
        }
        label at "selects the platform"
        help {
            let other = usize::from(selected == 0);
            let platform = platforms.get(other).map_or("the second, and so on".into(), |platform| format!("`{platform}`"));
            Some(format!("`--dim _platform_index={other}` selects {platform}"))
        };

    /// Constant folding stopped at its limit.
    ///
    /// The compiler folds ops on constants where that does not enlarge the model. The folded constants take more memory
    /// than the limit, so the runtime computes the rest. The model is correct, but does more work when it runs. An op
    /// that needs a static size can be refused if folding would have computed that size.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xi32>) -> tensor<4xi32> {
    ///   %0 = stablehlo.constant dense<[1, 2, 3, 4]> : tensor<4xi32>
    ///   %1 = stablehlo.multiply %0, %0 : tensor<4xi32>
    ///   %2 = stablehlo.add %x, %1 : tensor<4xi32>
    ///   return %2 : tensor<4xi32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --max-folded 8
    /// ```
    ///
    /// What to do: nothing, or raise the limit with `--max-folded BYTES`.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir
    /// ```
    A0608 FoldingStopped { limit: u64 }
        => "folded constants take more than {limit} bytes; the runtime computes the rest"
        help "raise the limit with `--max-folded BYTES`";

    /// No module was kept as a function.
    ///
    /// StableHLO has no modules: they are in the paths of JAX's locations, as in
    /// `loc("jit(apply)/Model/Dense_0/dot_general")`. Without such a path, an op belongs to no module, and the model is
    /// the same as without `--keep-functions`. A module that is the whole program is the graph itself, and a JAX
    /// function of little more than one op, such as `relu`, is not kept.
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
    /// $ hlo2onnx convert model.mlir --keep-functions
    /// ```
    ///
    /// What to do: print the text with its locations.
    ///
    /// ```python
    /// text = jax.jit(model.apply).lower(variables, x).as_text(debug_info=True)
    /// ```
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32> loc("x")) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32> loc("jit(apply)/Model/Rectifier_0/abs")
    ///   %1 = stablehlo.sine %0 : tensor<4xf32> loc("jit(apply)/Model/sin")
    ///   return %1 : tensor<4xf32>
    /// }
    /// ```
    A0609 NoModules {}
        => "no function was kept: no location is within a module of the program"
        help "modules are in locations: `lowered.as_text(debug_info=True)` prints them";

    /// A negative NaN counts as a positive one.
    ///
    /// In the total order of floats, which `jax.lax.top_k` uses, a negative NaN comes before all numbers, and a
    /// positive NaN after them. Reading the sign of a NaN needs the `BitCast` of opset 26, which few runtimes have.
    /// Without it, every NaN comes after all numbers, and a `bitcast_convert` reads it as the positive quiet NaN. A sort
    /// or `top_k` then takes -0 and 0 as equal, too. Other numbers and infinities are in order in any case.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<6xf32>) -> (tensor<4xf32>, tensor<4xi32>) {
    ///   %0, %1 = chlo.top_k(%x, k = 4) : tensor<6xf32> -> (tensor<4xf32>, tensor<4xi32>)
    ///   return %0, %1 : tensor<4xf32>, tensor<4xi32>
    /// }
    /// ```
    ///
    /// What to do: nothing, if the values are never NaN. Otherwise `--strict-nan` selects the exact form, and raises
    /// the opset to 26.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --strict-nan
    /// ```
    A0610 NanSign<'a> { op: &'a str, of: &'a str, at: Span }
        => "`{op}` treats {of} as positive"
        group "{op}"
        label at "reads the sign"
        help "`--strict-nan` keeps the sign, and raises the opset to 26";

    /// A node runs on the CPU, because the target has no kernel for it.
    ///
    /// An execution provider of ONNX Runtime has kernels for some ops, in some versions, for some element types. ONNX
    /// Runtime runs all other nodes on the CPU, and copies their operands from the accelerator and their results
    /// back. The results are the same. A few such nodes cost little; a node between two large ones stops the accelerator.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xui32>, %y: tensor<4xui32>) -> tensor<4xui32> {
    ///   %0 = stablehlo.shift_right_logical %x, %y : tensor<4xui32>
    ///   return %0 : tensor<4xui32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target onnxruntime-cuda
    /// ```
    ///
    /// What to do: nothing, if the model is fast enough. Otherwise use other ops or another element type at the Python line
    /// that the message names; `hlo2onnx check --target` counts such nodes.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target onnxruntime
    /// ```
    A0611 FallsBack<'a> { op: &'a str, target: &'a str, why: &'a str, at: Span }
        => "`{op}` runs on the CPU: {target} has {why}"
        group "{op} {why}"
        label at "runs on the CPU";

    /// A product stays in f32 although `--float16` is passed.
    ///
    /// A weight has a number above 65504, which f16 does not have, or all its numbers are below 6.1e-5, where f16 loses
    /// their digits. The product computes in f32 and its weight keeps its size.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
    ///   %0 = stablehlo.constant dense<[[1.0e6, 1.0], [1.0, 1.0]]> : tensor<2x2xf32>
    ///   %1 = stablehlo.dot_general %x, %0, contracting_dims = [1] x [0] : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
    ///   return %1 : tensor<1x2xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --float16
    /// ```
    ///
    /// What to do: nothing, or divide the weight by a number and multiply the result by it.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir
    /// ```
    A0612 StaysFloat32<'a> { op: &'a str, at: Span }
        => "`{op}` stays in f32: f16 does not have the numbers of its weight"
        group "{op}"
        label at "computes in f32";

    /// A narrow float type is computed in f32, without the roundings of the program.
    ///
    /// The target does not have the type. The model stores these values in f32 and does not round them, so results are
    /// closer to exact ones than those of the program. XLA's `allow_excess_precision` permits the same.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.convert %x : (tensor<4xf32>) -> tensor<4xbf16>
    ///   %1 = stablehlo.add %0, %0 : tensor<4xbf16>
    ///   %2 = stablehlo.convert %1 : (tensor<4xbf16>) -> tensor<4xf32>
    ///   return %2 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target tract
    /// ```
    ///
    /// What to do: nothing, or name a target that has the type.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target onnxruntime
    /// ```
    A0613 ExcessPrecision<'a> { ty: &'a str, target: &'a str, at: Span }
        => "`{ty}` is computed in `f32` without rounding: {target} does not have the type"
        group "{ty}"
        label at "has such values";

    /// An input or output of `ui32` becomes `i32`.
    ///
    /// The target has no unsigned integers of 32 bits. The model stores their bits as `i32`, and computes with them as
    /// unsigned numbers. Numbers from 2^31 on are negative there.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xui32>) -> tensor<4xui32> {
    ///   %0 = stablehlo.add %x, %x : tensor<4xui32>
    ///   return %0 : tensor<4xui32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target rten
    /// ```
    ///
    /// What to do: reinterpret the inputs and outputs:
    ///
    /// ```python
    /// inputs = {"x": x.view(np.int32)}
    /// y = outputs[0].view(np.uint32)
    /// ```
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --target onnxruntime
    /// ```
    A0614 UnsignedAsSigned<'a> { what: &'a str, at: Span }
        => "{what} is `ui32` in the program and `i32` in the model"
        group "{what}"
        label at "the same bits, in `i32`";

    /// A pattern was nearly fused into one op.
    ///
    /// `--explain-fusion FAMILY` asks for these. The core of a pattern was found, such as the softmax and the products of
    /// attention, but the op at this place does not fit. The ops stay as they are, which is correct, but slower.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
    ///   %one = stablehlo.constant dense<1.0> : tensor<4xf32>
    ///   %0 = stablehlo.negate %x : tensor<4xf32>
    ///   %1 = stablehlo.exponential %0 : tensor<4xf32>
    ///   %2 = stablehlo.add %one, %1 : tensor<4xf32>
    ///   %3 = stablehlo.divide %one, %2 : tensor<4xf32>
    ///   return %1, %3 : tensor<4xf32>, tensor<4xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --explain-fusion activation
    /// ```
    ///
    /// What to do: write the function in a form that fits, here without the second result, or leave it.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %one = stablehlo.constant dense<1.0> : tensor<4xf32>
    ///   %0 = stablehlo.negate %x : tensor<4xf32>
    ///   %1 = stablehlo.exponential %0 : tensor<4xf32>
    ///   %2 = stablehlo.add %one, %1 : tensor<4xf32>
    ///   %3 = stablehlo.divide %one, %2 : tensor<4xf32>
    ///   return %3 : tensor<4xf32>
    /// }
    /// ```
    A0615 NearlyFused<'a> { family: &'a str, why: &'a str, at: Span }
        => "a pattern of `{family}` is not fused: {why}"
        group "{family}: {why}"
        label at "does not fit";

    /// No pattern was nearly fused.
    ///
    /// `--explain-fusion FAMILY` asks for patterns that nearly became one op. There are none: those of the family that are
    /// in the program were fused.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %one = stablehlo.constant dense<1.0> : tensor<4xf32>
    ///   %0 = stablehlo.negate %x : tensor<4xf32>
    ///   %1 = stablehlo.exponential %0 : tensor<4xf32>
    ///   %2 = stablehlo.add %one, %1 : tensor<4xf32>
    ///   %3 = stablehlo.divide %one, %2 : tensor<4xf32>
    ///   return %3 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --explain-fusion activation
    /// ```
    ///
    /// What to do: nothing. Without the option it is not reported.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir
    /// ```
    A0616 NoneNearlyFused<'a> { family: &'a str, fused: usize }
        => "no pattern of `{family}` was nearly fused, and {fused} were fused"
        group "{family}";
}
