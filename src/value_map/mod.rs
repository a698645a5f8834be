//! The map from values of a model to values of its program, and the program as text with mapped values as results.
//!
//! The program is the user's module with calls inlined. Passes record the origin of each value that replaces another;
//! this module derives the form from both types. Values without an origin are not mapped.

mod double;
mod program;

pub use program::{Captured, Program};

use crate::diagnostic::PythonFrame;
use crate::ir::{Dim, Element, FunctionId, Module, Origin, ValueId, onnx, provenance};
use crate::pass;
use rustc_hash::{FxHashMap, FxHashSet};

/// How a value of the model represents a value of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// As it is.
    Same,
    /// With its dimensions in another order.
    Permuted,
    /// With size 1, or without the dimension, where the program's value repeats its elements.
    Broadcast,
    /// With more or fewer dimensions of size 1.
    Reshaped,
    /// In a wider element type.
    Widened,
    /// Complex numbers as two parts in a last dimension.
    Parts,
    /// The real part of complex numbers.
    Real,
    /// The imaginary part of complex numbers.
    Imaginary,
}

impl Representation {
    /// Its name in the map's JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Permuted => "permuted",
            Self::Broadcast => "broadcast",
            Self::Reshaped => "reshaped",
            Self::Widened => "widened",
            Self::Parts => "parts",
            Self::Real => "real",
            Self::Imaginary => "imaginary",
        }
    }
}

/// A value of the model that is a value of the program.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// Its name in the model.
    pub onnx: String,
    /// The value of the program.
    pub program: ValueId,
    /// How the model represents it.
    pub form: Representation,
    /// The element type in the model, as StableHLO spells it.
    pub element: &'static str,
    /// For each dimension in the model, the dimension of the program's value; `None` for an added dimension of size 1.
    /// The program's value repeats its elements along a dimension that is missing here.
    pub axes: Vec<Option<usize>>,
    /// The Python line.
    pub python: Option<PythonFrame>,
    /// The path of modules.
    pub module_path: Option<String>,
}

/// The mapped values of a model, in the order of its nodes, and the program.
#[derive(Clone, Debug)]
pub struct ValueMap {
    program: Module,
    /// The values.
    pub values: Vec<Mapped>,
}

impl ValueMap {
    /// The map of a module after all passes; `program` is the module at which its origins begin.
    pub(crate) fn new(program: Module, module: &Module, entry: FunctionId) -> Self {
        let mut values = Vec::new();
        if let Some(block) = module.entry_block(module.function(entry).body) {
            let known = program_values(&program);
            let derived = derived(module, module.block(block).ops.iter().copied().rev());
            let results = module.block(block).ops.iter().flat_map(|&op| {
                let is_node = module.op(op).name != onnx::CONSTANT;
                module.op(op).results.iter().copied().filter(move |_| is_node)
            });
            for value in module.block(block).arguments.iter().copied().chain(results) {
                let Some(origin) = module.origin(value).or_else(|| derived.get(&value).cloned()) else {
                    continue;
                };
                if known.contains(&origin.value) {
                    values.extend(mapped(&program, module, value, &origin));
                }
            }
        }
        Self { program, values }
    }
}

/// The values of the program's entry function that can be its results.
fn program_values(program: &Module) -> FxHashSet<ValueId> {
    let block = pass::entry(program).and_then(|entry| program.entry_block(program.function(entry).body));
    let Some(block) = block else { return FxHashSet::default() };
    let block = program.block(block);
    let results = block.ops.iter().flat_map(|&op| program.op(op).results.iter().copied());
    block.arguments.iter().copied().chain(results).collect()
}

/// The origins of operands that only change their form on the way to a value with an origin. `ops` is in reverse order.
fn derived(module: &Module, ops: impl Iterator<Item = crate::ir::OpId>) -> FxHashMap<ValueId, Origin> {
    let mut derived: FxHashMap<ValueId, Origin> = FxHashMap::default();
    for op in ops {
        let (Some(&operand), &[result]) = (module.op(op).operands.first(), &module.op(op).results[..]) else {
            continue;
        };
        if module.origin(operand).is_some() || derived.contains_key(&operand) {
            continue;
        }
        let Some(origin) = module.origin(result).or_else(|| derived.get(&result).cloned()) else { continue };
        let order = match module.op(op).name {
            // The types show casts of floats, and reshapes that add or drop sizes of 1. An integer may be computed wide
            // and wrap when it is cast, so the wide integer is another value.
            onnx::CAST if !both_are_floats(module, operand, result) => continue,
            onnx::CAST | onnx::IDENTITY => origin.order.clone(),
            onnx::RESHAPE | onnx::UNSQUEEZE | onnx::SQUEEZE if origin.order.is_none() => None,
            onnx::TRANSPOSE => {
                let order = module.attribute(op, "perm").and_then(|perm| module.integers(perm));
                let order: Option<Vec<usize>> =
                    order.and_then(|order| order.iter().map(|&axis| usize::try_from(axis).ok()).collect());
                let Some(order) = order else { continue };
                match &origin.order {
                    None => Some(order.into_iter().collect()),
                    Some(outer) => outer.iter().map(|&axis| order.get(axis).copied()).collect(),
                }
            }
            _ => continue,
        };
        derived.insert(operand, Origin { order, ..origin });
    }
    derived
}

