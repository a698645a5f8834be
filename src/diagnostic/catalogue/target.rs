//! E03xx: limits of the target.

use super::did_you_mean;
use crate::source::Span;

diagnostics! {
    /// An op needs a newer opset than `--opset` allows.
    ///
    /// Without the option the opset is raised by itself to what the ops need. The option is binding.
    ///
    /// An example that triggers it: `--opset 18` and a program with `stablehlo.bitcast_convert`, for which ONNX has
    /// `BitCast` since opset 26.
    ///
    /// What to do: leave the option out, or give the opset that the message names, when the runtime can read it.
    E0301 OpsetTooLow<'a> { op: &'a str, needs: u32, given: u32, at: Span }
        => "`{op}` needs opset {needs}, and `--opset {given}` was given"
        group "{op}"
        label at "needs opset {needs}"
        help "leave `--opset` out, or give `--opset {needs}`";

    /// The opset is not one that the compiler writes.
    ///
    /// Opsets below 18 lack the ops that the lowerings are made of; above the highest, no released runtime reads the
    /// model.
    ///
    /// What to do: give an opset in the range, or leave `--opset` out.
    E0302 OpsetOutOfRange { given: u32, lowest: u32, highest: u32 }
        => "opset {given} is not supported, only {lowest} to {highest}"
        help "leave `--opset` out to get what the ops need";

    /// A dimension that the program does not have was given a size.
    ///
    /// `--dim NAME=SIZE` makes a symbolic dimension of a `jax.export` with shape polymorphism a number. The names are
    /// those that the Python code gave to `jax.export.symbolic_shape`; a program that was lowered with concrete shapes
    /// has none.
    ///
    /// What to do: give a name that the program has, or leave the option out.
    E0303 UnknownDimension<'a> { name: &'a str, nearest: Option<&'a str> }
        => "there is no symbolic dimension `{name}`"
        help { did_you_mean(nearest).or_else(|| Some("only dimensions that `jax.export` left symbolic have names".into())) };
}
