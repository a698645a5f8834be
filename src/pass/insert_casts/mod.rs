//! Inserts casts where ONNX Runtime has no kernel for an element type.
//!
//! ONNX allows more element types than ONNX Runtime has kernels for: bf16 has data movement but no arithmetic, 16-bit
//! integers no `Max`, `bool` no `Where`. Ops without a kernel compute in a wider type. A value then has a wide twin,
//! which later ops use directly, so casts are at the borders of a region and not around each op; the narrow value is
//! created only if an op needs it. For floats this omits intermediate roundings, like XLA's `allow_excess_precision`;
//! integers that may have wrapped are narrowed at once.

mod cosine;
mod rules;

use super::Context;
use crate::diagnostic::catalog;
use crate::ir::{
    Attribute, BlockId, Element, LocationId, Module, OpId, OpName, TypeId, ValueId, onnx, provenance,
};
use crate::ops::{self, EXCESS_PRECISION, LowerError};
use crate::source::Span;
use crate::target::{self, Capability, Target};
use rules::{RULES, Rule, Widening, wraps};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::rc::Rc;
use std::sync::LazyLock;

static INDEX: LazyLock<FxHashMap<(OpName, &str), &'static Rule>> =
    LazyLock::new(|| RULES.iter().map(|rule| ((rule.op, rule.reduction), rule)).collect());

/// Runs the pass on all functions.
pub fn run(module: &mut Module, cx: &mut Context) {
    let opset = module.opset().unwrap_or_else(|| cx.options.first_opset());
    report_later_elements(module, opset, cx);
    let runtime = cx.options.runtime(opset);
    cosine::run(module, opset, runtime);
    for function in module.functions() {
        if let Some(block) = module.entry_block(module.function(function).body) {
            Legalize {
                module,
                opset,
                runtime,
                kernels: FxHashMap::default(),
                cx,
                casts: FxHashMap::default(),
                narrowed: FxHashMap::default(),
                journal: Vec::new(),
                pending: Vec::new(),
            }
            .block(block);
        }
    }
}

/// Reports element types that a binding opset lacks, at arguments and ops.
fn report_later_elements(module: &Module, opset: u32, cx: &mut Context) {
    let (highest, target) = cx.options.highest_opset();
    let mut found: Vec<(Element, Span, LocationId)> = Vec::new();
    for id in module.functions() {
        let function = module.function(id);
        for (argument, &ty) in function.arguments.iter().zip(&function.argument_types) {
            let location = argument.location.unwrap_or(LocationId::UNKNOWN);
            found.extend(module.tensor_type(ty).map(|tensor| (tensor.element, argument.span, location)));
        }
        for op in module.ops_within([function.body]) {
            let (at, location) = (module.span(op).name, module.op_location(op));
            let tensors = module.op(op).results.iter().filter_map(|&result| module.tensor(result));
            found.extend(tensors.map(|tensor| (tensor.element, at, location)));
        }
    }
    found.retain(|&(element, ..)| target::element_since(element) > opset);
    let shown: FxHashSet<Element> =
        found.iter().filter(|(_, at, _)| !at.is_none()).map(|found| found.0).collect();
    let mut reported: FxHashSet<(Element, Span)> = FxHashSet::default();
    for (element, at, location) in found {
        // Folded values have no place in the text.
        if (at.is_none() && shown.contains(&element)) || !reported.insert((element, at)) {
            continue;
        }
        let (op, needs) = (element.name().unwrap_or_default(), target::element_since(element));
        let mut diagnostic = ops::too_low(op, needs, highest, target, at);
        provenance::complete(module, location, &mut diagnostic);
        cx.diagnostics.push(diagnostic);
    }
}

/// The rule of an op.
fn rule(module: &Module, op: OpId) -> Option<&'static Rule> {
    let reduction = module.attribute(op, "reduction").and_then(Attribute::as_str);
    INDEX.get(&(module.op(op).name, reduction.filter(|kind| *kind != "none").unwrap_or_default())).copied()
}

/// Whether two integer types have the same bits, so that arithmetic that wraps is the same in both.
fn is_same_width(element: Element, wide: Element) -> bool {
    element.is_integer() && wide.is_integer() && element.bits() == wide.bits()
}

