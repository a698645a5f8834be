//! Prints types in MLIR syntax.

use super::{Dim, Element, Module, TensorType, Type, TypeId};
use std::fmt::Write;

// Writing to a string cannot fail, so results of `write!` are ignored here.
impl Module {
    /// A type as MLIR prints it.
    pub fn spell(&self, ty: TypeId) -> String {
        let mut text = String::new();
        self.spell_into(&mut text, ty);
        text
    }

    /// A tensor type as MLIR prints it.
    pub fn spell_tensor(&self, tensor: &TensorType) -> String {
        let mut text = String::new();
        self.spell_tensor_into(&mut text, tensor);
        text
    }

    /// An element type as MLIR prints it.
    pub fn spell_element(&self, element: Element) -> &str {
        match element {
            Element::Quantized(text) => self.symbols.get(text),
            other => other.name().unwrap_or("none"),
        }
    }

    /// Appends a type. Recursion follows the nesting of the type, which the parser limits.
    pub(super) fn spell_into(&self, out: &mut String, ty: TypeId) {
        match self.types.get(ty) {
            Type::Tensor(tensor) => self.spell_tensor_into(out, tensor),
            Type::Scalar(element) => out.push_str(self.spell_element(*element)),
            Type::Token => out.push_str("!stablehlo.token"),
            Type::None => out.push_str("none"),
            Type::Tuple(parts) => {
                out.push_str("tuple<");
                self.spell_list(out, parts);
                out.push('>');
            }
            Type::Function(inputs, results) => {
                out.push('(');
                self.spell_list(out, inputs);
                out.push_str(") -> (");
                self.spell_list(out, results);
                out.push(')');
            }
            Type::Opaque(text) => out.push_str(self.symbols.get(*text)),
        }
    }

    fn spell_tensor_into(&self, out: &mut String, tensor: &TensorType) {
        out.push_str("tensor<");
        for dim in &tensor.dims {
            let _ = match dim {
                Dim::Known(size) => write!(out, "{size}x"),
                Dim::Symbolic(_) | Dim::Dynamic => write!(out, "?x"),
            };
        }
        out.push_str(self.spell_element(tensor.element));
        if let Some(encoding) = tensor.encoding {
            let _ = write!(out, ", {}", self.symbols.get(encoding));
        }
        out.push('>');
    }

    fn spell_list(&self, out: &mut String, types: &[TypeId]) {
        for (index, &ty) in types.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            self.spell_into(out, ty);
        }
    }
}
