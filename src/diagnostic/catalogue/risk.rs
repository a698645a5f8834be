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

    /// A NaN does not get through an op as it does in XLA.
    ///
    /// XLA's maximum and minimum give NaN when an operand is NaN; the fast kernels of the runtime can give the other
    /// operand. The exact form costs much in reductions and pooling, so the fast form is the default.
    ///
    /// What to do: nothing, when the values are never NaN. Otherwise `--strict-nan` gives the exact form.
    W0502 NanNotPropagated<'a> { op: &'a str, at: Span }
        => "`{op}` may not propagate NaN"
        group "{op}"
        label at "computed in the fast form"
        help "`--strict-nan` propagates NaN as XLA does, and is slower";

    /// A call back to Python was dropped.
    ///
    /// `jax.debug.print` and `jax.debug.callback` run Python on the host and give nothing back to the program. The model
    /// has no Python, and computes the same without them. A callback whose result is used is an error instead (E0205).
    ///
    /// What to do: nothing, or take the call out of the function.
    W0503 DroppedCallback<'a> { target: &'a str, at: Span }
        => "the callback `{target}` is dropped"
        group "{target}"
        label at "not in the model";
}
