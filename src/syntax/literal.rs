//! The elements of constants: `dense<...>` in all its forms, and resources.

use super::Parser;
use super::text::{Removed, Rule, Text};
use crate::diagnostic::catalog::BadLiteral;
use crate::ir::{Attribute, Constant, Data, Element, TensorType, TypeId};
use crate::source::Span;
use pest::iterators::Pair;
use std::ops::Range;

/// Constants of at most this many bytes are copied, so that passes read them, and those of a text as those of bytecode.
const COPIED: usize = 1 << 12;

impl Parser<'_> {
    /// `dense<...> : type`.
    pub(super) fn dense(&mut self, text: Text<'_>, pair: Pair<'_, Rule>) -> Option<Attribute> {
        let mut inner: Vec<_> = pair.into_inner().collect();
        let ty_text = text.of(&inner.pop()?);
        let ty = self.ty(ty_text)?;
        self.dense_of(text, inner.pop(), ty, ty_text.span())
    }

    /// The constant between the angle brackets of `dense<...>`.
    pub(super) fn dense_of(
        &mut self,
        text: Text<'_>,
        body: Option<Pair<'_, Rule>>,
        ty: TypeId,
        ty_at: Span,
    ) -> Option<Attribute> {
        let at = body.as_ref().map_or(text.span(), |body| text.of(body).span());
        let tensor = self.module.tensor_type(ty).cloned();
        let Some((tensor, count)) = tensor.and_then(|tensor| Some((tensor.clone(), count_of(&tensor)?)))
        else {
            self.bad_literal("its type is not a tensor with a static number of elements", at, ty_at);
            return None;
        };
        if tensor.element.bits() == 0 {
            self.bad_literal("this type has no element literals", at, ty_at);
            return None;
        }
        let data = match body {
            None if count == 0 => Data::Bytes(Vec::new().into()),
            None => {
                self.bad_literal("it has no elements", at, ty_at);
                return None;
            }
            Some(body) if body.as_rule() == Rule::string => {
                self.packed(text.of(&body), tensor.element, count, ty_at)?
            }
            Some(body) => self.list(text, body, &tensor, count, ty_at)?,
        };
        Some(Attribute::Dense(self.module.add_constant(Constant { ty, data })))
    }

    fn bad_literal(&mut self, why: &str, at: Span, ty_at: Span) {
        self.diagnostics.push(BadLiteral { why, at, ty_at });
    }

    /// Elements that are written out, or the one that all are.
    fn list(
        &mut self,
        text: Text<'_>,
        body: Pair<'_, Rule>,
        tensor: &TensorType,
        count: usize,
        ty_at: Span,
    ) -> Option<Data> {
        let at = text.of(&body).span();
        let width = tensor.element.bytes();
        let mut bytes = Vec::new();
        let splat = body.as_rule() != Rule::dense_list;
        if splat {
            self.scalar(text, body, tensor.element, &mut bytes)?;
        } else {
            let sizes = tensor.sizes()?;
            self.nested_list(text, body, tensor.element, &sizes, ty_at, &mut bytes)?;
            if Some(bytes.len()) != count.checked_mul(width) {
                self.bad_literal("its number of elements does not match its type", at, ty_at);
                return None;
            }
        }
        // A constant of equal elements has one form, however it was written.
        let first = bytes.get(..width).map(<[u8]>::to_vec).unwrap_or_default();
        if count > 0 && bytes.chunks_exact(width).all(|element| element == first) {
            return Some(Data::Splat(first.into_iter().collect()));
        }
        Some(Data::Bytes(if count == 0 { Vec::new().into() } else { bytes.into() }))
    }

    /// One level of a list; the scan bounds how deep it nests.
    fn nested_list(
        &mut self,
        text: Text<'_>,
        pair: Pair<'_, Rule>,
        element: Element,
        sizes: &[i64],
        ty_at: Span,
        bytes: &mut Vec<u8>,
    ) -> Option<()> {
        let at = text.of(&pair).span();
        if pair.as_rule() != Rule::dense_list {
            if !sizes.is_empty() {
                self.bad_literal("it is nested less deeply than its type", at, ty_at);
                return None;
            }
            return self.scalar(text, pair, element, bytes);
        }
        let Some((&size, rest)) = sizes.split_first() else {
            self.bad_literal("it is nested more deeply than its type", at, ty_at);
            return None;
        };
        let mut found = 0;
        for item in pair.into_inner() {
            self.nested_list(text, item, element, rest, ty_at, bytes)?;
            found += 1;
        }
        if found != size {
            self.bad_literal(&format!("a list of {found}, but its type has {size}"), at, ty_at);
            return None;
        }
        Some(())
    }

    fn scalar(
        &mut self,
        text: Text<'_>,
        pair: Pair<'_, Rule>,
        element: Element,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let complex = pair.as_rule() == Rule::complex;
        if complex != element.is_complex() {
            let why = if complex {
                "a pair, but its type is not complex"
            } else {
                "not a pair, but its type is complex"
            };
            self.bad_literal(why, text.of(&pair).span(), Span::NONE);
            return None;
        }
        if !complex {
            return self.element_bytes(text.of(&pair), element, out);
        }
        for part in pair.into_inner() {
            self.element_bytes(text.of(&part), element.part(), out)?;
        }
        Some(())
    }

    /// Elements as hexadecimal digits of their bytes.
    fn packed(&mut self, string: Text<'_>, element: Element, count: usize, ty_at: Span) -> Option<Data> {
        if let Some(Removed::Literal(digits)) = string.part(3.min(string.text.len())..string.text.len()).cut()
        {
            return self.digits(digits.clone(), element, count, ty_at);
        }
        let span = string.span();
        if !string.text.starts_with("\"0x") {
            self.bad_literal("a string that does not begin with `0x`", span, ty_at);
            return None;
        }
        if !string.text[3..string.text.len() - 1].bytes().all(|digit| digit.is_ascii_hexdigit()) {
            self.bad_literal("a character that is not a hexadecimal digit", span, ty_at);
            return None;
        }
        self.digits(span.start + 3..span.end - 1, element, count, ty_at)
    }

    /// Digits of the source, which have been seen to be hexadecimal. Those of a short literal are read here.
    fn digits(&mut self, digits: Range<usize>, element: Element, count: usize, ty_at: Span) -> Option<Data> {
        let span = Span::from(digits.clone());
        let width = element.bytes();
        if span.len() % 2 != 0 {
            self.bad_literal("an odd number of digits", span, ty_at);
            return None;
        }
        let found = span.len() / 2;
        let bits = element == Element::Bool && found == count.div_ceil(8) && found != count;
        if bits {
            return Some(Data::SourceBits(digits));
        }
        let splat = found == width && count > 0;
        if !splat && Some(found) != count.checked_mul(width) {
            let why = match count.checked_mul(width) {
                Some(wanted) => format!("{found} bytes, but its type takes {wanted}"),
                None => format!("{found} bytes, but its type takes more"),
            };
            self.bad_literal(&why, span, ty_at);
            return None;
        }
        if found > COPIED {
            self.source.leave(digits.clone());
            return Some(Data::Source(digits));
        }
        let mut bytes = vec![0; found];
        if const_hex::decode_to_slice(&self.source.bytes()[digits.clone()], &mut bytes).is_err() {
            self.bad_literal("a character that is not a hexadecimal digit", span, ty_at);
            return None;
        }
        self.source.leave(digits);
        if element == Element::Bool {
            bytes.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
        }
        Some(copied(&bytes, width))
    }

    /// `dense_resource<key> : type`: the digits are at the end of the file, after four bytes of alignment, or the bytes are
    /// in the file of the bytecode.
    pub(super) fn resource(&mut self, text: Text<'_>, pair: Pair<'_, Rule>) -> Option<Attribute> {
        let mut inner = pair.into_inner();
        let (key, ty_text) = (text.of(&inner.next()?), text.of(&inner.next()?));
        let ty = self.ty(ty_text)?;
        self.resource_of(key, ty, ty_text.span())
    }

    /// The constant of a resource.
    pub(super) fn resource_of(&mut self, key: Text<'_>, ty: TypeId, ty_at: Span) -> Option<Attribute> {
        if let Some(blob) = self.source.blob(key.text.trim()) {
            let tensor = self.module.tensor_type(ty);
            let width = tensor.map_or(0, |tensor| tensor.element.bytes());
            let length = tensor.and_then(|tensor| count_of(tensor)?.checked_mul(width));
            if length != Some(blob.len()) {
                self.bad_literal("its length does not match its type", key.span(), ty_at);
                return None;
            }
            let data = if blob.len() <= COPIED { copied(&blob.bytes(), width) } else { Data::Mapped(blob) };
            return Some(Attribute::Dense(self.module.add_constant(Constant { ty, data })));
        }
        let Some(digits) = self.resources.get(key.text.trim()).cloned() else {
            let why = match key.text.trim() {
                "__elided__" => "its elements were elided when the text was printed",
                _ => "the resource is not in the file",
            };
            self.bad_literal(why, key.span(), Span::NONE);
            return None;
        };
        let tensor = self.module.tensor_type(ty).cloned();
        let Some((tensor, count)) = tensor.and_then(|tensor| Some((tensor.clone(), count_of(&tensor)?)))
        else {
            self.bad_literal("its type is not a tensor with a static number of elements", key.span(), ty_at);
            return None;
        };
        if digits.len() < 8 {
            self.bad_literal("the resource has no alignment", Span::from(digits), Span::NONE);
            return None;
        }
        let data = self.digits(digits.start + 8..digits.end, tensor.element, count, ty_at)?;
        Some(Attribute::Dense(self.module.add_constant(Constant { ty, data })))
    }
}

/// Elements of this many bytes each, in the one form of their values.
fn copied(bytes: &[u8], width: usize) -> Data {
    match bytes.get(..width) {
        Some(first) if width > 0 && bytes.chunks_exact(width).all(|element| element == first) => {
            Data::Splat(first.iter().copied().collect())
        }
        _ => Data::Bytes(bytes.into()),
    }
}

fn count_of(tensor: &TensorType) -> Option<usize> {
    tensor.count().and_then(|count| usize::try_from(count).ok())
}
