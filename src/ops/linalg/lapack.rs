//! Calls of routines of LAPACK, by whichever library and convention ([`super::library`]).
//!
//! Matrices are the last two dimensions, the others a batch. A routine reads and writes matrices with the rows densest,
//! and JAX states that layout; a matrix in any other layout is the routine's transposed. Complex values come packed, as
//! the pass `complex` leaves them, with a trailing dimension of two that the layouts do not count.

use super::library::{self, Convention, Spelled};
use super::matrix::Matrix;
use super::{routines, updates};
use crate::ir::{Attribute, Dim, Dims, Element, OpId, PACKED_OPERANDS, ValueId, onnx};
use crate::ops::type_inference::{dim_fits, dims_fit};
use crate::ops::{Lower, LowerError, Lowered, Values};

/// A routine of LAPACK.
struct Routine {
    /// Its name without the letter for the element type.
    name: &'static str,
    /// That of its form for complex numbers, where it is another.
    complex: &'static str,
    /// What each operand is: a matrix, `m`, a matrix that is in rows, `n`, a list, `l`, a list of integers, `i`, or a
    /// number, `s`.
    operands: &'static str,
    /// The kind of each result: a matrix of the routine's numbers (`m` or `n`), a list of them (`l`), a list of real
    /// numbers (`r`), integers (`i`), a matrix that is always complex (`v`), or a list that is (`w`).
    results: &'static str,
    lower: fn(&mut Lower, &Call) -> Lowered,
}

const fn routine(
    name: &'static str,
    operands: &'static str,
    results: &'static str,
    lower: fn(&mut Lower, &Call) -> Lowered,
) -> Routine {
    Routine { name, complex: name, operands, results, lower }
}

const ROUTINES: &[Routine] = &[
    routine("cholesky_update", "nl", "nl", updates::cholesky_update),
    routine("gees", "m", "mmllii", routines::gees),
    routine("geev", "m", "llvvi", routines::geev),
    routine("gehrd", "m", "mli", routines::gehrd),
    routine("geqp3", "mi", "mil", routines::geqp3),
    routine("geqrf", "m", "ml", routines::geqrf),
    routine("gesdd", "m", "mrmmi", routines::gesdd),
    routine("gesvd", "m", "mrmmi", routines::gesdd),
    routine("gesvdj", "m", "mrmmi", routines::gesvdj),
    routine("getrf", "m", "mii", routines::getrf),
    routine("gtsv", "lllm", "lllmi", routines::gtsv),
    routine("lu", "m", "mii", routines::lu),
    routine("lu_pivots_to_permutation", "i", "i", routines::lu_pivots_to_permutation),
    Routine { complex: "ungqr", ..routine("orgqr", "ml", "m", routines::orgqr) },
    Routine { complex: "unmqr", ..routine("ormqr", "mlm", "m", routines::ormqr) },
    routine("packed_geev", "m", "mwmmi", routines::packed_geev),
    routine("potrf", "m", "mi", routines::potrf),
    Routine { complex: "heevd", ..routine("syevd", "m", "mri", routines::syevd) },
    Routine { complex: "hetrd", ..routine("sytrd", "m", "mrrli", routines::sytrd) },
    routine("syrk", "nnss", "n", updates::syrk),
    routine("trsm", "mm", "m", routines::trsm),
];

/// The name of a routine, given its name or that of its complex variant.
pub(super) fn routine_named(name: &str, complex: bool) -> Option<&'static str> {
    let named = |routine: &&Routine| name == if complex { routine.complex } else { routine.name };
    ROUTINES.iter().find(named).map(|routine| routine.name)
}

/// Whether the target of a call is a matrix routine whose operands and results all share the batch of the first
/// operand.
pub(in crate::ops) fn is_batched_routine(target: &str) -> bool {
    [false, true].iter().any(|&complex| {
        let spelled = library::resolve(target, false, complex);
        let routine = spelled.filter(|spelled| spelled.convention != Convention::Scalars);
        let routine = routine.and_then(|spelled| ROUTINES.iter().find(|other| other.name == spelled.routine));
        routine
            .is_some_and(|routine| "mn".contains(&routine.operands[..1]) && !routine.operands.contains('s'))
    })
}

