//! The custom forms of the ops of `arith`, `tensor` and `shape` that front ends mix with StableHLO.

use super::Parser;
use super::forms::Clauses;
use super::statement::{Body, Parts, region_of};
use super::text::Text;
use crate::ir::{Attribute, Constant, Data, Dim, Element, Type, TypeId, shape};

/// The predicates of `arith.cmpi`, in the order of MLIR's numbers.
const PREDICATES: [&str; 10] = ["eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"];

/// What the form of an op is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mixed {
    /// `%w -> (types) {`.
    Assuming,
    /// Operands of the type and a result of another, after `to` or `into`.
    Cast,
    /// A predicate and two operands of the type.
    Compare,
    /// `[1, 2] : tensor<2xindex>`.
    ConstantShape,
    /// A tensor and the number of a dimension.
    Dim,
    /// As many elements as operands, of the type of the result.
    Elements,
    /// `%x[%i] : tensor<4xf32>`.
    Extract,
    /// Operands of the types and a shape.
    Extents,
    /// `%x[0][2][1] : tensor<4xf32> to tensor<2xf32>`.
    Slice,
    /// `%x into %y[0][2][1] : tensor<2xf32> into tensor<4xf32>`.
    Insert,
    /// `"message"` after operands; has no effect on the program.
    Witness,
}

impl<'s> Parser<'s> {
    /// Reads the clauses and the types.
    pub(super) fn mixed(
        &mut self,
        form: Mixed,
        name: Text<'_>,
        clauses: &mut Clauses<'_>,
        parts: &mut Parts<'s>,
    ) -> Option<()> {
        let index = self.scalar_type(Element::Index);
        match form {
            Mixed::Assuming => {
                let results = self.need(clauses.results.take(), "`->` and the result types", name)?;
                parts.result_types.extend(self.signature(results)?.inputs.iter().copied());
                let witness = self.opaque_type("!shape.witness");
                parts.operand_types.extend(std::iter::repeat_n(witness, parts.operands.len()));
                parts.regions.extend(clauses.regions.drain(..).map(|braces| Body::plain(region_of(braces))));
                return Some(());
            }
            Mixed::Witness => {
                if let Some(message) = clauses.string.take() {
                    let message = self.unescape(message)?;
                    self.set(&mut parts.attributes, "msg", Attribute::String(message.into()));
                }
                if let Some(passing) = clauses.words.pop() {
                    self.set(&mut parts.attributes, "passing", Attribute::Bool(passing.text == "true"));
                }
                let types = self.types_or_none(clauses)?;
                let untyped = if name.text == shape::ASSUMING_ALL.text() {
                    self.opaque_type("!shape.witness")
                } else {
                    self.scalar_type(Element::Bool)
                };
                let stated = if types.is_empty() { vec![untyped; parts.operands.len()] } else { types };
                parts.operand_types.extend(stated);
                parts.result_types.push(self.opaque_type("!shape.witness"));
                return Some(());
            }
            _ => {}
        }
        let types = self.types_or_none(clauses)?;
        let &[first, ..] = types.as_slice() else {
            self.lacks("`:` and the types", name.span());
            return None;
        };
        let count = parts.operands.len();
        match form {
            Mixed::Assuming | Mixed::Witness => {}
            Mixed::Cast | Mixed::Slice | Mixed::Insert => {
                let to = self.need(clauses.words.pop(), "`to` and the type of the result", name)?;
                let result = self.ty(to)?;
                let word = clauses.words.pop().filter(|word| matches!(word.text, "to" | "into"));
                self.need(word, "`to` or `into`", name)?;
                parts.operand_types.push(first);
                if form == Mixed::Insert {
                    parts.operand_types.push(result);
                }
                parts.result_types.push(result);
                let lists: &[&'static str] = match form {
                    Mixed::Cast if name.text.starts_with("tensor.") => {
                        &["reassociation", "static_output_shape"]
                    }
                    Mixed::Cast => &[],
                    _ => &["static_offsets", "static_sizes", "static_strides"],
                };
                clauses.words.retain(|word| !matches!(word.text, "into" | "output_shape"));
                let mut brackets =
                    clauses.brackets.take().into_iter().chain(std::mem::take(&mut clauses.lists));
                // How many operands are values of the tensors, of offsets, of sizes and of strides.
                let mut segments = vec![1_i64; count];
                for &list in lists {
                    let Some(text) = brackets.next() else { continue };
                    let value = if list == "reassociation" {
                        self.lone_attribute(text)?
                    } else {
                        let known = parts.operands.len();
                        let numbers = self.indices(text, index, parts)?;
                        segments.push((parts.operands.len() - known) as i64);
                        Attribute::Integers(Element::I64, numbers.into())
                    };
                    self.set(&mut parts.attributes, list, value);
                }
                if form != Mixed::Cast {
                    let segments = Attribute::Integers(Element::I32, segments.into());
                    self.set(&mut parts.attributes, "operandSegmentSizes", segments);
                }
            }
            Mixed::Compare => {
                let word = self.need(clauses.words.pop(), "a predicate such as `slt`", name)?;
                let Some(number) = PREDICATES.iter().position(|predicate| *predicate == word.text) else {
                    self.expected("a predicate such as `slt`", word);
                    return None;
                };
                let predicate = Attribute::Integer(number as i64, self.scalar_type(Element::I64));
                self.set(&mut parts.attributes, "predicate", predicate);
                parts.operand_types.extend(std::iter::repeat_n(first, count));
                let result = match self.module.tensor_type(first).cloned() {
                    Some(tensor) => self.module.tensor_of(Element::Bool, &tensor.dims),
                    None => self.scalar_type(Element::Bool),
                };
                parts.result_types.push(result);
            }
            Mixed::ConstantShape => {
                let list = self.need(clauses.brackets.take(), "a list such as `[1, 2]`", name)?;
                let sizes = self.clause(super::clauses::ClauseKind::Integers, list)?;
                let sizes = self.module.integers(&sizes).unwrap_or_default();
                let ty = self.module.tensor_of(Element::Index, &[Dim::Known(sizes.len() as i64)]);
                let bytes: Vec<u8> = sizes.iter().flat_map(|size| size.to_le_bytes()).collect();
                // As a literal of one element is read.
                let data =
                    if sizes.len() == 1 { Data::Splat(bytes.into()) } else { Data::Bytes(bytes.into()) };
                let sizes = Attribute::Dense(self.module.add_constant(Constant { ty, data }));
                self.set(&mut parts.attributes, "shape", sizes);
                parts.result_types.push(first);
            }
            Mixed::Dim => {
                parts.operand_types.push(first);
                parts.operand_types.extend(std::iter::repeat_n(index, count.saturating_sub(1)));
                parts.result_types.push(index);
            }
            Mixed::Elements => {
                let element = self.element_of(first, name)?;
                parts.operand_types.extend(std::iter::repeat_n(element, count));
                parts.result_types.push(first);
            }
            Mixed::Extract => {
                parts.operand_types.push(first);
                let list = self.need(clauses.brackets.take(), "indices such as `[%i]`", name)?;
                let fixed = self.indices(list, index, parts)?;
                if fixed.iter().any(|&number| number != i64::MIN) {
                    self.expected("values as indices", list);
                    return None;
                }
                let element = self.element_of(first, name)?;
                parts.result_types.push(element);
            }
            Mixed::Extents => {
                parts.operand_types.extend(types);
                parts.result_types.push(self.opaque_type("!shape.shape"));
            }
        }
        Some(())
    }