/// Whether both values are floats of 16 bits or more.
fn both_are_floats(module: &Module, one: ValueId, other: ValueId) -> bool {
    let is_float = |value: ValueId| {
        module.tensor(value).is_some_and(|ty| ty.element.is_float() && ty.element.bits() >= 16)
    };
    is_float(one) && is_float(other)
}

fn mapped(program: &Module, module: &Module, value: ValueId, origin: &Origin) -> Option<Mapped> {
    let own = module.tensor(value)?;
    let stated = program.tensor(origin.value)?;
    let known = module.tensor(origin.value)?;
    // Passes infer sizes of the program's values, and keep the rank unless they change the form.
    let sizes = if known.rank() == stated.rank() { &known.dims } else { &stated.dims };
    let mut dims = own.dims.to_vec();
    let holds_numbers = stated.element.is_complex() && own.element == stated.element.part();
    if origin.part.is_some() && !holds_numbers {
        return None;
    }
    let is_packed = holds_numbers && origin.part.is_none();
    if is_packed && (dims.pop() != Some(Dim::Known(2)) || origin.order.is_some()) {
        return None;
    }
    let ordered: Vec<Dim> = match &origin.order {
        Some(order) if order.len() == dims.len() => {
            order.iter().map(|&axis| dims.get(axis).copied()).collect::<Option<_>>()?
        }
        Some(_) => return None,
        None => dims.clone(),
    };
    let (mut axes, mut form) = match broadcast(&ordered, sizes) {
        Some(axes) => {
            let all = axes.iter().copied().eq((0..sizes.len()).map(Some));
            (axes, if all { Representation::Same } else { Representation::Broadcast })
        }
        None => (reshaped(&ordered, sizes)?, Representation::Reshaped),
    };
    if let Some(order) = &origin.order {
        let mut own = vec![None; axes.len()];
        order.iter().zip(axes).for_each(|(&to, axis)| own[to] = axis);
        axes = own;
        if form == Representation::Same {
            form = Representation::Permuted;
        }
    }
    if holds_numbers {
        form = match origin.part {
            None => Representation::Parts,
            Some(0) => Representation::Real,
            Some(_) => Representation::Imaginary,
        };
    } else if own.element != stated.element {
        is_same_number(stated.element, own.element).then_some(())?;
        if form == Representation::Same {
            form = Representation::Widened;
        }
    }
    let place = module.defining_op(value).map(|op| module.op_location(op));
    Some(Mapped {
        onnx: module.symbols.get(module.value(value).name?).to_owned(),
        program: origin.value,
        form,
        element: own.element.name()?,
        axes,
        python: place.and_then(|place| provenance::python_frame(module, place)),
        module_path: place.and_then(|place| provenance::scope(module, place)),
    })
}

/// Whether a value may be mapped across a change of its type: to one that represents it exactly, or from `f64` to `f32`,
/// in which the compiler computes where ONNX Runtime lacks a kernel for `f64`.
fn is_same_number(from: Element, to: Element) -> bool {
    from.is_exact_in(to) || (from == Element::F64 && to == Element::F32)
}

/// The axes of a value that broadcasts to these sizes; `None` if it does not.
fn broadcast(own: &[Dim], sizes: &[Dim]) -> Option<Vec<Option<usize>>> {
    let first = sizes.len().checked_sub(own.len())?;
    let axis = |(index, &dim): (usize, &Dim)| match dim {
        _ if dim == sizes[first + index] => Some(Some(first + index)),
        Dim::Known(1) => Some(None),
        _ => None,
    };
    own.iter().enumerate().map(axis).collect()
}

/// The axes of a value whose sizes differ only by dimensions of size 1; `None` if they differ otherwise.
fn reshaped(own: &[Dim], sizes: &[Dim]) -> Option<Vec<Option<usize>>> {
    let mut rest = (0..sizes.len()).filter(|&axis| sizes[axis] != Dim::Known(1));
    let mut axes = Vec::with_capacity(own.len());
    for &dim in own {
        axes.push(match dim {
            Dim::Known(1) => None,
            _ => Some(rest.next().filter(|&axis| sizes[axis] == dim)?),
        });
    }
    rest.next().is_none().then_some(axes)
}
