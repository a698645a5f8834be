//! E01xx: structure and types.

use super::{did_you_mean, is_likely_typo, is_terminator, specification};
use crate::diagnostic::Fix;
use crate::source::Span;

diagnostics! {
    /// A value is used but not defined.
    ///
    /// Every `%name` is a result of an op, or an argument of a block, in the same function and in scope.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.add %x, %y : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: correct the name. Text that JAX printed has no such use, unless lines were removed.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.add %x, %y : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0101 UndefinedValue<'a> { name: &'a str, nearest: Option<&'a str>, at: Span }
        => "`{name}` is not defined"
        label at "not defined in this scope"
        help {
            did_you_mean(nearest.filter(|near| is_likely_typo(name, near)))
                .or_else(|| Some("the line that defines it may be missing or in another region".into()))
        }
        fix { Fix::to(name, nearest.filter(|near| is_likely_typo(name, near))) };

    /// Two values have the same name.
    ///
    /// MLIR is in SSA form: a function defines each `%name` once. Regions that do not enclose each other may use the
    /// same name.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   %0 = stablehlo.negate %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: rename one of them.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   %1 = stablehlo.negate %0 : tensor<4xf32>
    ///   return %1 : tensor<4xf32>
    /// }
    /// ```
    E0102 RedefinedValue<'a> { name: &'a str, at: Span, first: Span }
        => "`{name}` is defined twice"
        label at "defined again here"
        label first "first defined here"
        help "rename one of them, and its uses";

    /// Two types that must be equal differ.
    ///
    /// The type at a use must be the type of the value, the types at a call those of the function, and the types at a
    /// `return` those of the signature.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<5xf32> {
    ///   %0 = stablehlo.abs %x : tensor<5xf32>
    ///   return %0 : tensor<5xf32>
    /// }
    /// ```
    ///
    /// What to do: correct the wrong type. The second label shows where the other type comes from.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0103 TypeMismatch<'a> { what: &'a str, expected: &'a str, found: &'a str, at: Span, because: Span }
        => "{what} has the type `{found}`, expected `{expected}`"
        label at "this is `{found}`"
        label because "`{expected}` because of this"
        help "correct the wrong type; if JAX printed the text, look for an edited or missing line";

    /// An op has the wrong number of operands.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = "stablehlo.add"(%x) : (tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: look the op up in the StableHLO specification.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = "stablehlo.add"(%x, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0104 WrongOperandCount<'a> { op: &'a str, expected: &'a str, found: usize, at: Span }
        => {
            let noun = if expected == "1" { "operand" } else { "operands" };
            format!("`{op}` takes {expected} {noun}, found {found}")
        }
        group "{op}"
        label at "{expected} expected"
        help { specification(op) };

    /// An op has the wrong number of results.
    ///
    /// An example that triggers it (`abs` has one result):
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0:2 = "stablehlo.abs"(%x) : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
    ///   return %0#0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: look the op up in the StableHLO specification.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = "stablehlo.abs"(%x) : (tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0105 WrongResultCount<'a> { op: &'a str, expected: &'a str, found: usize, at: Span }
        => {
            let noun = if expected == "1" { "result" } else { "results" };
            format!("`{op}` returns {expected} {noun}, found {found}")
        }
        group "{op}"
        label at "{expected} expected"
        help { specification(op) };

    /// A block does not end with the required op.
    ///
    /// A function's block ends with `return`, the region of a StableHLO op with `stablehlo.return`, and nothing
    /// follows.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: end the block with the op that the message names.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0106 WrongTerminator<'a> { op: &'a str, expected: &'a str, found: Option<&'a str>, at: Span }
        => {
            match found {
                Some(found) => format!("the body of `{op}` ends with `{found}`, expected `{expected}`"),
                None => format!("the body of `{op}` does not end with `{expected}`"),
            }
        }
        group "{op} {expected}"
        label at "`{expected}` expected here"
        help "end the block with `{expected}`; a line may be missing"
        fix { found.filter(|found| is_terminator(found)).and_then(|found| Fix::to(found, Some(expected))) };

    /// A function is called but not defined.
    ///
    /// `call @f` and the attributes that name a function (`called_computations`, `decomposition`) refer to a
    /// `func.func` of the same module.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = call @relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: pass the whole module. JAX prints the functions that `jit` inside `jit` makes as private functions
    /// after `@main`.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = call @relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// func.func private @relu(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.constant dense<0.0> : tensor<4xf32>
    ///   %1 = stablehlo.maximum %x, %0 : tensor<4xf32>
    ///   return %1 : tensor<4xf32>
    /// }
    /// ```
    E0107 UndefinedFunction<'a> { name: &'a str, nearest: Option<&'a str>, at: Span }
        => "the function `{name}` is not defined"
        label at "not defined in this module"
        help {
            did_you_mean(nearest)
                .or_else(|| Some("pass the whole module: JAX prints the called functions after `@main`".into()))
        }
        fix { Fix::to(name, nearest) };

    /// A function calls itself, directly or through others.
    ///
    /// Functions are inlined into the graph, and an ONNX graph cannot recurse. StableHLO forbids recursion too.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = call @relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// func.func private @relu(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = call @relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: use `jax.lax.while_loop` or `jax.lax.scan`.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = call @relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// func.func private @relu(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.constant dense<0.0> : tensor<4xf32>
    ///   %1 = stablehlo.maximum %x, %0 : tensor<4xf32>
    ///   return %1 : tensor<4xf32>
    /// }
    /// ```
    E0108 RecursiveCall<'a> { name: &'a str, at: Span, definition: Span }
        => "the function `{name}` calls itself"
        group "{name}"
        label at "this call leads back to `{name}`"
        label definition "`{name}` is defined here"
        help "use `jax.lax.while_loop` or `jax.lax.scan`";

    /// An attribute has a value that the op does not allow.
    ///
    /// The StableHLO specification lists the constraints of each op.
    ///
    /// An example that triggers it (the operand has two dimensions):
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
    ///   %0 = stablehlo.transpose %x, dims = [0, 2] : (tensor<2x3xf32>) -> tensor<2x3xf32>
    ///   return %0 : tensor<2x3xf32>
    /// }
    /// ```
    ///
    /// What to do: correct the value. If JAX printed it, JAX uses a newer StableHLO than this compiler supports.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
    ///   %0 = stablehlo.transpose %x, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
    ///   return %0 : tensor<3x2xf32>
    /// }
    /// ```
    E0109 InvalidAttribute<'a> { op: &'a str, attribute: &'a str, why: &'a str, at: Span }
        => "the attribute `{attribute}` of `{op}` is not valid: {why}"
        group "{op} {attribute}"
        label at "{why}"
        help { specification(op) };

    /// An op lacks a required attribute.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main() -> tensor<4xi32> {
    ///   %0 = "stablehlo.iota"() : () -> tensor<4xi32>
    ///   return %0 : tensor<4xi32>
    /// }
    /// ```
    ///
    /// What to do: add the attribute. The StableHLO specification lists those of each op.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main() -> tensor<4xi32> {
    ///   %0 = "stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<4xi32>
    ///   return %0 : tensor<4xi32>
    /// }
    /// ```
    E0110 MissingAttribute<'a> { op: &'a str, attribute: &'a str, at: Span }
        => "`{op}` lacks the attribute `{attribute}`"
        group "{op} {attribute}"
        label at "`{attribute}` is missing"
        help { specification(op) };

    /// The types of an op's operands and results are inconsistent.
    ///
    /// The rules are those of the StableHLO specification: elementwise ops have operands and results of one shape, a
    /// reshape keeps the number of elements, contracting dimensions have equal sizes.
    ///
    /// An example that triggers it (six elements are not seven):
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<2x3xf32>) -> tensor<7xf32> {
    ///   %0 = stablehlo.reshape %x : (tensor<2x3xf32>) -> tensor<7xf32>
    ///   return %0 : tensor<7xf32>
    /// }
    /// ```
    ///
    /// What to do: correct the types. JAX verifies the text that it prints, so only edited text breaks a rule.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<2x3xf32>) -> tensor<6xf32> {
    ///   %0 = stablehlo.reshape %x : (tensor<2x3xf32>) -> tensor<6xf32>
    ///   return %0 : tensor<6xf32>
    /// }
    /// ```
    E0111 InvalidType<'a> { op: &'a str, why: &'a str, at: Span }
        => "the types of `{op}` are not valid: {why}"
        group "{op}"
        label at "{why}"
        help { specification(op) };

    /// A value is used before its definition, or outside the region that defines it.
    ///
    /// Ops run in the order of the text, and a region's values are not visible outside it. A region returns values
    /// through its terminator.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %1 : tensor<4xf32>
    ///   %1 = stablehlo.negate %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: move the definition up, or return the value from the region.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %1 = stablehlo.negate %x : tensor<4xf32>
    ///   %0 = stablehlo.abs %1 : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0112 NotDominated<'a> { name: &'a str, at: Span, definition: Span }
        => "the definition of `{name}` does not dominate its use"
        label at "used here"
        label definition "defined here"
        help "move the definition up, or return the value from its region";

    /// The module has no entry function.
    ///
    /// The model is made from the function `@main`, or from the only public one: of the outer module, or else of the
    /// modules in it. Here there are several public functions without `@main` among them, or all functions are private.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @encode(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   return %x : tensor<4xf32>
    /// }
    /// func.func public @decode(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   return %x : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: name the function to convert `@main`, or make the others private.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   return %x : tensor<4xf32>
    /// }
    /// func.func public @decode(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   return %x : tensor<4xf32>
    /// }
    /// ```
    E0113 NoEntryFunction<'a> { candidates: &'a [&'a str], at: Span }
        => "the module has no entry function"
        label at "neither `@main` nor the only public function"
        note {
            let list = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            match candidates.len() {
                0 => None,
                1..=8 => Some(format!("the candidates are {}", list(candidates))),
                count => Some(format!("the candidates are {} and {} more", list(&candidates[..8]), count - 8)),
            }
        }
        help "name the function `@main`, or make all others private";

    /// Two functions have the same name.
    ///
    /// The symbols of a module are unique.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = call @relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// func.func private @relu(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.constant dense<0.0> : tensor<4xf32>
    ///   %1 = stablehlo.maximum %x, %0 : tensor<4xf32>
    ///   return %1 : tensor<4xf32>
    /// }
    /// func.func private @relu(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.constant dense<0.0> : tensor<4xf32>
    ///   %1 = stablehlo.maximum %x, %0 : tensor<4xf32>
    ///   return %1 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: rename one of them. The usual cause is two texts that were joined into one.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = call @relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// func.func private @relu(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.constant dense<0.0> : tensor<4xf32>
    ///   %1 = stablehlo.maximum %x, %0 : tensor<4xf32>
    ///   return %1 : tensor<4xf32>
    /// }
    /// ```
    E0114 RedefinedSymbol<'a> { name: &'a str, at: Span, first: Span }
        => "the symbol `{name}` is defined twice"
        label at "defined again here"
        label first "first defined here"
        help "rename one of them; the usual cause is two texts that were joined into one";

    /// A pass produced an invalid module.
    ///
    /// The verifier runs after each pass in debug builds and under `hlo2onnx opt`. A failure is a bug in the pass, not
    /// in the text, and no model is written. No known text triggers it; a pass that dropped the `return` of this one
    /// would:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   return %x : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: `hlo2onnx opt MODEL.mlir --passes ...` with the passes up to the named one prints the invalid
    /// module.
    E0115 InvalidModule<'a> { pass: &'a str, why: &'a str, at: Span }
        => "the module is not valid after the pass `{pass}`: {why}"
        group "{pass}"
        label at "produced from this"
        help "print the module before the pass with `hlo2onnx opt --passes`";

    /// A tensor has more than 2^63 - 1 elements or bytes.
    ///
    /// ONNX and its runtimes cannot represent a larger size. The
    /// usual cause is a miscomputed size, such as a product that overflows.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4294967296x4294967296x4xf32> {
    ///   %0 = stablehlo.broadcast_in_dim %x, dims = [2] : (tensor<4xf32>) -> tensor<4294967296x4294967296x4xf32>
    ///   return %0 : tensor<4294967296x4294967296x4xf32>
    /// }
    /// ```
    ///
    /// What to do: correct the size. JAX cannot run a program with such a tensor.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<42x42x4xf32> {
    ///   %0 = stablehlo.broadcast_in_dim %x, dims = [2] : (tensor<4xf32>) -> tensor<42x42x4xf32>
    ///   return %0 : tensor<42x42x4xf32>
    /// }
    /// ```
    E0116 TensorTooLarge<'a> { ty: &'a str, at: Span }
        => "`{ty}` has more than 2^63 - 1 elements or bytes"
        group "{ty}"
        label at "more than 2^63 - 1 bytes"
        help "correct the size: JAX cannot run a program with such a tensor";
}
