//! The contents of a text: its ops, with the nodes that they become, its signature, and its weights.

use super::tensor::{self, Tensor, Weight, WeightOrigin};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::ir::{
    Attribute, ConstantId, Data, Definition, Element, Module, OpId, OpName, ValueId, builtin, onnx,
    provenance, stablehlo,
};
use crate::source::Source;
use crate::{coverage, ops};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How many ops before a place are searched for the one around it.
const NEIGHBORS: usize = 64;

/// Nodes of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeCount {
    /// The ONNX op.
    pub op: String,
    /// How often it is there.
    pub count: usize,
}

/// The ops of one name in a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceOp {
    /// The name with its dialect.
    pub op: String,
    /// How often it is in the text.
    pub count: usize,
    /// Whether it is supported, at least in some form.
    pub supported: bool,
    /// How many of them have an error.
    pub refused: usize,
    /// The nodes that come from ops of this name, most frequent first. An op that was folded or merged has none, and
    /// one in a function that is called twice counts twice.
    pub becomes: Vec<NodeCount>,
    /// Why its lowering is not the obvious one; empty where it is.
    pub note: &'static str,
}

/// What is gathered of one text.
#[derive(Default)]
pub(super) struct Contents {
    pub inputs: Vec<Tensor>,
    pub outputs: Vec<Tensor>,
    pub weights: Vec<Weight>,
    /// The number of ops of each module's own, by path.
    pub op_modules: BTreeMap<String, usize>,
    ops: BTreeMap<String, Seen>,
    /// The ops by the offset of their names in the text, which passes preserve.
    places: BTreeMap<usize, OpSite>,
}

#[derive(Default)]
struct Seen {
    count: usize,
    refused: usize,
    becomes: BTreeMap<String, usize>,
}

struct OpSite {
    op: String,
    /// The element type of the first result.
    element: Option<Element>,
    /// Where its statement ends.
    end: usize,
}

impl Contents {
    /// The contents of a module with its original ops.
    pub fn of(module: &Module, source: &Source) -> Self {
        let mut contents = Contents::default();
        let ops = module.reachable_ops();
        let mut constants = Vec::new();
        for &op in &ops {
            if module.op(op).name == builtin::ERROR {
                continue;
            }
            let name = module.op_name(op);
            match contents.ops.get_mut(name) {
                Some(seen) => seen.count += 1,
                None => {
                    contents.ops.insert(name.to_owned(), Seen { count: 1, ..Seen::default() });
                }
            }
            let element =
                module.op(op).results.first().and_then(|&result| module.tensor(result)).map(|ty| ty.element);
            let span = module.span(op);
            let place = OpSite { op: name.to_owned(), element, end: span.whole.end };
            contents.places.insert(span.name.start, place);
            if let Some(path) = module_of(module, op) {
                *contents.op_modules.entry(path).or_default() += 1;
            }
            constants.extend(constant_weight(module, op));
        }
        contents.take_signature(module);
        contents.add_constants(module, &ops, &constants, source);
        contents
    }

    /// Takes the signature from a module, and the weights among its arguments.
    pub fn take_signature(&mut self, module: &Module) {
        let (arguments, outputs) = tensor::signature(module);
        self.outputs = outputs;
        self.inputs.clear();
        self.weights.retain(|weight| weight.origin == WeightOrigin::Constant);
        let mut weights = Vec::new();
        for (tensor, keys) in arguments {
            match tensor::weight_module(&keys) {
                Some(module) => weights.push(Weight { tensor, origin: WeightOrigin::Argument, module }),
                None => self.inputs.push(tensor),
            }
        }
        self.weights.splice(0..0, weights);
    }

    /// Takes the signature of a converted module. `bound` is how many arguments are bound to weights.
    pub fn take_converted_signature(&mut self, module: &Module, bound: usize) {
        let of_arguments = |weight: &&Weight| weight.origin == WeightOrigin::Argument;
        let before: Vec<Weight> = self.weights.iter().filter(of_arguments).cloned().collect();
        self.take_signature(module);
        let left: FxHashSet<&str> =
            self.weights.iter().filter(of_arguments).map(|weight| weight.tensor.name.as_str()).collect();
        let gone: Vec<Weight> = before
            .into_iter()
            .filter(|weight| !left.contains(weight.tensor.name.as_str()))
            .map(|weight| Weight { origin: WeightOrigin::Bound, ..weight })
            .collect();
        // Arguments that lost their names on the way are not known to be bound.
        if gone.len() == bound {
            let arguments = left.len();
            self.weights.splice(arguments..arguments, gone);
        }
    }

