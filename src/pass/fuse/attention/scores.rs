//! What a softmax is taken of: products of queries and keys, scaled, capped, biased and masked.

use super::super::axes::{Axes, Label, Labeled, Labels};
use super::super::pattern::Pattern;
use super::products::{self, Product};
use crate::ir::{OpName, ValueId, stablehlo};

/// Limits how many ops lie between the product and the softmax, which bounds the cost of long chains.
const MOST_STEPS: usize = 24;

/// The scores of attention: `cap(product * scale) + biases`, where some are replaced.
#[derive(Clone)]
pub(super) struct Scores {
    /// The product of queries and keys.
    pub product: Product,
    /// What the product is multiplied by.
    pub scale: f64,
    /// `c` of `c * tanh(scores / c)`.
    pub softcap: Option<f64>,
    /// What is added, times a factor.
    pub biases: Vec<(Labeled, f64)>,
    /// Which scores are kept.
    pub masks: Vec<Mask>,
}

/// Replaces scores by a number far below all others.
#[derive(Clone)]
pub(super) struct Mask {
    /// Whether a score is kept, or replaced if `inverted`.
    pub predicate: Labeled,
    pub inverted: bool,
    /// What replaces it.
    pub fill: f64,
}

/// What was found between the softmax and the current value.
#[derive(Clone)]
struct Outer {
    /// The factor of the current value.
    factor: f64,
    softcap: Option<f64>,
    biases: Vec<(Labeled, f64)>,
    masks: Vec<Mask>,
    steps: usize,
}

impl Scores {
    /// The scores that a softmax reads, whose dimension `key` is normalized.
    pub fn read(p: &mut Pattern, labels: &mut Labels, at: Labeled, key: Label) -> Option<Self> {
        let outer = Outer { factor: 1.0, softcap: None, biases: Vec::new(), masks: Vec::new(), steps: 0 };
        Reader { p, labels, key }.read(at, outer)
    }
}

struct Reader<'r, 'm> {
    p: &'r mut Pattern<'m>,
    labels: &'r mut Labels,
    key: Label,
}

impl Reader<'_, '_> {
    fn read(&mut self, at: Labeled, mut outer: Outer) -> Option<Scores> {
        let mut at = at;
        loop {
            outer.steps += 1;
            let op = self.p.module.defining_op(at.value).filter(|_| outer.steps <= MOST_STEPS)?;
            if let Some(before) = self.labels.before_view(self.p, &at) {
                at = before;
                continue;
            }
            let inner = |value: ValueId| Labeled { value, axes: at.axes.clone() };
            at = match self.p.name(op) {
                stablehlo::DOT_GENERAL => return self.finish(&at, outer),
                stablehlo::CONVERT => {
                    let [x] = self.p.operands(at.value, stablehlo::CONVERT)?;
                    self.p.tensor(x)?.element.is_float().then(|| inner(x))?
                }
                stablehlo::MULTIPLY => {
                    let factors = self.p.operands(at.value, stablehlo::MULTIPLY)?;
                    let Some((number, x)) = self.numbered(factors) else {
                        self.p.near(op, "a factor of the scores is not a constant number");
                        return None;
                    };
                    outer.factor *= number;
                    match self.p.operands(x, stablehlo::TANH) {
                        Some([capped]) if outer.softcap.is_none() && outer.factor > 0.0 => {
                            outer.softcap = Some(outer.factor);
                            outer.factor = 1.0;
                            inner(capped)
                        }
                        _ => inner(x),
                    }
                }
                stablehlo::DIVIDE => {
                    let [x, divisor] = self.p.operands(at.value, stablehlo::DIVIDE)?;
                    let Some(number) = self.p.number(divisor) else {
                        self.p.near(op, "the divisor of the scores is not a constant number");
                        return None;
                    };
                    outer.factor /= number;
                    inner(x)
                }
                stablehlo::SELECT => self.masked(&at, &mut outer)?,
                name @ (stablehlo::ADD | stablehlo::SUBTRACT) => return self.biased(&at, name, &outer),
                _ => {
                    let name = self.p.module.op_name(op);
                    self.p
                        .near(op, format!("`{name}` changes the scores between the product and the softmax"));
                    return None;
                }
            };
        }
    }

