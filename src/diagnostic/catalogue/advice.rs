//! A06xx: advice.

use crate::source::Span;

diagnostics! {
    /// The text has no locations.
    ///
    /// JAX's locations hold the names of arguments and modules, and the lines of Python that each op comes from. Without
    /// them inputs are called `arg0`, weights and nodes are numbered, and diagnostics cannot show the line of Python.
    ///
    /// An example that triggers it:
    ///
    /// ```python
    /// text = jax.jit(f).lower(x).as_text()
    /// ```
    ///
    /// What to do: print the text with its locations.
    ///
    /// ```python
    /// text = jax.jit(f).lower(x).as_text(debug_info=True)
    /// ```
    A0601 NoLocations {}
        => "the text has no locations, so the model has no names"
        help "print it with locations: `lowered.as_text(debug_info=True)`";

    /// The opset was raised to what an op needs.
    ///
    /// The default opset is one that most runtimes read. This op has its ONNX counterpart only in a later one.
    ///
    /// What to do: nothing, when the runtime reads that opset. `--opset N` makes it an error instead.
    A0602 OpsetRaised<'a> { op: &'a str, to: u32, at: Span }
        => "the opset was raised to {to} for `{op}`"
        group "{op}"
        label at "needs opset {to}";

    /// A complex input or output has become a real one.
    ///
    /// ONNX's ops do not compute on complex numbers. A complex tensor is a real one with a trailing dimension of two: the
    /// real and the imaginary part.
    ///
    /// What to do: give and take such tensors:
    ///
    /// ```python
    /// real = np.stack([z.real, z.imag], axis=-1)
    /// z = real[..., 0] + 1j * real[..., 1]
    /// ```
    A0603 ComplexAsReal<'a> { what: &'a str, at: Span }
        => "{what} is complex in the program and real in the model"
        group "{what}"
        label at "has a trailing dimension of two in the model";

    /// A NaN does not get through an op as it does in XLA.
    ///
    /// XLA's maximum and minimum give NaN when an operand is NaN; the fast kernels of the runtime can give the other
    /// operand. The exact form costs much in reductions and pooling, so the fast form is the default.
    ///
    /// What to do: nothing, when the values are never NaN. Otherwise `--strict-nan` gives the exact form.
    A0604 NanNotPropagated<'a> { op: &'a str, at: Span }
        => "`{op}` may not propagate NaN"
        group "{op}"
        label at "computed in the fast form"
        help "`--strict-nan` propagates NaN as XLA does, and is slower";

    /// Tensors of a file of weights were bound to no argument.
    ///
    /// JAX leaves arguments out of the text that the program does not use, and checkpoints hold more than the variables,
    /// such as the state of an optimizer.
    ///
    /// What to do: nothing, when the program has no use for them.
    A0605 UnusedWeights<'a> { path: &'a str, names: &'a [&'a str] }
        => {
            const SHOWN: usize = 4;
            let (count, rest) = (names.len(), names.len().saturating_sub(SHOWN));
            let what = if count == 1 { "tensor of" } else { "tensors of" };
            let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            format!("{count} {what} `{path}` bound to no argument: {}{more}", shown.join(", "))
        };

    /// An input or output of a narrow float type has become one of f32.
    ///
    /// ONNX lacks this type, or no runtime computes on it. The model holds its numbers in f32, which has all of them, and
    /// rounds where the program does, so it computes the same numbers.
    ///
    /// What to do: cast what goes in and what comes out:
    ///
    /// ```python
    /// inputs = {"x": x.astype(np.float32)}
    /// y = outputs[0].astype(ml_dtypes.float8_e3m4)
    /// ```
    A0606 NarrowAsFloat<'a> { what: &'a str, ty: &'a str, at: Span }
        => "{what} is `{ty}` in the program and `f32` in the model"
        group "{what}"
        label at "holds the same numbers in `f32`";

    /// The program was exported for several platforms, and the first of them was taken.
    ///
    /// Such a program takes the number of the platform that it runs on as an argument, and chooses by it between forms of
    /// an op: calls to LAPACK on a processor, kernels of another kind on an accelerator. A model has one form. The text
    /// does not say which platforms there are: they are those that the export was made for, in that order.
    ///
    /// What to do: nothing, when the first one is the CPU. Otherwise say its number, or export for the CPU alone:
    ///
    /// ```python
    /// jax.export.export(jax.jit(f), platforms=["cpu"])(x)
    /// ```
    A0607 FirstPlatform { at: Span }
        => "the program is for several platforms, and the first one is taken"
        label at "says which platform it runs on"
        help "`--dim _platform_index=1` takes the second, and so on";
}