/// Whether an op only moves or casts elements.
pub(super) fn is_movement(module: &Module, op: OpId) -> bool {
    module.op(op).name == onnx::CAST || rule(module, op).is_some_and(|rule| rule.widening == Widening::Moves)
}

/// The element types of an op's main operand that have kernels; `None` if they are not limited.
struct Kernels {
    /// In the newest ONNX Runtime that the compiler writes models for.
    newest: Option<Vec<Element>>,
    /// In the runtime that counts.
    runtime: Option<Vec<Element>>,
}

struct Legalize<'p, 'a> {
    module: &'p mut Module,
    cx: &'p mut Context<'a>,
    /// The opset of the model.
    opset: u32,
    /// The runtime whose kernels count.
    runtime: Option<Target>,
    /// The kernels of the ops so far.
    kernels: FxHashMap<OpName, Rc<Kernels>>,
    /// Values in another element type: wide twins and earlier casts.
    casts: FxHashMap<(ValueId, Element), ValueId>,
    /// Values that only exist as a wide twin so far.
    narrowed: FxHashMap<ValueId, NarrowTwin>,
    /// The additions to `casts`, so that a nested block's casts can be dropped after it.
    journal: Vec<(ValueId, Element)>,
    pending: Vec<OpId>,
}

/// How to replace a missing kernel.
#[derive(Clone, Copy)]
struct CastPlan {
    /// The element type without a kernel.
    element: Element,
    /// The type to compute in.
    wide: Element,
    widening: Widening,
    /// The main operand. An earlier operand (the condition of `Where`) may have the type by coincidence.
    main: usize,
}

/// How to get a value from its wide twin.
#[derive(Clone, Copy)]
enum NarrowTwin {
    /// Not created yet.
    From(ValueId),
    /// Created.
    Is(ValueId),
}

impl Legalize<'_, '_> {
    fn block(&mut self, block: BlockId) {
        let outer = std::mem::take(&mut self.pending);
        let mark = self.journal.len();
        for op in std::mem::take(&mut self.module.block_mut(block).ops) {
            self.op(op);
        }
        for key in self.journal.drain(mark..) {
            self.casts.remove(&key);
        }
        self.module.block_mut(block).ops = std::mem::replace(&mut self.pending, outer);
    }

    fn op(&mut self, op: OpId) {
        for region in self.module.op(op).regions.clone() {
            self.captured(region);
        }
        match self.module.op(op).name {
            onnx::CAST => self.cast(op),
            _ => match self.plan(op) {
                Some(plan) => self.widen(op, plan),
                None => self.keep(op),
            },
        }
    }

    /// A graph may capture values; those that exist only as wide twins are created before it, visible to all its
    /// blocks.
    fn captured(&mut self, region: crate::ir::RegionId) {
        let ops: Vec<OpId> = self.module.ops_within([region]).collect();
        for op in ops {
            for operand in self.module.op(op).operands.clone() {
                if matches!(self.narrowed.get(&operand), Some(NarrowTwin::From(_))) {
                    self.narrow(operand, op);
                }
            }
        }
    }

