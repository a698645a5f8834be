//! Types and the signatures of ops, interned by their text.

use super::Parser;
use super::text::{Rule, Text};
use crate::diagnostic::catalog::NumberOutOfRange;
use crate::ir::{Dim, Dims, Element, TensorType, Type, TypeId};
use pest::iterators::Pair;
use std::borrow::Cow;
use std::rc::Rc;

/// Limits how many other types a type may contain: aliases that use others twice grow exponentially.
const MOST_PARTS: usize = 4096;

/// What follows the colon of an op.
#[derive(Debug)]
pub(super) struct Signature {
    /// The types before the arrow, or all of them if there is no arrow.
    pub inputs: Vec<TypeId>,
    /// The types after the arrow.
    pub outputs: Option<Vec<TypeId>>,
}

impl Parser<'_> {
    /// The signature of an op.
    pub(super) fn signature(&mut self, text: Text<'_>) -> Option<Rc<Signature>> {
        if let Some(known) = self.signatures.get(text.text) {
            return Some(known.clone());
        }
        let mut signature = Signature { inputs: Vec::new(), outputs: None };
        for pair in self.run(Rule::signature_entry, text)? {
            match pair.as_rule() {
                Rule::ty => {
                    let ty = self.ty(text.of(&pair))?;
                    signature.outputs.as_mut().unwrap_or(&mut signature.inputs).push(ty);
                }
                Rule::arrow => signature.outputs = Some(Vec::new()),
                _ => {}
            }
        }
        let signature = Rc::new(signature);
        self.signatures.insert(text.text.into(), signature.clone());
        Some(signature)
    }

    /// A type.
    pub(super) fn ty(&mut self, text: Text<'_>) -> Option<TypeId> {
        if let Some(&known) = self.types.get(text.text) {
            return Some(known);
        }
        let mut ty = None;
        for pair in self.run(Rule::type_entry, text)? {
            ty = match pair.as_rule() {
                Rule::tensor => Some(self.tensor(text, pair)?),
                Rule::tuple => {
                    let parts = self.inner_types(text, pair)?.0;
                    Some(Type::Tuple(parts))
                }
                Rule::function_type => {
                    let (inputs, results) = self.inner_types(text, pair)?;
                    Some(Type::Function(inputs, results))
                }
                Rule::named_type => match self.named_type(text)? {
                    Named::Type(ty) => Some(ty),
                    Named::Alias(id) => {
                        self.types.insert(text.text.into(), id);
                        return Some(id);
                    }
                },
                _ => continue,
            };
        }
        let ty = ty?;
        let parts = self.parts_of(&ty);
        if parts > MOST_PARTS + text.text.len() {
            self.expected(&format!("a type of at most {MOST_PARTS} parts"), text);
            return None;
        }
        let id = self.module.types.intern(ty);
        if parts > 1 {
            self.type_parts.insert(id, parts);
        }
        self.types.insert(text.text.into(), id);
        Some(id)
    }

    /// How many types a type is written as where no alias is used.
    fn parts_of(&self, ty: &Type) -> usize {
        let parts = |id: &TypeId| self.type_parts.get(id).copied().unwrap_or(1);
        match ty {
            Type::Tuple(inner) => inner.iter().map(parts).sum::<usize>() + 1,
            Type::Function(inputs, results) => inputs.iter().chain(results).map(parts).sum::<usize>() + 1,
            _ => 1,
        }
    }

    fn inner_types(&mut self, text: Text<'_>, pair: Pair<'_, Rule>) -> Option<(Vec<TypeId>, Vec<TypeId>)> {
        let (mut inputs, mut results, mut after_arrow) = (Vec::new(), Vec::new(), false);
        for inner in pair.into_inner() {
            if inner.as_rule() == Rule::arrow {
                after_arrow = true;
                continue;
            }
            let ty = self.ty(text.of(&inner))?;
            if after_arrow { results.push(ty) } else { inputs.push(ty) }
        }
        Some((inputs, results))
    }

    fn tensor(&mut self, text: Text<'_>, pair: Pair<'_, Rule>) -> Option<Type> {
        let mut dims = Dims::new();
        let (mut element, mut encoding) = (None, None);
        for inner in pair.into_inner() {
            let part = text.of(&inner);
            match inner.as_rule() {
                Rule::dim => {
                    let size = part.text.trim_end_matches('x').trim_end();
                    dims.push(match size {
                        "?" => Dim::Dynamic,
                        _ => Dim::Known(self.size(size, part)?),
                    });
                }
                Rule::element_type => element = Some(self.element(part)?),
                Rule::encoding => encoding = Some(self.module.symbols.intern(&spaced(part.text))),
                _ => {}
            }
        }
        Some(Type::Tensor(TensorType { element: element?, dims, encoding }))
    }

    fn size(&mut self, digits: &str, text: Text<'_>) -> Option<i64> {
        let size = digits.parse().ok();
        if size.is_none() {
            self.diagnostics.push(NumberOutOfRange { number: digits, ty: "a 64-bit size", at: text.span() });
        }
        size
    }

    fn element(&mut self, text: Text<'_>) -> Option<Element> {
        if text.text.starts_with("!quant.") {
            return Some(Element::Quantized(self.module.symbols.intern(&spaced(text.text))));
        }
        if text.text.starts_with('!') {
            let ty = self.type_alias(text)?;
            let element = match *self.module.types.get(ty) {
                Type::Scalar(element) => Some(element),
                Type::Opaque(name) if self.module.symbols.get(name).starts_with("!quant.") => {
                    Some(Element::Quantized(name))
                }
                _ => None,
            };
            if element.is_none() {
                self.expected("the alias of an element type", text);
            }
            return element;
        }
        let compact: String = text.text.chars().filter(|character| !character.is_whitespace()).collect();
        let element = Element::from_name(&compact);
        if element.is_none() {
            self.expected("an element type such as `f32`", text);
        }
        element
    }

    fn named_type(&mut self, text: Text<'_>) -> Option<Named> {
        let name = text.text;
        if let Some(element) = Element::from_name(name) {
            return Some(Named::Type(Type::Scalar(element)));
        }
        match name {
            "none" => return Some(Named::Type(Type::None)),
            "!stablehlo.token" | "!mhlo.token" => return Some(Named::Type(Type::Token)),
            _ => {}
        }
        if name.starts_with('!') && !name.contains(['.', '<']) {
            return self.type_alias(text).map(Named::Alias);
        }
        let opaque = name.starts_with('!')
            || ["memref<", "vector<", "complex<", "tensor<*"].iter().any(|prefix| name.starts_with(prefix));
        if !opaque {
            self.expected("a type", text);
            return None;
        }
        Some(Named::Type(Type::Opaque(self.module.symbols.intern(&spaced(name)))))
    }

    fn type_alias(&mut self, text: Text<'_>) -> Option<TypeId> {
        let Some(&definition) = self.aliases.get(text.text) else {
            self.undefined_alias(text);
            return None;
        };
        self.nested(text.span(), |parser| {
            let frame = parser.frame(definition)?;
            let body = parser.alias_body(&frame, Rule::type_alias)?;
            parser.ty(body)
        })
    }
}

/// The text of a type with spaces after its commas alone, so that equal types are one.
fn spaced(text: &str) -> Cow<'_, str> {
    if text.contains('"') || !text.contains([' ', ',']) {
        return text.into();
    }
    let parts: Vec<String> =
        text.split(',').map(|part| part.chars().filter(|c| !c.is_whitespace()).collect()).collect();
    parts.join(", ").into()
}

enum Named {
    Type(Type),
    Alias(TypeId),
}
