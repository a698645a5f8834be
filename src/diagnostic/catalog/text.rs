//! E00xx: the text itself.

use super::file_remedy::help;
use super::{did_you_mean, is_likely_typo};
use crate::bytecode::{Cause, NEWEST_VHLO};
use crate::diagnostic::Fix;
use crate::format::FileRemedy;
use crate::source::Span;

diagnostics! {
    /// The input is not StableHLO.
    ///
    /// The compiler reads MLIR as UTF-8 text, StableHLO's bytecode, a serialized `jax.export.Exported`, and a TensorFlow
    /// SavedModel of one function that `jax2tf` converted. The message tells what the file is instead, by its bytes.
    ///
    /// An example that triggers it (HLO text):
    ///
    /// ```python
    /// open("model.mlir", "w").write("HloModule jit_f")
    /// ```
    ///
    /// What to do: write StableHLO text instead.
    ///
    /// Fixed:
    ///
    /// ```python
    /// open("model.mlir", "w").write(exported.mlir_module())
    /// ```
    E0001 NotStableHlo<'a> { what: &'a str, remedy: FileRemedy, at: Span }
        => "the input is not StableHLO: it is {what}"
        label at "here"
        help { Some(help(remedy).into()) };

    /// A part of the text is not valid MLIR.
    ///
    /// The parser knows MLIR's structure (ops in generic form, regions, types, attributes, locations) and the custom
    /// assembly forms of `func`, `stablehlo` and `chlo`. It continues at the next statement, so one run finds every
    /// syntax error.
    ///
    /// An example that triggers it (an operand is missing):
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.add %x, : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: if the text was edited by hand, correct it. If JAX printed it, an op has a custom form that the
    /// parser does not know; print the module in generic form, which the parser always reads:
    ///
    /// ```python
    /// module = jax.jit(f).lower(x).compiler_ir("stablehlo")
    /// module.operation.print(file=open("model.mlir", "w"), print_generic_op_form=True, enable_debug_info=True)
    /// ```
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.add %x, %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0002 SyntaxError<'a> { expected: &'a str, found: &'a str, at: Span }
        => "expected {expected}, found {found}"
        label at {
            // The message already lists everything that is valid here.
            Some(if expected.len() <= 40 { format!("expected {expected}") } else { "unexpected".into() })
        }
        help "if the line was edited, correct it; if JAX printed it, print the generic form: `print_generic_op_form=True`";

    /// A bracket or a quote is never closed.
    ///
    /// The text ends, or the enclosing bracket closes, while a `{`, `(`, `[`, `<` or `"` is open. Usually the file was
    /// truncated, by a full disk or an interrupted copy.
    ///
    /// An example that triggers it (the last `}` is missing):
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// ```
    ///
    /// What to do: write the text again and compare the sizes of the files.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0003 UnclosedDelimiter<'a> { delimiter: &'a str, at: Span, end: Span, ends: bool }
        => "`{delimiter}` is never closed"
        label at "opened here"
        label end { Some(if ends { "the text ends here".into() } else { "still open here".into() }) }
        help "the file may be truncated: write the text again";

    /// Regions, types or attributes are nested too deep for the parser.
    ///
    /// The depth is limited so that no text can exhaust the stack. JAX's programs stay far below the limit: a loop in a
    /// loop or a tuple in a tuple adds one level. Calls are inlined, so the levels of a function count at each of its
    /// calls.
    ///
    /// An example that triggers it:
    ///
    /// ```python
    /// open("model.mlir", "w").write("func.func @main(%x: " + "tuple<" * 200 + "tensor<f32>" + ">" * 200 + ")")
    /// ```
    ///
    /// What to do: if a script generated the text, make it close every bracket. If the program nests many `lax.cond`
    /// calls, use `lax.switch`.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<f32>) -> tensor<f32> {
    ///   %0 = stablehlo.abs %x : tensor<f32>
    ///   return %0 : tensor<f32>
    /// }
    /// ```
    E0004 NestingTooDeep { limit: usize, at: Span }
        => "nested more than {limit} levels deep"
        label at "one level too many"
        help "close every bracket; replace nested `lax.cond` by `lax.switch`";

    /// There is no function to convert.
    ///
    /// The text contains only modules and comments. A model is made from a `func.func`.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// module @jit_f {
    /// }
    /// ```
    ///
    /// What to do: check that this is the right file, and that it was written completely.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// module @jit_f {
    ///   func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///     %0 = stablehlo.abs %x : tensor<4xf32>
    ///     return %0 : tensor<4xf32>
    ///   }
    /// }
    /// ```
    E0005 EmptyInput { at: Span }
        => "the text has no function to convert"
        label at "contains no function"
        help "write the text with `jax.jit(f).lower(x).as_text(debug_info=True)`";

    /// A literal is malformed, or does not match its type.
    ///
    /// The hexadecimal digits of a `dense<"0x...">` must come in pairs and match the size of the type; a list must have
    /// the number of elements of the type, nested in its shape; a string must be terminated and use only MLIR's
    /// escapes.
    ///
    /// An example that triggers it (three elements for a tensor of four):
    ///
    /// ```mlir
    /// func.func public @main() -> tensor<4xf32> {
    ///   %0 = stablehlo.constant dense<[1.0, 2.0, 3.0]> : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: JAX does not print such literals. If the text was edited, correct it; otherwise the file was
    /// damaged, or elided by MLIR's `--mlir-elide-elementsattrs-if-larger`: print it in full
    /// (`large_elements_limit=None`).
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main() -> tensor<4xf32> {
    ///   %0 = stablehlo.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0006 BadLiteral<'a> { why: &'a str, at: Span, ty_at: Span }
        => "malformed literal: {why}"
        label at "{why}"
        label ty_at "required by this type"
        help "correct the literal or its type; if JAX printed it, it was truncated or elided: print with `large_elements_limit=None`";

    /// A number does not fit in its type, or is too large for the compiler.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main() -> tensor<ui8> {
    ///   %0 = stablehlo.constant dense<300> : tensor<ui8>
    ///   return %0 : tensor<ui8>
    /// }
    /// ```
    ///
    /// What to do: correct the number, or the type.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main() -> tensor<ui8> {
    ///   %0 = stablehlo.constant dense<255> : tensor<ui8>
    ///   return %0 : tensor<ui8>
    /// }
    /// ```
    E0007 NumberOutOfRange<'a> { number: &'a str, ty: &'a str, at: Span }
        => "`{number}` does not fit in {ty}"
        label at "out of range"
        help "correct the number, or the type";

    /// An alias is used but not defined.
    ///
    /// `#name` and `!name` refer to an attribute or type that a line `#name = ...` at the top level defines, before or
    /// after its use.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32> loc(#loc7)
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: pass the whole text. Aliases are at the beginning and the end of the file and are lost when a
    /// function is cut out of it.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32> loc(#loc7)
    ///   return %0 : tensor<4xf32>
    /// }
    /// #loc7 = loc("model.py":3:8)
    /// ```
    E0008 UndefinedAlias<'a> { name: &'a str, nearest: Option<&'a str>, at: Span }
        => "the alias `{name}` is not defined"
        label at "no line defines it"
        help { did_you_mean(nearest.filter(|near| is_likely_typo(name, near))).or_else(|| Some("pass the whole text: aliases are defined at its beginning and end".into())) }
        fix { Fix::to(name, nearest.filter(|near| is_likely_typo(name, near))) };

    /// The parser does not know the custom form of an op.
    ///
    /// MLIR's generic form, `"dialect.op"(%a) <{attribute = 1}> : (type) -> type`, is read for any op. The custom
    /// form, without the quotes, is different for each op; it is known for most ops of `func`, `stablehlo` and `chlo`.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.map %x, %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: check the op's name, and print the text in generic form:
    ///
    /// ```python
    /// module = jax.jit(f).lower(x).compiler_ir("stablehlo")
    /// module.operation.print(file=open("model.mlir", "w"), print_generic_op_form=True, enable_debug_info=True)
    /// ```
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.multiply %x, %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0009 UnknownAssembly<'a> { op: &'a str, at: Span }
        => "the custom form of `{op}` is not known"
        group "{op}"
        label at "unknown custom form"
        help "print the text in generic form (`print_generic_op_form=True`)";

    /// An attribute has two values.
    ///
    /// A dictionary, or an op with its properties, its attributes and the clauses of its custom form, names each
    /// attribute once. MLIR rejects an attribute with two values, because it is not defined which one applies.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = "stablehlo.reverse"(%x) <{dimensions = array<i64: 0>, dimensions = array<i64>}> : (tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: delete one of the two.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = "stablehlo.reverse"(%x) <{dimensions = array<i64: 0>}> : (tensor<4xf32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    E0010 DuplicateAttribute<'a> { name: &'a str, at: Span, first: Span }
        => "the attribute `{name}` is written twice"
        label at "written again"
        label first "first written here"
        help "delete one of the two";

    /// MLIR bytecode cannot be read.
    ///
    /// The compiler reads the bytecode in which StableHLO serializes programs (its "portable artifacts", of the dialect
    /// VHLO), also within a serialized `jax.export.Exported`. The offset is that of the byte, or of the op,
    /// that could not be read. The bytes around it are shown in place of the text.
    ///
    /// An example that triggers it (the file was cut off):
    ///
    /// ```python
    /// open("model.mlir", "wb").write(exported.mlir_module_serialized[:64])
    /// ```
    ///
    /// What to do: write the file again, in binary mode. A file of a newer StableHLO can be written for an older one
    /// (`stablehlo.serialize_portable_artifact(module, "1.20.0")`). Bytecode of other dialects is what MLIR's `write_bytecode`
    /// writes; write a portable artifact or text in its place.
    ///
    /// Fixed:
    ///
    /// ```python
    /// open("model.mlir", "wb").write(exported.mlir_module_serialized)
    /// ```
    E0011 UnreadableBytecode<'a> { why: &'a str, cause: &'a Cause, offset: usize, producer: &'a str, at: Span }
        => "the bytecode cannot be read at byte {offset}: {why}"
        label at "byte {offset}"
        help {
            Some(match cause {
                Cause::Damage => "the file is damaged or was cut off: write it again, in binary mode".into(),
                Cause::Newer => format!(
                    "{writer} wrote it, and VHLO {NEWEST_VHLO} is the newest that is read: write it for that version, with \
                     `stablehlo.serialize_portable_artifact(module, \"{NEWEST_VHLO}\")`, or update hlo2onnx",
                    writer = if producer.is_empty() { "a newer MLIR" } else { producer },
                ),
                Cause::Unsupported => "this is not supported in bytecode: write text, with `str(module)`".into(),
                Cause::Foreign(dialect) if dialect == "stablehlo" || dialect == "func" => {
                    "it is not a portable artifact: write `exported.serialize()` or \
                     `stablehlo.serialize_portable_artifact(module, stablehlo.get_current_version())` in binary mode, or \
                     `str(module)` as text"
                        .into()
                }
                Cause::Foreign(dialect) => format!("the dialect `{dialect}` has its own encoding: write text, with `str(module)`"),
            })
        };
}