    /// The element type without a kernel, the type to compute in, and its effect.
    fn plan(&mut self, op: OpId) -> Option<CastPlan> {
        let rule = rule(self.module, op)?;
        let main = self.module.op(op).operands.get(rule.main).copied()?;
        let element = self.module.tensor(main)?.element;
        if element == Element::U32 && !self.cx.options.can(Capability::Unsigned) {
            // The pass `target_unsigned` has a form for it.
            return None;
        }
        if rule.op == onnx::MAT_MUL
            && element.is_integer()
            && !self.cx.options.can(Capability::IntegerProducts)
        {
            // The pass `target_forms` has a form for it.
            return None;
        }
        let opset = self.opset;
        let kernels = self.kernels(rule);
        let of_newest = |element| rule.has(kernels.newest.as_deref(), opset, element);
        let of_runtime = |element| rule.has(kernels.runtime.as_deref(), opset, element);
        let is_named = self.cx.options.target.is_some();
        let wider = rules::wider_in(rule, element, of_newest(Element::U64));
        // Without a target, older releases get casts only where these are exact.
        let is_exact = !element.is_float() && wider.iter().any(|&wide| of_newest(wide) && of_runtime(wide));
        let is_limited = is_named || is_exact;
        let wraps_all = self.cx.options.can(Capability::ExactIntegers);
        let saturates = |element: Element| {
            !wraps_all && element.is_integer() && element.bits() < 32 && rule.widening == Widening::Computes
        };
        let has = |element| of_newest(element) && (!is_limited || of_runtime(element)) && !saturates(element);
        if has(element) {
            // Such ops stay wide if an operand is: the narrow form may never be needed.
            let stays = rule.widening == Widening::Moves || wraps(rule.op);
            let wide = rules::twins(element).find(|&wide| has(wide) && self.is_only(op, wide))?;
            let keeps = rule.widening == Widening::Moves || is_same_width(element, wide);
            let plan = CastPlan { element, wide, widening: Widening::Moves, main: rule.main };
            return (stays && keeps).then_some(plan);
        }
        let Some(&wide) = wider.iter().find(|&&wide| has(wide)) else {
            self.refuse(op, element);
            return None;
        };
        if element == Element::F64 {
            let at = self.module.span(op).name;
            self.cx.diagnostics.push(catalog::ReducedPrecision {
                op: self.module.op_name(op),
                ty: "f64",
                via: "f32",
                at,
            });
        }
        Some(CastPlan { element, wide, widening: rule.widening, main: rule.main })
    }

    fn kernels(&mut self, rule: &Rule) -> Rc<Kernels> {
        let (opset, runtime) = (self.opset, self.runtime);
        let found = self.kernels.entry(rule.op).or_insert_with(|| {
            let of = |target: Target| target.elements(rule.op, opset, rule.main);
            Rc::new(Kernels { newest: of(Target::newest_onnxruntime()), runtime: runtime.and_then(of) })
        });
        Rc::clone(found)
    }

    /// Whether an operand of an op so far only exists as a twin of this type.
    fn is_only(&self, op: OpId, wide: Element) -> bool {
        self.module.op(op).operands.iter().any(|&operand| {
            matches!(self.narrowed.get(&operand), Some(NarrowTwin::From(_)))
                && self.casts.contains_key(&(operand, wide))
        })
    }

    /// Reports an op without a kernel for these elements or any wider type.
    fn refuse(&mut self, op: OpId, element: Element) {
        if let Some(target) = self.cx.options.target {
            let why = format!("no kernel for `{}` or a wider type", element.name().unwrap_or("?"));
            let (node, at) = (self.module.op(op).name.mnemonic(), self.module.span(op).name);
            let refusal = catalog::NoKernel { op: node, target: &target.to_string(), why: &why, at };
            self.cx.diagnostics.push(self.module.located(op, refusal));
            return;
        }
        let error = LowerError::Type(element.name().unwrap_or("?").to_owned());
        self.cx.diagnostics.extend(error.diagnostic(self.module, op));
    }

    /// Leaves an op unchanged, on narrow operands.
    fn keep(&mut self, op: OpId) {
        for index in 0..self.module.op(op).operands.len() {
            let operand = self.module.op(op).operands[index];
            let narrow = self.narrow(operand, op);
            self.module.op_mut(op).operands[index] = narrow;
        }
        for region in self.module.op(op).regions.clone() {
            for block in self.module.region(region).blocks.clone() {
                self.block(block);
            }
        }
        self.pending.push(op);
    }

