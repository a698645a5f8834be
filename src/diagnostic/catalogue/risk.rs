//! W05xx: models that can differ from the program.

use crate::source::Span;

diagnostics! {
    /// An op is computed with less precision than the program has.
    ///
    /// ONNX Runtime has no kernel for this op on this type, and no wider type either. The result is computed in the type
    /// that the message names and cast back.
    ///
    /// An example that triggers it: an op on `f64` whose only kernel is for `f32`.
    ///
    /// What to do: nothing, when that precision is enough. Otherwise keep the op out of the exported function.
    W0501 ReducedPrecision<'a> { op: &'a str, ty: &'a str, via: &'a str, at: Span }
        => "`{op}` on `{ty}` is computed in `{via}`"
        group "{op} {ty} {via}"
        label at "loses precision here";

    /// A call back to Python was dropped.
    ///
    /// `jax.debug.print` and `jax.debug.callback` run Python on the host and give nothing back to the program. The model
    /// has no Python, and computes the same without them. So it does without a `jax.pure_callback` or
    /// `jax.experimental.io_callback` whose result no result of the function needs. A callback whose result is used is an
    /// error instead (E0207).
    ///
    /// What to do: nothing, or take the call out of the function.
    W0502 DroppedCallback<'a> { callback: &'a str, at: Span }
        => "`{callback}` calls Python and is dropped"
        group "{callback}"
        label at "not in the model";

    /// An argument stays an input although others of its tree were bound to weights.
    ///
    /// The files have no tensor of its path, so the model takes it as an input.
    ///
    /// What to do: nothing, when it is meant to be one. Otherwise give the file that has it with another `--weights`, or fit
    /// the paths with `--rename FROM=TO`.
    W0503 UnboundWeight<'a> { argument: &'a str, at: Span }
        => "no tensor is called `{argument}`"
        group ""
        label at "stays an input"
        help "give the file that has it with another `--weights`, or `--rename FROM=TO`";

    /// A negative NaN has the place of a positive one.
    ///
    /// In the total order of floats, which `jax.lax.top_k` has, a NaN whose sign is set comes before all numbers and
    /// another behind them. The order of the bits needs the `BitCast` of opset 26. Under a binding `--opset` below that
    /// every NaN comes behind all numbers.
    ///
    /// An example that triggers it: `--opset 23` and `jax.lax.top_k` of floats.
    ///
    /// What to do: nothing, when the values are never NaN. Otherwise leave `--opset` out, or give `--opset 26`.
    W0504 NanSign { at: Span }
        => "a negative NaN has the place of a positive one"
        label at "needs the `BitCast` of opset 26"
        help "leave `--opset` out, or give `--opset 26`";
}
