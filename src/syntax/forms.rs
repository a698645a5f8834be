//! Ops in custom form: collects their clauses and interprets them by the table.

use super::Parser;
use super::assembly::{self, AssemblyFormat, CustomForm, TypeSuffix};
use super::clauses::{ClauseKind, Token};
use super::statement::{Body, Parts, add_missing, region_of};
use super::text::{Rule, Text};
use crate::diagnostic::catalog::{
    DuplicateAttribute, SyntaxError, UnknownAssembly, UnknownOp, UnsupportedOp,
};
use crate::diagnostic::{Diagnostic, Fix, nearest, nearest_op};
use crate::ir::{Attribute, Attributes, Dialect, Element, OpName, TensorType, Type, TypeId};
use crate::source::Span;
use smallvec::SmallVec;

/// The known dialects.
const DIALECTS: [&str; 4] = ["chlo", "func", "sdy", "stablehlo"];

/// The clauses of an op by kind.
#[derive(Default)]
pub(super) struct Clauses<'t> {
    pub values: SmallVec<[Text<'t>; 3]>,
    /// The initial values of a reduction or a scan.
    pub inits: SmallVec<[Text<'t>; 1]>,
    /// `%name = %value` of a `while`.
    pub bound: SmallVec<[(Text<'t>, Text<'t>); 1]>,
    /// `%name: type`, with the number of its parenthesis.
    pub parameters: Vec<(usize, Text<'t>, Text<'t>)>,
    pub words: SmallVec<[Text<'t>; 2]>,
    pub named: SmallVec<[(Text<'t>, Text<'t>); 2]>,
    pub symbol: Option<Text<'t>>,
    pub string: Option<Text<'t>>,
    pub brackets: Option<Text<'t>>,
    /// Brackets after the first ones.
    pub lists: SmallVec<[Text<'t>; 2]>,
    pub angled: Option<Text<'t>>,
    pub dictionary: Option<Text<'t>>,
    /// The alias of an attribute.
    pub alias: Option<Text<'t>>,
    pub regions: SmallVec<[Text<'t>; 2]>,
    pub signature: Option<Text<'t>>,
    /// The types of the results, of a form without those of operands.
    pub results: Option<Text<'t>>,
}

impl<'s> Parser<'s> {
    /// An op in custom form.
    pub(super) fn custom(&mut self, name: Text<'_>, tokens: &[Token<'_>]) -> Option<Parts<'s>> {
        let Some(row) = self.mnemonic(name) else {
            // What replaces types in another dialect may mean something else.
            let dialect = name.text.split('.').next().unwrap_or_default();
            if nearest(dialect, DIALECTS).is_some() {
                self.stated = self.stated_type(tokens);
            }
            return None;
        };
        let mut clauses = self.collect(tokens)?;
        let mut parts = Parts {
            name: row.op,
            operands: SmallVec::new(),
            operand_types: SmallVec::new(),
            result_types: SmallVec::new(),
            attributes: Attributes::new(),
            regions: SmallVec::new(),
        };
        if let CustomForm::Axes { attribute, kind } = row.form {
            let axes = clauses.dictionary.take().or(clauses.brackets.take());
            if let Some(axes) = axes {
                let axes = Attribute::Opaque(format!("#sdy<{kind}{}>", axes.text).into());
                self.set(&mut parts.attributes, attribute, axes);
            }
        }
        let mut dictionary = match clauses.dictionary.take() {
            Some(dictionary) => self.dictionary(dictionary)?,
            None => Attributes::new(),
        };
        // `stablehlo.constant() <{value = dense<0> : tensor<i8>}> : () -> tensor<!quant.uniform<i8:f32, 0.5>>`
        if row.form == CustomForm::Constant
            && let Some(properties) = clauses.angled.take()
        {
            let properties = self.dictionary(properties)?;
            add_missing(&mut dictionary, properties);
        }
        for value in clauses.values.drain(..) {
            parts.operands.push(self.operand(value));
        }
        let mut bound = std::mem::take(&mut clauses.bound);
        for &(_, value) in &bound {
            parts.operands.push(self.operand(value));
        }
        let inits = clauses.inits.len();
        for value in clauses.inits.drain(..) {
            parts.operands.push(self.operand(value));
        }
        if let CustomForm::Mixed(form) = row.form {
            self.mixed(form, name, &mut clauses, &mut parts)?;
        } else if matches!(row.form, CustomForm::Constant)
            && clauses.signature.is_none()
            && clauses.words.last().is_some_and(|word| matches!(word.text, "true" | "false"))
        {
            parts.result_types.push(self.scalar_type(Element::Bool));
        } else {
            self.types_of(row, name, clauses.signature.take(), clauses.alias.is_some(), &mut parts)?;
        }
        match row.form {
            CustomForm::Plain | CustomForm::Axes { .. } | CustomForm::Mixed(_) => {}
            CustomForm::Call => {
                let symbol = self.need(clauses.symbol.take(), "a function such as `@f`", name)?;
                let callee = self.symbol_reference(symbol)?;
                self.set(&mut parts.attributes, "callee", callee);
            }
            CustomForm::CustomCall => {
                let symbol = self.need(clauses.symbol.take(), "a target such as `@Sharding`", name)?;
                let target = self.symbol_name(symbol)?;
                let target = Attribute::String(self.module.symbols.get(target).into());
                self.set(&mut parts.attributes, "call_target_name", target);
            }
            CustomForm::Composite => {
                let string = self.need(clauses.string.take(), "the name of the composite", name)?;
                let composite = self.unescape(string)?;
                self.set(&mut parts.attributes, "name", Attribute::String(composite.into()));
            }
            // `stablehlo.constant() {value = dense<0> : tensor<i32>} : () -> tensor<i32>`
            CustomForm::Constant
                if clauses.words.is_empty() && clauses.alias.is_none() && self.has(&dictionary, "value") => {}
            CustomForm::Constant => self.constant(name, &mut clauses, &mut parts)?,
            CustomForm::Convolution => self.convolution(name, &mut clauses, &mut parts)?,
            CustomForm::DotGeneral => self.dot_general(&mut clauses, &mut parts)?,
            CustomForm::GetTupleElement => {
                let brackets = self.need(clauses.brackets.take(), "an index such as `[0]`", name)?;
                let Some(Attribute::Integers(_, index)) = self.clause(ClauseKind::Integers, brackets) else {
                    return None;
                };
                let &[index] = &*index else {
                    self.expected("one index", brackets);
                    return None;
                };
                let ty = self.scalar_type(Element::I32);
                self.set(&mut parts.attributes, "index", Attribute::Integer(index, ty));
            }
            CustomForm::Slice => {
                let brackets = self.need(clauses.brackets.take(), "ranges such as `[0:4]`", name)?;
                let [starts, limits, strides] = self.ranges(brackets)?;
                for (name, list) in
                    [("start_indices", starts), ("limit_indices", limits), ("strides", strides)]
                {
                    self.set(&mut parts.attributes, name, Attribute::Integers(Element::I64, list.into()));
                }
            }
            CustomForm::ReducePrecision => self.reduce_precision(name, &mut clauses, &mut parts)?,
            CustomForm::Reduce => self.reduce(name, &mut clauses, &mut parts)?,
            CustomForm::While => {
                let arguments: Vec<_> = bound
                    .drain(..)
                    .zip(&parts.result_types)
                    .map(|((argument, _), &ty)| (self.source_text(argument.span()), argument.span(), ty))
                    .collect();
                clauses.words.retain(|word| !matches!(word.text, "cond" | "do" | "attributes"));
                self.exactly(&clauses, 2, name)?;
                for braces in clauses.regions.drain(..) {
                    let region = region_of(braces);
                    parts.regions.push(Body { region, arguments: arguments.clone(), applies: None });
                }
            }
            CustomForm::Trace => {
                let string = self.need(clauses.string.take(), "a tag", name)?;
                let tag = self.unescape(string)?;
                self.set(&mut parts.attributes, "tag", Attribute::String(tag.into()));
            }
            CustomForm::Scan => self.scan(name, &mut clauses, &mut parts, inits)?,
            CustomForm::Mesh => self.mesh(name, &mut clauses, &mut parts)?,
            CustomForm::Sharding => {
                let sharding =
                    self.need(clauses.angled.take(), "a sharding such as `<@mesh, [{}]>`", name)?;
                let sharding = Attribute::Opaque(format!("#sdy.sharding{}", sharding.text).into());
                self.set(&mut parts.attributes, "sharding", sharding);
            }
            CustomForm::ManualComputation => self.manual_computation(name, &mut clauses, &mut parts)?,
        }
        self.clauses_of(row, &mut clauses, &mut parts)?;
        self.nothing_left(&clauses, &bound)?;
        let clauses = std::mem::replace(&mut parts.attributes, dictionary);
        match row.form {
            // Their forms are read by code that takes no name twice.
            CustomForm::Constant | CustomForm::Reduce => parts.attributes.extend(clauses),
            _ => add_missing(&mut parts.attributes, clauses),
        }
        Some(parts)
    }

    /// The one result type that an op of an unknown form states.
    fn stated_type(&mut self, tokens: &[Token<'_>]) -> Option<TypeId> {
        let text = tokens.iter().rev().find(|token| token.rule == Rule::signature)?.text;
        let signature = self.signature(text)?;
        match signature.outputs.as_ref().unwrap_or(&signature.inputs).as_slice() {
            &[ty] if self.module.tensor_type(ty).is_some() => Some(ty),
            _ => None,
        }
    }

    pub(super) fn mnemonic(&mut self, name: Text<'_>) -> Option<&'static AssemblyFormat> {
        if let Some(&known) = self.mnemonics.get(name.text) {
            return Some(known);
        }
        let current = OpName::current(name.text);
        let Some(row) = assembly::find(&current) else {
            self.unknown_op(name.text, name.span());
            return None;
        };
        self.mnemonics.insert(self.source_text(name.span()), row);
        Some(row)
    }

    /// Reports an op whose custom form is unknown.
    pub(super) fn unknown_op(&mut self, op: &str, at: Span) {
        let dialect = op.split_once('.').map_or("func", |(dialect, _)| dialect);
        if let Some(nearest) = nearest_op(op, assembly::names()) {
            self.diagnostics.push(UnknownOp { op, nearest, at });
        } else if DIALECTS.contains(&dialect) {
            self.diagnostics.push(UnknownAssembly { op, at });
        } else {
            self.diagnostics.push(UnsupportedOp { op, at });
        }
    }

    /// Sorts the tokens after the op's name.
    pub(super) fn collect<'t>(&mut self, tokens: &[Token<'t>]) -> Option<Clauses<'t>> {
        let mut clauses = Clauses::default();
        let (mut group, mut in_inits) = (0, false);
        let mut rest = tokens.iter().copied().peekable();
        while let Some(token) = rest.next() {
            let text = token.text;
            let next = rest.peek().copied();
            let follows = |rule| next.filter(|next| next.rule == rule).map(|next| next.text);
            let place = match token.rule {
                Rule::value if follows(Rule::bound).is_some() => {
                    rest.next();
                    clauses.bound.push((text, rest.next()?.text));
                    continue;
                }
                Rule::value => {
                    if let Some(ty) = follows(Rule::ty) {
                        rest.next();
                        rest.next_if(|token| token.rule == Rule::location);
                        clauses.parameters.push((group, text, ty));
                    } else if in_inits {
                        clauses.inits.push(text);
                    } else {
                        clauses.values.push(text);
                    }
                    continue;
                }
                Rule::init => {
                    clauses.inits.push(rest.next()?.text);
                    continue;
                }
                Rule::word => {
                    if let Some(value) = follows(Rule::raw) {
                        rest.next();
                        if let Some(&(first, _)) =
                            clauses.named.iter().find(|(name, _)| name.text == text.text)
                        {
                            let (at, first) = (text.span(), first.span());
                            self.diagnostics.push(DuplicateAttribute { name: text.text, at, first });
                            return None;
                        }
                        clauses.named.push((text, value));
                    } else if text.text == "inits" {
                        in_inits = true;
                    } else {
                        clauses.words.push(text);
                    }
                    continue;
                }
                Rule::symbol => {
                    if let Some(value) = follows(Rule::raw) {
                        rest.next();
                        clauses.angled = Some(value);
                    }
                    &mut clauses.symbol
                }
                Rule::open => {
                    group += 1;
                    continue;
                }
                Rule::close => {
                    in_inits = false;
                    continue;
                }
                Rule::braces if region_of(text).is_some() => {
                    clauses.regions.push(text);
                    continue;
                }
                // An empty region looks like an empty dictionary; it is after the word that names it.
                Rule::braces
                    if clauses.words.last().is_some_and(|word| matches!(word.text, "cond" | "do")) =>
                {
                    clauses.regions.push(text);
                    continue;
                }
                Rule::number_clause => {
                    clauses.words.push(text);
                    continue;
                }
                Rule::result_list => &mut clauses.results,
                Rule::string => &mut clauses.string,
                Rule::brackets if clauses.brackets.is_some() => {
                    clauses.lists.push(text);
                    continue;
                }
                Rule::brackets => &mut clauses.brackets,
                Rule::angled => &mut clauses.angled,
                Rule::hash => &mut clauses.alias,
                Rule::braces => &mut clauses.dictionary,
                Rule::signature => &mut clauses.signature,
                _ => {
                    self.expected("a clause of this op", text);
                    return None;
                }
            };
            if place.replace(text).is_some() {
                self.expected("each clause at most once", text);
                return None;
            }
        }
        Some(clauses)
    }

    fn has(&self, attributes: &Attributes, name: &str) -> bool {
        attributes.iter().any(|(key, _)| self.module.symbols.get(*key) == name)
    }

    pub(super) fn need<'t>(
        &mut self,
        clause: Option<Text<'t>>,
        what: &str,
        name: Text<'_>,
    ) -> Option<Text<'t>> {
        if clause.is_none() {
            self.lacks(what, name.span());
        }
        clause
    }

    /// Takes the value of a named clause.
    pub(super) fn take<'t>(clauses: &mut Clauses<'t>, key: &str) -> Option<Text<'t>> {
        let index = clauses.named.iter().position(|(name, _)| name.text == key)?;
        Some(clauses.named.remove(index).1)
    }

    pub(super) fn exactly(&mut self, clauses: &Clauses<'_>, regions: usize, name: Text<'_>) -> Option<()> {
        if clauses.regions.len() != regions {
            let expected = if regions == 1 { "one region".to_owned() } else { format!("{regions} regions") };
            self.lacks(&expected, name.span());
            return None;
        }
        Some(())
    }

    /// The named clauses and words that the op's row lists.
    fn clauses_of(
        &mut self,
        row: &AssemblyFormat,
        clauses: &mut Clauses<'_>,
        parts: &mut Parts<'s>,
    ) -> Option<()> {
        for (key, value) in clauses.named.drain(..) {
            let Some((_, attribute, kind)) = row.named.iter().find(|(name, ..)| *name == key.text) else {
                let known: Vec<String> = row.keywords().map(|name| format!("`{name} =`")).collect();
                let expected =
                    if known.is_empty() { "a clause of this op".to_owned() } else { known.join(" or ") };
                let found = format!("`{}`", key.text);
                let error = SyntaxError { expected: &expected, found: &found, at: key.span() };
                let fix = Fix::to(key.text, nearest(key.text, row.keywords()));
                self.diagnostics.push(Diagnostic::from(error).fixed_by(fix));
                return None;
            };
            let value = self.clause(*kind, value)?;
            self.set(&mut parts.attributes, attribute, value);
        }
        if clauses.words.len() > row.words.len() {
            self.expected("no more keywords", clauses.words[row.words.len()]);
            return None;
        }
        for (word, (attribute, kind)) in clauses.words.drain(..).zip(row.words) {
            let value = self.clause(ClauseKind::Word(kind), word)?;
            self.set(&mut parts.attributes, attribute, value);
        }
        Some(())
    }

    /// Refuses clauses that the op's form does not use.
    fn nothing_left(&mut self, clauses: &Clauses<'_>, bound: &[(Text<'_>, Text<'_>)]) -> Option<()> {
        let lone = [clauses.symbol, clauses.string, clauses.brackets, clauses.angled, clauses.alias];
        let left = lone.into_iter().flatten().next();
        let left = left.or(clauses.lists.first().copied()).or(clauses.results);
        let left = left.or(clauses.regions.first().map(|braces| braces.part(0..1)));
        let left = left.or(clauses.parameters.first().map(|(_, name, _)| *name));
        if let Some(left) = left.or(bound.first().map(|(name, _)| *name)) {
            self.expected("a clause of this op", left);
            return None;
        }
        Some(())
    }

    /// Distributes the types after the colon over operands and results.
    fn types_of(
        &mut self,
        row: &AssemblyFormat,
        name: Text<'_>,
        text: Option<Text<'_>>,
        alias: bool,
        parts: &mut Parts<'s>,
    ) -> Option<()> {
        let Some(text) = text else {
            // `return` and `while` without values, and ops that are declarations.
            let untyped = match row.form {
                CustomForm::Mesh => true,
                // An alias has its type.
                CustomForm::Constant => alias,
                _ => {
                    parts.operands.is_empty() && matches!(row.types, TypeSuffix::Operands | TypeSuffix::Each)
                }
            };
            if untyped {
                return Some(());
            }
            self.lacks("`:` and the types", name.span());
            return None;
        };
        let signature = self.signature(text)?;
        if let Some(outputs) = &signature.outputs {
            parts.operand_types.extend_from_slice(&signature.inputs);
            parts.result_types.extend_from_slice(outputs);
            return Some(());
        }
        let types = &signature.inputs;
        let count = parts.operands.len();
        let one = |parser: &mut Self| match types.as_slice() {
            &[ty] => Some(ty),
            _ => {
                parser.expected("one type", text);
                None
            }
        };
        match row.types {
            TypeSuffix::Arrow => {
                self.unexpected(text, text.text.len(), "`->` and the result types");
                return None;
            }
            TypeSuffix::Same => {
                let ty = one(self)?;
                parts.operand_types.extend(std::iter::repeat_n(ty, count));
                parts.result_types.push(ty);
            }
            TypeSuffix::Each => {
                parts.operand_types.extend_from_slice(types);
                parts.result_types.extend_from_slice(types);
            }
            TypeSuffix::Operands => parts.operand_types.extend_from_slice(types),
            TypeSuffix::Result => {
                let ty = one(self)?;
                match self.module.types.get(ty) {
                    Type::Tuple(inner) => parts.operand_types.extend_from_slice(inner),
                    _ => {
                        let found: Vec<_> =
                            parts.operands.iter().map(|(value, _)| self.module.value_type(*value)).collect();
                        parts.operand_types.extend(found);
                    }
                }
                parts.result_types.push(ty);
            }
            TypeSuffix::Complex => {
                let ty = one(self)?;
                let part = self.part_type(ty);
                parts.operand_types.extend(std::iter::repeat_n(part, count));
                parts.result_types.push(ty);
            }
            TypeSuffix::Select => {
                let (predicate, ty) = match *types.as_slice() {
                    [predicate, ty] => (predicate, ty),
                    // `arith.select` leaves out the type of a predicate that is a scalar.
                    [ty] if row.op.dialect() == Dialect::Arith => {
                        (self.module.types.intern(Type::Scalar(Element::Bool)), ty)
                    }
                    _ => {
                        self.expected("two types", text);
                        return None;
                    }
                };
                parts.operand_types.extend([predicate, ty, ty]);
                parts.result_types.push(ty);
            }
        }
        Some(())
    }

    /// The type of the real part of a complex tensor.
    fn part_type(&mut self, ty: TypeId) -> TypeId {
        let Some(tensor) = self.module.tensor_type(ty) else { return ty };
        let part = TensorType { element: tensor.element.part(), ..tensor.clone() };
        self.module.types.intern(Type::Tensor(part))
    }
}