/// An operand or a result of the routine in a call.
#[derive(Clone, Copy)]
struct Parameter {
    /// Its index among the operands or results of the call.
    index: usize,
    /// Whether the routine's matrix is the transposed one.
    transposed: bool,
}

/// What a result of a call is.
#[derive(Clone, Copy)]
enum ResultSource {
    /// A result of the routine, of this number.
    Routine(usize, Parameter),
    /// A status that is never set, or memory that the routine worked in.
    Zeros,
}

/// A call of a routine.
pub(super) struct Call {
    pub op: OpId,
    /// The element type of numbers, or of their parts.
    pub element: Element,
    /// Whether the routine is on complex numbers.
    pub complex: bool,
    spelled: Spelled,
    operands: Vec<Parameter>,
    results: Vec<ResultSource>,
    /// The operand by which the right sides of a triangular system are multiplied.
    factor: Option<usize>,
}

/// Lowers a call, when its target is a routine of LAPACK.
///
/// # Errors
/// If it is a LAPACK routine without a lowering in this form.
pub(super) fn call(cx: &mut Lower, op: OpId, target: &str) -> Result<Option<Values>, LowerError> {
    let packed = cx.module.attribute(op, PACKED_OPERANDS).and_then(|packed| cx.module.integers(packed));
    let complex = packed.is_some_and(|packed| !packed.is_empty());
    let Some(spelled) = library::resolve(target, library::has_struct(cx.module, op), complex) else {
        return Ok(None);
    };
    let Some(routine) = ROUTINES.iter().find(|routine| routine.name == spelled.routine) else {
        return Ok(None);
    };
    let call = Call::read(cx, op, spelled, routine, complex, target)?;
    (routine.lower)(cx, &call).map(Some)
}