    /// A number and the other factor.
    fn numbered(&self, [x, y]: [ValueId; 2]) -> Option<(f64, ValueId)> {
        let number = |value: ValueId| self.p.number(value);
        number(y).map(|number| (number, x)).or_else(|| number(x).map(|number| (number, y)))
    }

    /// `select(mask, scores, fill)`.
    fn masked(&mut self, at: &Labeled, outer: &mut Outer) -> Option<Labeled> {
        let op = self.p.module.defining_op(at.value)?;
        let [predicate, yes, no] = self.p.operands(at.value, stablehlo::SELECT)?;
        let (scores, fill, inverted) = match (self.p.number(no), self.p.number(yes)) {
            (Some(fill), _) => (yes, fill, false),
            (_, Some(fill)) => (no, fill, true),
            _ => {
                self.p.near(op, "masked scores are not replaced by a constant number");
                return None;
            }
        };
        let axes = at.axes.clone();
        if self.p.tensor(predicate)?.rank() != axes.len() {
            self.p.near(op, "the mask is a single element");
            return None;
        }
        let fill = fill * outer.factor;
        let mask = Mask { predicate: Labeled { value: predicate, axes: axes.clone() }, inverted, fill };
        if outer.softcap.is_some() {
            self.p.near(op, "scores are masked before they are capped");
            return None;
        }
        outer.masks.push(mask);
        Some(Labeled { value: scores, axes })
    }

    /// `scores + bias`. Either operand may be the scores.
    fn biased(&mut self, at: &Labeled, name: OpName, outer: &Outer) -> Option<Scores> {
        let op = self.p.module.defining_op(at.value)?;
        let operands: [ValueId; 2] = self.p.operands(at.value, name)?;
        if outer.softcap.is_some() {
            self.p.near(op, "a bias is added before the scores are capped");
            return None;
        }
        for (scores, bias, factor) in [
            (operands[0], operands[1], if name == stablehlo::ADD { 1.0 } else { -1.0 }),
            (operands[1], operands[0], 1.0),
        ] {
            if (name == stablehlo::SUBTRACT && scores == operands[1]) || self.p.is_constant(scores) {
                continue;
            }
            let axes = &at.axes;
            let labeled = |value: ValueId| Labeled { value, axes: axes.clone() };
            let mut inner = outer.clone();
            inner.biases.push((labeled(bias), factor * outer.factor));
            if let Some(found) = self.attempt(labeled(scores), inner) {
                return Some(found);
            }
        }
        None
    }

    /// Reads; on failure the match is restored.
    fn attempt(&mut self, at: Labeled, outer: Outer) -> Option<Scores> {
        let (labels, key) = (&mut *self.labels, self.key);
        self.p.attempt(|p| Reader { p, labels, key }.read(at, outer))
    }

    /// The product of queries and keys at the start of the chain.
    fn finish(&mut self, at: &Labeled, outer: Outer) -> Option<Scores> {
        let op = self.p.module.defining_op(at.value)?;
        let mut product = products::read(self.p, self.labels, at)?;
        self.p.enter(op);
        let is_key = |axes: &Axes, other: &Axes| axes.contains(&self.key) && !other.contains(&self.key);
        if is_key(&product.left.axes, &product.right.axes) {
            std::mem::swap(&mut product.left, &mut product.right);
        } else if !is_key(&product.right.axes, &product.left.axes) {
            self.p.near(op, "the softmax is not taken along a dimension of the keys");
            return None;
        }
        if product.summed.is_empty() {
            return None;
        }
        // `c * tanh(y)` is `c * tanh(y * c / c)`.
        let scale = outer.factor * outer.softcap.unwrap_or(1.0);
        if !(scale > 0.0 && scale.is_finite()) {
            self.p.near(op, format!("the scores are multiplied by {scale}"));
            return None;
        }
        let Outer { softcap, biases, masks, .. } = outer;
        Some(Scores { product, scale, softcap, biases, masks })
    }
}