    /// Adds constants, each named for its line and first user, whose module it belongs to.
    fn add_constants(
        &mut self,
        module: &Module,
        ops: &[OpId],
        constants: &[(OpId, ConstantId)],
        source: &Source,
    ) {
        let mut readers: FxHashMap<ValueId, OpId> =
            constants.iter().filter_map(|&(op, _)| Some((*module.op(op).results.first()?, op))).collect();
        let mut open: FxHashSet<ValueId> = readers.keys().copied().collect();
        for &op in ops {
            for operand in &module.op(op).operands {
                if open.remove(operand) {
                    readers.insert(*operand, op);
                }
            }
        }
        for &(op, constant) in constants {
            let Some(ty) = module.tensor_type(module.constant(constant).ty) else { continue };
            let reader = module.op(op).results.first().and_then(|result| readers.get(result)).copied();
            let reader = reader.filter(|&reader| reader != op);
            let line = source.line_column(module.span(op).name.start).0;
            let name = match reader.map(|reader| module.op_name(reader)) {
                Some(reader) => {
                    format!("constant at line {line}, for {}", reader.rsplit('.').next().unwrap_or(reader))
                }
                None => format!("constant at line {line}"),
            };
            let path = module_of(module, op).or_else(|| module_of(module, reader?));
            self.weights.push(Weight {
                tensor: Tensor::new(module, &name, ty),
                origin: WeightOrigin::Constant,
                module: path.unwrap_or_default(),
            });
        }
    }

    /// The name of the op that begins there in the text.
    pub fn op_at(&self, start: usize) -> Option<&str> {
        self.places.get(&start).map(|place| place.op.as_str())
    }

    /// Counts the ops that errors point at.
    pub fn add_errors(&mut self, diagnostics: &Diagnostics) {
        let mut refused = BTreeSet::new();
        for span in diagnostics.errors().map(Diagnostic::span).filter(|span| !span.is_none()) {
            // The innermost op around the place; few sibling ops end before it.
            let mut before = self.places.range(..=span.start).rev().take(NEIGHBORS);
            if let Some((&start, place)) = before.find(|(_, place)| place.end >= span.end)
                && refused.insert(start)
                && let Some(seen) = self.ops.get_mut(&place.op)
            {
                seen.refused += 1;
            }
        }
    }

    /// Adds the nodes of a converted module to the ops that they come from. Gives the types of floats of 16 bits on
    /// which ops of the text are computed in a wider type, with the number of these ops.
    pub fn add_nodes(&mut self, module: &Module) -> Vec<(String, usize)> {
        let mut widened: BTreeMap<Element, FxHashSet<usize>> = BTreeMap::new();
        for op in module.reachable_ops() {
            let name = module.op(op).name;
            let start = module.span(op).name.start;
            let Some(place) = self.places.get(&start) else { continue };
            if !name.is_node() {
                continue;
            }
            if let Some(element) =
                place.element.filter(|_| name == onnx::CAST && place.op != stablehlo::CONVERT.text())
                && widens(module, op, element)
            {
                widened.entry(element).or_default().insert(start);
            }
            if let Some(seen) = self.ops.get_mut(&place.op) {
                *seen.becomes.entry(name.mnemonic().to_owned()).or_default() += 1;
            }
        }
        widened
            .into_iter()
            .map(|(element, places)| (module.spell_element(element).to_owned(), places.len()))
            .collect()
    }

    /// The ops as rows of a report.
    pub fn rows(&mut self) -> Vec<SourceOp> {
        let covered: BTreeMap<&str, &'static str> =
            coverage().into_iter().map(|row| (row.op, row.note)).collect();
        let mut rows: Vec<SourceOp> = std::mem::take(&mut self.ops)
            .into_iter()
            .map(|(op, Seen { count, refused, becomes })| {
                let mut becomes: Vec<NodeCount> =
                    becomes.into_iter().map(|(op, count)| NodeCount { op, count }).collect();
                becomes
                    .sort_by(|left, right| right.count.cmp(&left.count).then_with(|| left.op.cmp(&right.op)));
                let note = covered.get(op.as_str()).copied();
                let supported = note.is_some() || OpName::of_text(&op).is_some_and(ops::is_structural);
                SourceOp { op, count, supported, refused, becomes, note: note.unwrap_or_default() }
            })
            .collect();
        rows.sort_by(|left, right| right.count.cmp(&left.count).then_with(|| left.op.cmp(&right.op)));
        rows
    }
}

/// Whether a cast takes a float of 16 bits that the text computes on to a wider one.
fn widens(module: &Module, cast: OpId, element: Element) -> bool {
    let op = module.op(cast);
    let of = |values: &[ValueId]| values.first().and_then(|&value| module.tensor(value)).map(|ty| ty.element);
    matches!(element, Element::BF16 | Element::F16)
        && of(&op.operands) == Some(element)
        && matches!(of(&op.results), Some(Element::F32 | Element::F64))
}

/// The path of the module that an op belongs to. Subscripts of `einsum` are in paths as well, and are not modules.
pub(super) fn module_of(module: &Module, op: OpId) -> Option<String> {
    let scope = provenance::scope(module, module.op_location(op))?;
    let (modules, _) = scope.rsplit_once('/')?;
    let parts: Vec<&str> = modules.split('/').filter(|part| !part.contains("->")).collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The constant of an op, when it is a tensor with elements that differ: a splat is as likely a number of the program
/// as a weight.
fn constant_weight(module: &Module, op: OpId) -> Option<(OpId, ConstantId)> {
    if module.op(op).name != stablehlo::CONSTANT {
        return None;
    }
    let Some(Attribute::Dense(id)) = module.attribute(op, "value") else { return None };
    let constant = module.constant(*id);
    let several = module.tensor_type(constant.ty)?.count()? > 1;
    let result = module.op(op).results.first()?;
    let defined = matches!(module.value(*result).definition, Definition::Result(..));
    (several && defined && !matches!(constant.data, Data::Splat(_))).then_some((op, *id))
}