    /// Computes an op in a wider type.
    fn widen(&mut self, op: OpId, CastPlan { element, wide, widening, main }: CastPlan) {
        for index in 0..self.module.op(op).operands.len() {
            let operand = self.module.op(op).operands[index];
            let of_element = index >= main
                && operand != self.module.absent()
                && self.module.tensor(operand).is_some_and(|tensor| tensor.element == element);
            let operand = if of_element { self.wide(operand, wide, op) } else { self.narrow(operand, op) };
            self.module.op_mut(op).operands[index] = operand;
        }
        let old = self.module.op(op).clone();
        let types: SmallVec<[TypeId; 1]> =
            old.results.iter().map(|&result| self.with_element(result, element, wide)).collect();
        let new = self.module.create_like(op, &old.operands).push_to(&mut self.pending).results(&types);
        // A float keeps its excess precision, a selected element is the true one, and integers of one width wrap alike;
        // anything else has to wrap.
        let keeps = element.is_float() && !element.is_small_float()
            || widening != Widening::Computes
            || is_same_width(element, wide);
        for (&result, twin) in old.results.iter().zip(self.module.op(new).results.clone()) {
            self.narrowed.insert(result, NarrowTwin::From(twin));
            self.module.inherit_origin(result, twin);
            let changed = self.module.value_type(result) != self.module.value_type(twin);
            if !changed {
                self.narrowed.insert(result, NarrowTwin::Is(twin));
            } else if keeps {
                self.remember(result, wide, twin);
            } else {
                self.narrow(result, op);
            }
        }
    }

    fn cast(&mut self, op: OpId) {
        let (operand, result) = (self.module.op(op).operands[0], self.module.op(op).results[0]);
        let (from, to) = (self.element(operand), self.element(result));
        // A cast from a wide float reads the wide twin, to round once; other casts read the rounded value.
        let wide = rules::wider(from).first().copied();
        let twin = wide.and_then(|wide| self.casts.get(&(operand, wide)).copied().map(|twin| (wide, twin)));
        match twin {
            Some((wide, twin)) if from.is_float() && to == wide => {
                self.narrowed.insert(result, NarrowTwin::Is(twin));
            }
            _ if self.module.attribute(op, EXCESS_PRECISION).is_some() => {
                let twin = self.narrow(operand, op);
                self.narrowed.insert(result, NarrowTwin::From(twin));
                self.module.inherit_origin(result, twin);
                self.remember(result, from, twin);
            }
            _ => self.keep(op),
        }
    }

    /// The value in its own type.
    fn narrow(&mut self, value: ValueId, user: OpId) -> ValueId {
        match self.narrowed.get(&value).copied() {
            None => value,
            Some(NarrowTwin::Is(narrow)) => narrow,
            Some(NarrowTwin::From(twin)) => {
                let ty = self.module.value_type(value);
                let narrow = self.insert_cast(twin, ty, user);
                self.module.inherit_origin(value, narrow);
                self.module.value_mut(narrow).name = self.module.value(value).name;
                self.narrowed.insert(value, NarrowTwin::Is(narrow));
                narrow
            }
        }
    }

    /// The value in a wider type.
    fn wide(&mut self, value: ValueId, wide: Element, user: OpId) -> ValueId {
        if let Some(&twin) = self.casts.get(&(value, wide)) {
            return twin;
        }
        let narrow = self.narrow(value, user);
        let ty = self.with_element(value, self.element(value), wide);
        let cast = self.insert_cast(narrow, ty, user);
        self.remember(value, wide, cast);
        cast
    }

    fn remember(&mut self, value: ValueId, wide: Element, twin: ValueId) {
        self.casts.insert((value, wide), twin);
        self.journal.push((value, wide));
    }

    fn insert_cast(&mut self, value: ValueId, ty: TypeId, user: OpId) -> ValueId {
        let element = self.module.tensor_type(ty).map_or(Element::F32, |tensor| tensor.element);
        let cast = self.module.create(onnx::CAST, &[value]).element("to", element).at_op(user);
        // Infinity stays infinity.
        let cast = if element.is_small_float() { cast.int("saturate", 0) } else { cast };
        cast.push_to(&mut self.pending).of(ty)
    }

    fn element(&self, value: ValueId) -> Element {
        self.module.tensor(value).map_or(Element::F32, |tensor| tensor.element)
    }

    /// The type of a value with one element type replaced by another.
    fn with_element(&mut self, value: ValueId, from: Element, to: Element) -> TypeId {
        let ty = self.module.value_type(value);
        let is_from = self.module.tensor_type(ty).is_some_and(|tensor| tensor.element == from);
        if is_from { self.module.with_element(ty, to) } else { ty }
    }
}
