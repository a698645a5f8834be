//! Masks and biases as tensors with one dimension each for the batch, heads, rows and keys.

use super::super::Fused;
use super::super::arrange::Arranged;
use super::super::axes::{Axes, Labeled, Labels};
use super::super::pattern::Pattern;
use super::layout::Layout;
use super::scores::Scores;
use super::triangle;
use crate::ir::stablehlo;

/// A score plus this number, or a lower one, is that number.
const ABSORBING: f64 = -1e30;

/// The masks and biases of scores, before they were broadcast.
pub(super) struct Bases {
    masks: Vec<MaskBase>,
    biases: Vec<(Labeled, f64)>,
}

struct MaskBase {
    predicate: Labeled,
    inverted: bool,
    fill: f64,
}

/// The operands of the op for masks and biases.
pub(super) struct Masks {
    /// Which scores are kept, and what replaces the others.
    pub predicate: Option<(Arranged, f64)>,
    /// What is added to the scores.
    pub bias: Option<Arranged>,
    /// Whether each query sees exactly the keys up to its own position.
    pub is_causal: bool,
}

impl Bases {
    /// Strips transposes and broadcasts. `select(mask, 0, lowest)` is a mask, whose scores become `lowest`.
    pub fn of(p: &mut Pattern, labels: &mut Labels, scores: &Scores) -> Self {
        let masks = scores.masks.iter().map(|mask| MaskBase {
            predicate: base(p, labels, &mask.predicate),
            inverted: mask.inverted,
            fill: mask.fill,
        });
        let mut masks: Vec<MaskBase> = masks.collect();
        let mut biases = Vec::new();
        for (bias, factor) in &scores.biases {
            let bias = base(p, labels, bias);
            match selected(p, labels, &bias, *factor) {
                Some(mask) => masks.push(mask),
                None => biases.push((bias, *factor)),
            }
        }
        Self { masks, biases }
    }

    /// The dimensions on which they depend.
    pub fn labels(&self, labels: &Labels) -> Axes {
        let masks = self.masks.iter().map(|mask| &mask.predicate);
        let all =
            masks.chain(self.biases.iter().map(|(bias, _)| bias)).flat_map(|base| base.axes.iter().copied());
        all.filter(|&label| !labels.is_one(label)).collect()
    }

    /// The operands, in the layout of the op.
    pub fn arranged(self, p: &Pattern, labels: &mut Labels, layout: &Layout) -> Option<Masks> {
        let rows: Axes = layout.rows.iter().copied().filter(|&label| !labels.is_one(label)).collect();
        let is_causal = match (&self.masks[..], &rows[..]) {
            ([mask], &[row]) if !mask.inverted => {
                triangle::is_causal(p, labels, &mask.predicate, row, layout.key)
            }
            _ => false,
        };
        let fills: Vec<f64> = self.masks.iter().map(|mask| mask.fill).collect();
        let fill = fills.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut predicate: Option<Arranged> = None;
        for mask in self.masks {
            let mut own = spread(p, labels, layout, &mask.predicate)?;
            if mask.inverted {
                own = own.mapped(|operand| Fused::of(stablehlo::NOT, [operand]));
            }
            predicate = Some(match predicate {
                Some(first) => first.combined(stablehlo::AND, own),
                None => own,
            });
        }
        let mut bias: Option<Arranged> = None;
        for (value, factor) in self.biases {
            let own = spread(p, labels, layout, &value)?.scaled(factor);
            bias = Some(match bias {
                Some(first) => first.combined(stablehlo::ADD, own),
                None => own,
            });
        }
        Some(Masks { predicate: predicate.map(|mask| (mask, fill)), bias, is_causal })
    }
}

/// A bias that is 0 or absorbs every score.
fn selected(p: &mut Pattern, labels: &mut Labels, bias: &Labeled, factor: f64) -> Option<MaskBase> {
    let select = p.module.defined_by(bias.value, stablehlo::SELECT)?;
    let [predicate, yes, no] = p.operands_of(select)?;
    let (yes, no) = (p.number(yes)? * factor, p.number(no)? * factor);
    let (fill, inverted) = if yes == 0.0 { (no, false) } else { (yes, true) };
    let is_mask = yes.max(no) == 0.0 && fill <= ABSORBING;
    let axes = bias.axes.clone();
    (is_mask && p.tensor(predicate)?.rank() == axes.len()).then(|| {
        let predicate = base(p, labels, &Labeled { value: predicate, axes });
        MaskBase { predicate, inverted, fill }
    })
}

/// The value before transposes, reshapes and broadcasts.
fn base(p: &mut Pattern, labels: &mut Labels, at: &Labeled) -> Labeled {
    let mut at = at.clone();
    while let Some(before) = labels.before_broadcast(p, &at).or_else(|| labels.before_view(p, &at)) {
        at = before;
    }
    at
}

/// A mask with a dimension for each part of the layout, which has size 1 where the mask does not depend on it.
fn spread(p: &Pattern, labels: &mut Labels, layout: &Layout, base: &Labeled) -> Option<Arranged> {
    Arranged::without_repeats(p, labels, base)?.spread(p, labels, &layout.masks())
}