impl Call {
    /// A call of a routine with checked operands and results.
    fn read(
        cx: &Lower,
        op: OpId,
        spelled: Spelled,
        routine: &Routine,
        complex: bool,
        target: &str,
    ) -> Result<Self, LowerError> {
        let is_complex = |kind: char| "vw".contains(kind) || complex && "mnls".contains(kind);
        // The real and the imaginary parts of eigenvalues are one result.
        let joined = complex && matches!(routine.name, "gees" | "geev");
        let kinds = routine.results.replacen("ll", if joined { "l" } else { "ll" }, 1);
        let (operand_count, result_count) = (cx.operand_count(op), cx.module.op(op).results.len());
        let wrong = || {
            LowerError::form(format!("`{target}` with {operand_count} operands and {result_count} results"))
        };
        // Scalars come first; a scalar after the matrices is the number of matrices, or a factor.
        let rank = |index: usize| cx.operand_type(op, index).map(|ty| ty.rank());
        let mut first = 0;
        if spelled.convention == Convention::Scalars {
            while first < operand_count
                && cx.operand_type(op, first)?.element.is_integer()
                && rank(first)? == 0
            {
                first += 1;
            }
        }
        let mut factor = None;
        if routine.name == "trsm" && spelled.convention == Convention::Scalars {
            factor = Some(first);
            first += 1;
        }
        let after = first + routine.operands.len();
        if routine.name == "trsm" && factor.is_none() && operand_count == after + 1 {
            factor = Some(after);
        } else if operand_count != after
            && !(spelled.convention == Convention::Descriptor
                && operand_count == after + 1
                && rank(after)? <= 1)
        {
            return Err(wrong());
        }
        let element = cx.operand_type(op, first)?.element;
        let of_letter = match spelled.letter {
            Some('s') => (Element::F32, false),
            Some('d') => (Element::F64, false),
            Some('c') => (Element::F32, true),
            Some('z') => (Element::F64, true),
            _ => (element, complex),
        };
        let other_element = || LowerError::form(format!("`{target}` on this element type"));
        let known = matches!(element, Element::F32 | Element::F64) || routine.operands.starts_with('i');
        if of_letter != (element, complex) || !known {
            return Err(other_element());
        }
        let mut batch: Option<Dims> = None;
        let mut kinds_of = Vec::new();
        for (index, kind) in (first..).zip(routine.operands.chars()) {
            let mut sizes = cx.operand_dims(op, index)?;
            let wanted = if kind == 'i' { Element::I32 } else { element };
            if cx.operand_type(op, index)?.element != wanted
                || is_complex(kind) && sizes.pop() != Some(Dim::Known(2))
            {
                return Err(other_element());
            }
            kinds_of.push((kind, sizes.len()));
            if kind == 's' {
                continue;
            }
            let own = if "mn".contains(kind) { 2 } else { 1 };
            let rest = sizes
                .len()
                .checked_sub(own)
                .ok_or_else(|| LowerError::form("an operand whose rank is too low"))?;
            sizes.truncate(rest);
            if !dims_fit(batch.get_or_insert_with(|| sizes.clone()), &sizes) {
                return Err(LowerError::form("operands with different batch dimensions"));
            }
        }
        let logical = spelled.convention == Convention::Words;
        let layouts = Layouts { cx, op, logical };
        let operands = layouts.slots("operand_layouts", first, &kinds_of)?;
        let pattern: Vec<char> = match spelled.results {
            "" => (0..kinds.len() as u32).filter_map(|index| char::from_digit(index, 10)).collect(),
            pattern => pattern.chars().collect(),
        };
        let older = matches!(spelled.convention, Convention::Scalars | Convention::Descriptor);
        if result_count < pattern.len() || result_count > pattern.len() && !older {
            return Err(wrong());
        }
        kinds_of.clear();
        let mut numbers = Vec::new();
        for index in 0..result_count {
            let rank = cx.result_type(op, index)?.rank();
            let number = pattern.get(index).and_then(|char| char.to_digit(10)).map(|number| number as usize);
            let kind = number.and_then(|number| kinds.chars().nth(number)).unwrap_or('.');
            kinds_of.push((kind, if is_complex(kind) { rank.saturating_sub(1) } else { rank }));
            numbers.push(number);
        }
        let slots = layouts.slots("result_layouts", 0, &kinds_of)?;
        let results = numbers.into_iter().zip(slots);
        let results = results.map(|(number, slot)| {
            number.map_or(ResultSource::Zeros, |number| ResultSource::Routine(number, slot))
        });
        let results = results.collect();
        Ok(Self { op, element, complex, spelled, operands, results, factor })
    }

    /// The option of this name, as LAPACK has it.
    ///
    /// # Errors
    /// When the call does not have it.
    pub(super) fn number(&self, cx: &Lower, name: &'static str) -> Result<i64, LowerError> {
        self.spelled.option(cx, self.op, name)?.ok_or(LowerError::missing(name))
    }

    /// The same, or `None` if the call does not have it.
    pub(super) fn optional(&self, cx: &Lower, name: &'static str) -> Result<Option<i64>, LowerError> {
        self.spelled.option(cx, self.op, name)
    }

    /// An option that is one of these characters.
    pub(super) fn letter(&self, cx: &Lower, name: &'static str, allowed: &str) -> Result<char, LowerError> {
        let letter = u8::try_from(self.number(cx, name)?).ok().map(char::from);
        letter
            .filter(|&letter| allowed.contains(letter))
            .ok_or_else(|| LowerError::attribute(name, format!("expected one of the characters {allowed}")))
    }

    /// The operand by which right sides are multiplied, a number, unless it is 1.
    pub(super) fn factor(&self, cx: &mut Lower) -> Result<Option<Matrix>, LowerError> {
        let Some(index) = self.factor else { return Ok(None) };
        let value = cx.operand(self.op, index)?;
        if !self.complex && cx.known_number(value) == Some(1.0) {
            return Ok(None);
        }
        self.scalar(cx, index).map(Some)
    }

