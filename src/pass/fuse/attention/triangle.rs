//! The causal mask: a query sees the keys up to its own position.

use super::super::axes::{Label, Labeled, Labels};
use super::super::pattern::Pattern;
use crate::ir::{Element, ValueId, stablehlo};
use crate::ops::fold;

/// Larger constants are not read.
const MOST_ELEMENTS: i64 = 1 << 24;

/// The elements of a boolean constant, in the order of its dimensions.
pub(super) fn bits(p: &Pattern, value: ValueId) -> Option<Vec<bool>> {
    let constant = p.module.constant(p.module.constant_of(value)?);
    let ty = p.module.tensor_type(constant.ty).filter(|ty| ty.element == Element::Bool)?;
    let count = ty.count().filter(|&count| count <= MOST_ELEMENTS)?;
    let bytes = constant.data.bytes(p.source(), usize::try_from(count).ok()?, 1);
    Some(bytes.iter().map(|&byte| byte != 0).collect())
}

/// Whether a boolean with the dimensions of rows and keys is true up to the diagonal, and only there.
pub(super) fn is_causal(p: &Pattern, labels: &mut Labels, mask: &Labeled, row: Label, key: Label) -> bool {
    if labels.size(row) != labels.size(key) {
        return false;
    }
    match bits(p, mask.value) {
        Some(bits) => has_diagonal(labels, mask, &bits, row, key).unwrap_or(false),
        None => compared(p, labels, mask, row, key).unwrap_or(false),
    }
}

/// Whether the elements of a constant are true up to the diagonal, whatever its other dimensions.
fn has_diagonal(labels: &Labels, mask: &Labeled, bits: &[bool], row: Label, key: Label) -> Option<bool> {
    let sizes: Option<Vec<usize>> =
        labels.sizes(&mask.axes).iter().map(|size| usize::try_from(size.known()?).ok()).collect();
    let sizes = sizes?;
    let place = |label: Label| mask.axes.iter().position(|&own| own == label);
    let (row, key) = (place(row)?, place(key)?);
    let stride = |axis: usize| -> usize { sizes[axis + 1..].iter().product() };
    let (rows, keys) = (stride(row), stride(key));
    let kept = |index: usize| index / keys % sizes[key] <= index / rows % sizes[row];
    Some(bits.iter().enumerate().all(|(index, &bit)| bit == kept(index)))
}

/// Whether a comparison of positions is true up to the diagonal.
fn compared(p: &Pattern, labels: &mut Labels, mask: &Labeled, row: Label, key: Label) -> Option<bool> {
    let [x, y] = p.module.defining_operands(mask.value, stablehlo::COMPARE)?;
    let operand = |value| Labeled { value, axes: mask.axes.clone() };
    let (x, y) = (position(p, labels, operand(x))?, position(p, labels, operand(y))?);
    let direction = p.word(mask.value, "comparison_direction")?;
    // `row - key >= least`.
    let least = match (direction, x.along == row && y.along == key, x.along == key && y.along == row) {
        ("GE", true, _) => y.offset - x.offset,
        ("GT", true, _) => y.offset - x.offset + 1,
        ("LE", _, true) => x.offset - y.offset,
        ("LT", _, true) => x.offset - y.offset + 1,
        _ => return None,
    };
    Some(least == 0)
}

/// Positions along a dimension.
struct Position {
    along: Label,
    offset: i64,
}

/// The dimension along which integers count from an offset.
fn position(p: &Pattern, labels: &mut Labels, at: Labeled) -> Option<Position> {
    let (mut at, mut offset) = (at, 0i64);
    for _ in 0..8 {
        if let Some(along) = counted(p, labels, &at) {
            return Some(Position { along, offset });
        }
        let mut quiet = Pattern::new(p.module, p.source());
        if let Some(before) =
            labels.before_broadcast(&mut quiet, &at).or_else(|| labels.before_view(&mut quiet, &at))
        {
            at = before;
            continue;
        }
        let op = p.module.defining_op(at.value)?;
        let value = match p.name(op) {
            stablehlo::CONVERT => p.operands_of::<1>(op)?[0],
            stablehlo::ADD => {
                let [x, y] = p.operands_of(op)?;
                let (known, value) =
                    p.whole_number(y).map(|y| (y, x)).or_else(|| Some((p.whole_number(x)?, y)))?;
                offset = offset.checked_add(known)?;
                value
            }
            _ => return None,
        };
        at = Labeled { value, axes: at.axes };
    }
    None
}

/// The dimension along which a value counts from 0.
fn counted(p: &Pattern, labels: &Labels, at: &Labeled) -> Option<Label> {
    let op = p.module.defining_op(at.value)?;
    if p.name(op) == stablehlo::IOTA {
        return at.axes.get(p.integer(op, "iota_dimension")?).copied();
    }
    let mut long = at.axes.iter().copied().filter(|&label| !labels.is_one(label));
    let along = long.next().filter(|_| long.next().is_none())?;
    let tensor = fold::Tensor::read(p.module, p.source(), p.module.constant_of(at.value)?)?;
    let counts = tensor.view()?.iter().copied().eq(0..labels.size(along).known()?);
    counts.then_some(along)
}
