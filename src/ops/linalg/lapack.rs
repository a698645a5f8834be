//! The calls to LAPACK that JAX prints for the CPU: `lapack_spotrf_ffi` and so on, `s` for `f32`, `d` for `f64`, `c` and
//! `z` for complex numbers of them.
//!
//! Matrices are the last two dimensions, the others a batch. A layout that has the rows densest is how LAPACK wants
//! the bytes and says nothing of the values; any other layout of a matrix would have LAPACK read the transpose, and is
//! refused. Options are characters in the backend's configuration. Complex values come packed, as the pass `complex`
//! leaves them, with a trailing dimension of two that the layouts do not count.

use super::matrix::Matrix;
use super::routines;
use crate::ir::{Attribute, Dim, Dims, Element, OpId, ValueId};
use crate::ops::rules::{dim_fits, dims_fit};
use crate::ops::{Lower, Lowered, Refusal, Values};

/// A routine of LAPACK.
struct Routine {
    /// Its name without the letter for the element type.
    name: &'static str,
    /// That of its form for complex numbers, where it is another.
    complex: &'static str,
    /// What each operand is: a matrix, `m`, a list, `l`, or a list of integers, `i`.
    operands: &'static str,
    /// What each result is: a matrix, `m`, or a list, `l`, of the routine's numbers, a list of real ones, `r`,
    /// integers, `i`, or a matrix of complex numbers in any case, `v`.
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
    routine("gees", "m", "mmllii", routines::gees),
    routine("geev", "m", "llvvi", routines::geev),
    routine("gehrd", "m", "mli", routines::gehrd),
    routine("geqp3", "mi", "mil", routines::geqp3),
    routine("geqrf", "m", "ml", routines::geqrf),
    routine("gesdd", "m", "mrmmi", routines::gesdd),
    routine("gesvd", "m", "mrmmi", routines::gesdd),
    routine("getrf", "m", "mii", routines::getrf),
    routine("gtsv", "lllm", "lllmi", routines::gtsv),
    Routine { complex: "ungqr", ..routine("orgqr", "ml", "m", routines::orgqr) },
    Routine { complex: "unmqr", ..routine("ormqr", "mlm", "m", routines::ormqr) },
    routine("potrf", "m", "mi", routines::potrf),
    Routine { complex: "heevd", ..routine("syevd", "m", "mri", routines::syevd) },
    Routine { complex: "hetrd", ..routine("sytrd", "m", "mrrli", routines::sytrd) },
    routine("trsm", "mm", "m", routines::trsm),
];

/// A call of a routine.
pub(super) struct Call {
    pub op: OpId,
    /// The element type of numbers, or of their parts.
    pub element: Element,
    /// Whether the routine is on complex numbers.
    pub complex: bool,
}

/// Lowers a call, when its target is a routine of LAPACK.
///
/// # Errors
/// When it is one of LAPACK's that has no lowering in this form.
pub(in crate::ops) fn call(cx: &mut Lower, op: OpId, target: &str) -> Result<Option<Values>, Refusal> {
    let Some(name) = target.strip_prefix("lapack_").and_then(|name| name.strip_suffix("_ffi")) else {
        return Ok(None);
    };
    let Some((letter, name)) = name.split_at_checked(1) else { return Ok(None) };
    let (element, complex) = match letter {
        "s" => (Element::F32, false),
        "d" => (Element::F64, false),
        "c" => (Element::F32, true),
        "z" => (Element::F64, true),
        _ => return Ok(None),
    };
    let named = |routine: &&Routine| name == if complex { routine.complex } else { routine.name };
    let Some(routine) = ROUTINES.iter().find(named) else { return Ok(None) };
    let call = Call { op, element, complex };
    call.check(cx, routine, target)?;
    (routine.lower)(cx, &call).map(Some)
}

impl Call {
    /// Refuses operands and results that are not the routine's.
    fn check(&self, cx: &Lower, routine: &Routine, target: &str) -> Result<(), Refusal> {
        let is_complex = |kind: char| kind == 'v' || self.complex && (kind == 'm' || kind == 'l');
        // The real and the imaginary parts of eigenvalues are one result.
        let joined = self.complex && matches!(routine.name, "gees" | "geev");
        let results = routine.results.replacen("ll", if joined { "l" } else { "ll" }, 1);
        if cx.operand_count(self.op) != routine.operands.len()
            || cx.module.op(self.op).results.len() != results.len()
        {
            return Err(Refusal::form(format!("`{target}` with another number of operands or results")));
        }
        let mut batch: Option<Dims> = None;
        let mut layouts = Vec::new();
        for (index, kind) in routine.operands.chars().enumerate() {
            let mut sizes = cx.operand_dims(self.op, index)?;
            let element = if kind == 'i' { Element::I32 } else { self.element };
            if cx.operand_type(self.op, index)?.element != element
                || is_complex(kind) && sizes.pop() != Some(Dim::Known(2))
            {
                return Err(Refusal::form(format!("`{target}` on another element type")));
            }
            layouts.push((kind, sizes.len()));
            let own = if kind == 'm' { 2 } else { 1 };
            let rest =
                sizes.len().checked_sub(own).ok_or_else(|| Refusal::form("operands of too low a rank"))?;
            sizes.truncate(rest);
            if !dims_fit(batch.get_or_insert_with(|| sizes.clone()), &sizes) {
                return Err(Refusal::form("operands of different batches"));
            }
        }
        check_layouts(cx, self.op, "operand_layouts", &layouts)?;
        layouts.clear();
        for (index, kind) in results.chars().enumerate() {
            let rank = cx.result_type(self.op, index)?.rank();
            layouts.push((kind, if is_complex(kind) { rank.saturating_sub(1) } else { rank }));
        }
        check_layouts(cx, self.op, "result_layouts", &layouts)
    }