    /// An operand of the call that is a number, `[1, 1, 1]`.
    pub(super) fn scalar(&self, cx: &mut Lower, index: usize) -> Result<Matrix, LowerError> {
        let value = cx.full(self.op, index)?;
        let value: Matrix = if self.complex { cx.unpacked(value) } else { value.into() };
        if cx.count(value.re) != Some(1) {
            return Err(LowerError::form("a factor that is not a scalar"));
        }
        Ok(value.map(cx, |cx, part| cx.reshape(part, &[1, 1, 1])))
    }

    /// An operand.
    pub(super) fn operand(&self, cx: &mut Lower, index: usize) -> Result<ValueId, LowerError> {
        cx.operand(self.op, self.operands[index].index)
    }

    /// The sizes of an operand, without the trailing dimension of the parts.
    fn operand_sizes(&self, cx: &Lower, index: usize) -> Result<Dims, LowerError> {
        let slot = self.operands[index];
        let mut sizes = cx.operand_dims(self.op, slot.index)?;
        if self.complex {
            sizes.pop();
        }
        if let (true, [.., rows, columns]) = (slot.transposed, &mut sizes[..]) {
            std::mem::swap(rows, columns);
        }
        Ok(sizes)
    }

    /// The sizes of an operand's matrices, which must not be empty.
    pub(super) fn sizes(&self, cx: &Lower, index: usize) -> Result<(i64, i64), LowerError> {
        let sizes = self.operand_sizes(cx, index)?;
        if sizes.contains(&Dim::Known(0)) {
            return Err(LowerError::form("an empty matrix"));
        }
        match sizes[..] {
            [.., rows, columns] => Ok((cx.number(rows)?, cx.number(columns)?)),
            _ => Err(LowerError::form(format!("operand {index} is not a matrix"))),
        }
    }

    /// The size of an operand's matrices, which are square.
    pub(super) fn square(&self, cx: &Lower, index: usize) -> Result<i64, LowerError> {
        let (rows, columns) = self.sizes(cx, index)?;
        if rows != columns {
            return Err(LowerError::form(format!("operand {index} is not square")));
        }
        Ok(rows)
    }

    /// An operand as matrices, `[batch, m, n]`, of an element type.
    pub(super) fn matrix(
        &self,
        cx: &mut Lower,
        index: usize,
        element: Element,
    ) -> Result<Matrix, LowerError> {
        self.batched(cx, index, element, 2)
    }

    /// An operand as lists, `[batch, n]`, of an element type.
    pub(super) fn list(&self, cx: &mut Lower, index: usize, element: Element) -> Result<Matrix, LowerError> {
        self.batched(cx, index, element, 1)
    }

    fn batched(
        &self,
        cx: &mut Lower,
        index: usize,
        element: Element,
        trailing: usize,
    ) -> Result<Matrix, LowerError> {
        let Parameter { index, transposed } = self.operands[index];
        let value = cx.full(self.op, index)?;
        let value = cx.cast(value, element);
        let value: Matrix = if self.complex { cx.unpacked(value) } else { value.into() };
        let value = value.map(cx, |cx, part| cx.batched(part, trailing));
        Ok(if transposed { cx.transposed(value) } else { value })
    }

    /// The routine's results in the sizes and element types of the call's.
    pub(super) fn results(&self, cx: &mut Lower, values: &[Matrix]) -> Lowered {
        let mut results = Values::default();
        for (index, &source) in self.results.iter().enumerate() {
            let (element, sizes) = cx.result_dims(self.op, index)?;
            let (value, slot) = match source {
                ResultSource::Routine(number, slot) => match values.get(number) {
                    Some(&value) => (value, slot),
                    None => return Err(LowerError::form(format!("an unexpected result {index}"))),
                },
                ResultSource::Zeros => {
                    let zero = cx.constant(element, &[], &vec![0; element.bytes()]);
                    results.0.push(cx.broadcast_to(zero, &sizes));
                    continue;
                }
            };
            let value = if slot.transposed { cx.transposed(value) } else { value };
            let value = value.map(cx, |cx, part| cx.cast(part, element));
            let product = |sizes: Dims| cx.module.dim_exprs.product(sizes);
            let count = cx.module.dim_exprs.sum(value.parts().map(|part| product(cx.dims(part))));
            if !dim_fits(count, product(sizes.clone())) {
                return Err(LowerError::form(format!("result {index} has the wrong sizes")));
            }
            results.0.push(cx.packed(value, &sizes));
        }
        Ok(results)
    }