    /// A list of numbers and values: the values become operands, and `i64::MIN` represents each, as MLIR has it.
    fn indices(&mut self, list: Text<'_>, index: TypeId, parts: &mut Parts<'s>) -> Option<Vec<i64>> {
        let mut numbers = Vec::new();
        for item in self.list_items(list)? {
            if item.text.starts_with('%') {
                parts.operands.push(self.operand(item));
                parts.operand_types.push(index);
                numbers.push(i64::MIN);
            } else {
                let Ok(number) = item.text.parse() else {
                    self.expected("a number or a value", item);
                    return None;
                };
                numbers.push(number);
            }
        }
        Some(numbers)
    }

    fn types_or_none(&mut self, clauses: &mut Clauses<'_>) -> Option<Vec<TypeId>> {
        let Some(text) = clauses.signature.take() else { return Some(Vec::new()) };
        Some(self.signature(text)?.inputs.to_vec())
    }

    fn element_of(&mut self, ty: TypeId, name: Text<'_>) -> Option<TypeId> {
        let Some(element) = self.module.tensor_type(ty).map(|tensor| tensor.element) else {
            self.lacks("the type of a tensor", name.span());
            return None;
        };
        Some(self.scalar_type(element))
    }

    fn opaque_type(&mut self, name: &str) -> TypeId {
        let name = self.module.symbols.intern(name);
        self.module.types.intern(Type::Opaque(name))
    }
}