    /// The sizes of an operand, without the trailing dimension of the parts.
    fn operand_sizes(&self, cx: &Lower, index: usize) -> Result<Dims, Refusal> {
        let mut sizes = cx.operand_dims(self.op, index)?;
        if self.complex {
            sizes.pop();
        }
        Ok(sizes)
    }

    /// The sizes of the matrices of an operand, none of which is empty.
    pub(super) fn sizes(&self, cx: &Lower, index: usize) -> Result<(i64, i64), Refusal> {
        let sizes = self.operand_sizes(cx, index)?;
        if sizes.contains(&Dim::Known(0)) {
            return Err(Refusal::form("an empty matrix"));
        }
        match sizes[..] {
            [.., rows, columns] => Ok((cx.number(rows), cx.number(columns))),
            _ => Err(Refusal::form(format!("operand {index} is no matrix"))),
        }
    }

    /// The size of an operand's matrices, which are square.
    pub(super) fn square(&self, cx: &Lower, index: usize) -> Result<i64, Refusal> {
        let (rows, columns) = self.sizes(cx, index)?;
        if rows != columns {
            return Err(Refusal::form(format!("operand {index} is not square")));
        }
        Ok(rows)
    }

    /// An operand as matrices, `[batch, m, n]`, of an element type.
    pub(super) fn matrix(&self, cx: &mut Lower, index: usize, element: Element) -> Result<Matrix, Refusal> {
        self.batched(cx, index, element, 2)
    }

    /// An operand as lists, `[batch, n]`, of an element type.
    pub(super) fn list(&self, cx: &mut Lower, index: usize, element: Element) -> Result<Matrix, Refusal> {
        self.batched(cx, index, element, 1)
    }

    fn batched(
        &self,
        cx: &mut Lower,
        index: usize,
        element: Element,
        trailing: usize,
    ) -> Result<Matrix, Refusal> {
        let value = cx.full(self.op, index)?;
        let value = cx.cast(value, element);
        let value: Matrix = if self.complex { cx.unpacked(value) } else { value.into() };
        Ok(value.map(cx, |cx, part| cx.batched(part, trailing)))
    }

    /// The values in the sizes and element types of the results.
    pub(super) fn results(&self, cx: &mut Lower, values: &[Matrix]) -> Lowered {
        let mut results = Values::default();
        for (index, &value) in values.iter().enumerate() {
            let (element, sizes) = cx.result_dims(self.op, index)?;
            let value = value.map(cx, |cx, part| cx.cast(part, element));
            let product = |sizes: Dims| cx.module.sizes.product(sizes);
            let count = cx.module.sizes.sum(value.parts().map(|part| product(cx.dims(part))));
            if !dim_fits(count, product(sizes.clone())) {
                return Err(Refusal::form(format!("result {index} has sizes that do not fit")));
            }
            results.0.push(cx.packed(value, &sizes));
        }
        Ok(results)
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
            self.node("Gather", &[value, index]).int("axis", axis).out(element, &sizes)
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

/// Matrices have their rows densest, everything else the last dimension.
fn check_layouts(cx: &Lower, op: OpId, name: &'static str, values: &[(char, usize)]) -> Result<(), Refusal> {
    let Some(attribute) = cx.module.attribute(op, name) else {
        return Err(Refusal::form(format!("no `{name}`, so that LAPACK reads the transpose")));
    };
    let Attribute::Array(layouts) = attribute else {
        return Err(Refusal::Attribute { name, why: "a list of layouts is expected".into() });
    };
    if layouts.len() != values.len() {
        return Err(Refusal::Attribute { name, why: "a layout for each value is expected".into() });
    }
    for (layout, &(kind, rank)) in layouts.iter().zip(values) {
        let mut expected: Vec<i64> = (0..rank as i64).rev().collect();
        if matches!(kind, 'm' | 'v') && rank >= 2 {
            expected.swap(0, 1);
        }
        if cx.module.integers(layout).as_deref() != Some(expected.as_slice()) {
            return Err(Refusal::Attribute { name, why: format!("{expected:?} is expected") });
        }
    }
    Ok(())
}

/// A field of the backend's configuration.
pub(super) fn option<'m>(cx: &'m Lower, call: &Call, name: &str) -> Option<&'m Attribute> {
    let of = |key: &str| cx.module.attribute(call.op, key).and_then(|config| cx.module.field(config, name));
    of("mhlo.backend_config").or_else(|| of("backend_config"))
}

/// An option that is one of these characters.
pub(super) fn letter(cx: &Lower, call: &Call, name: &'static str, allowed: &str) -> Result<char, Refusal> {
    let value = option(cx, call, name).ok_or(Refusal::Missing(name))?.as_integer();
    let letter = value.and_then(|value| u8::try_from(value).ok()).map(char::from);
    letter.filter(|&letter| allowed.contains(letter)).ok_or_else(|| Refusal::Attribute {
        name,
        why: format!("one of the characters {allowed} is expected"),
    })
}