    /// The sizes of the result of the call that is this one of the routine's, without that of the parts.
    pub(super) fn result_sizes(&self, cx: &Lower, number: usize) -> Result<Dims, LowerError> {
        let place =
            |source: &ResultSource| matches!(source, ResultSource::Routine(other, _) if *other == number);
        let index = self.results.iter().position(place).unwrap_or_default();
        let mut sizes = cx.result_dims(self.op, index)?.1;
        if self.complex {
            sizes.pop();
        }
        Ok(sizes)
    }
}

/// The layouts of the operands or results of a call.
struct Layouts<'l, 'a> {
    cx: &'l Lower<'a>,
    op: OpId,
    /// Whether the call has no layouts, so that matrices are row-major.
    logical: bool,
}

impl Layouts<'_, '_> {
    /// The parameters with these kinds and ranks, the first of which has index `first` in the call.
    fn slots(
        &self,
        name: &'static str,
        first: usize,
        values: &[(char, usize)],
    ) -> Result<Vec<Parameter>, LowerError> {
        let layouts = match self.cx.module.attribute(self.op, name) {
            None => None,
            Some(Attribute::Array(layouts)) if layouts.len() >= first + values.len() => {
                Some(&layouts[first..])
            }
            Some(Attribute::Array(_)) => {
                return Err(LowerError::attribute(name, "expected a layout for each value"));
            }
            Some(_) => return Err(LowerError::attribute(name, "expected a list of layouts")),
        };
        let mut slots = Vec::new();
        for (index, &(kind, rank)) in values.iter().enumerate() {
            let is_matrix = matches!(kind, 'm' | 'v') && rank >= 2;
            let plain: Vec<i64> = (0..rank as i64).rev().collect();
            let mut expected = plain.clone();
            if is_matrix {
                expected.swap(0, 1);
            }
            let layout = match layouts {
                // Values are in rows unless something else is stated.
                None => {
                    if self.logical {
                        expected.clone()
                    } else {
                        plain.clone()
                    }
                }
                Some(layouts) => {
                    let mut layout = self.cx.module.integers(&layouts[index]).unwrap_or_default();
                    // The pass `complex` added the axis of the parts.
                    if layout.len() == rank + 1 && layout.first() == Some(&(rank as i64)) {
                        layout.remove(0);
                    }
                    layout
                }
            };
            if kind != '.' && layout != expected && layout != plain {
                return Err(LowerError::attribute(name, format!("expected {expected:?}")));
            }
            slots.push(Parameter { index: first + index, transposed: is_matrix && layout != expected });
        }
        Ok(slots)
    }
}

impl Lower<'_> {
    /// The parts of a packed value.
    pub(super) fn unpacked(&mut self, value: ValueId) -> Matrix {
        let (element, mut sizes) = (self.element(value), self.dims(value));
        sizes.pop();
        let axis = sizes.len() as i64;
        let [re, im] = [0, 1].map(|index| {
            let index = self.integer(Element::I64, index);
            self.node(onnx::GATHER, &[value, index]).int("axis", axis).out(element, &sizes)
        });
        Matrix { re, im: Some(im) }
    }

    /// A value of these sizes: of a complex one they end with a two for its parts.
    pub(super) fn packed(&mut self, value: Matrix, sizes: &[Dim]) -> ValueId {
        let Some(im) = value.im else { return self.reshape(value.re, sizes) };
        let mut part_sizes = sizes.to_vec();
        part_sizes.pop();
        part_sizes.push(Dim::Known(1));
        let parts = [value.re, im].map(|part| self.reshape(part, &part_sizes));
        self.concat(&parts, sizes.len() - 1)
    }
}
