//! Creates symbols for sizes that follow from nothing else, and the ops that define them.
//!
//! `hlo2onnx.size` defines a symbol as the size of a dimension of its operand, or as the value of an element. It
//! defines the symbols of arguments and of computed sizes; the lowering reads it. The dimension may be `times` the
//! symbol and `plus`, if a program names `h` and takes `8*h + 4`.

use super::super::name_values::Path;
use crate::ir::{
    Attribute, BlockId, Definition, Dim, Factor, FunctionId, Module, OpId, Symbol, Type, ValueId, hlo2onnx,
    provenance,
};
use crate::ops::SizePart;
use rustc_hash::{FxHashMap, FxHashSet};

/// A symbol and its definition: the part equals `times` the symbol plus `plus`.
struct SymbolOrigin {
    symbol: Symbol,
    value: ValueId,
    part: SizePart,
    times: i64,
    plus: Dim,
}

impl SymbolOrigin {
    fn plain(symbol: Symbol, value: ValueId, part: SizePart) -> Self {
        Self { symbol, value, part, times: 1, plus: Dim::Known(0) }
    }
}

/// The symbols of a function, in the order of creation.
#[derive(Default)]
pub(super) struct SymbolOrigins {
    list: Vec<SymbolOrigin>,
    index: FxHashMap<(ValueId, SizePart), Dim>,
    taken: FxHashSet<Symbol>,
    /// The symbols that are elements of data, not sizes.
    data: FxHashSet<Symbol>,
}

impl SymbolOrigins {
    /// Defines the symbols in a function's argument types; unknown dimensions get new ones.
    pub(super) fn of_arguments(module: &mut Module, function: FunctionId) -> Self {
        let mut origins = Self::default();
        let Some(block) = module.entry_block(module.function(function).body) else { return origins };
        let arguments = module.block(block).arguments.clone();
        // The program's names come first, so that new names differ from them.
        for &value in &arguments {
            let dims = module.tensor(value).map(|tensor| tensor.dims.clone()).unwrap_or_default();
            dims.into_iter().enumerate().for_each(|(axis, dim)| origins.define(module, dim, value, axis));
        }
        origins.define_derived(module, &arguments);
        for value in arguments {
            let Some(mut tensor) = module.tensor(value).filter(|ty| !ty.is_static()).cloned() else {
                continue;
            };
            for axis in 0..tensor.rank() {
                if tensor.dims[axis] == Dim::Dynamic {
                    tensor.dims[axis] = origins.add(module, value, SizePart::Dimension(axis));
                }
            }
            let ty = module.types.intern(Type::Tensor(tensor));
            module.value_mut(value).ty = ty;
        }
        origins
    }

    fn define(&mut self, module: &Module, dim: Dim, value: ValueId, axis: usize) {
        if let Some(symbol) = module.dim_exprs.as_symbol(dim)
            && self.taken.insert(symbol)
        {
            self.list.push(SymbolOrigin::plain(symbol, value, SizePart::Dimension(axis)));
        }
    }

    /// Defines symbols that no dimension equals, from dimensions such as `8*h + b` and other symbols.
    fn define_derived(&mut self, module: &Module, arguments: &[ValueId]) {
        let derived = |&value: &ValueId| {
            let dims = module.tensor(value).map(|tensor| tensor.dims.clone()).unwrap_or_default();
            let symbolic = dims.into_iter().enumerate().filter(|(_, dim)| dim.known().is_none());
            symbolic
                .filter(|&(_, dim)| module.dim_exprs.as_symbol(dim).is_none())
                .map(move |(axis, dim)| (value, axis, dim))
        };
        let mut pending: Vec<_> = arguments.iter().flat_map(derived).collect();
        loop {
            let before = pending.len();
            pending.retain(|&(value, axis, dim)| {
                let Some(open) = self.open_symbol(module, dim) else { return true };
                if let Some((symbol, times, plus)) = open {
                    self.taken.insert(symbol);
                    self.list.push(SymbolOrigin {
                        symbol,
                        value,
                        part: SizePart::Dimension(axis),
                        times,
                        plus,
                    });
                }
                false
            });
            if pending.len() == before {
                return;
            }
        }
    }

    /// The only undefined symbol of a size, with its factor and the rest. `Some(None)` if all are defined, `None` if
    /// several are undefined.
    fn open_symbol(&self, module: &Module, dim: Dim) -> Option<Option<(Symbol, i64, Dim)>> {
        let Dim::Symbolic(size) = dim else { return Some(None) };
        let mut found = FxHashSet::default();
        module.dim_exprs.symbols(dim, &mut found);
        let mut open = found.into_iter().filter(|symbol| !self.taken.contains(symbol));
        let Some(symbol) = open.next() else { return Some(None) };
        if open.next().is_some() {
            return None;
        }
        let terms = module.dim_exprs.terms(size);
        let own = terms.iter().find(|(factors, _)| factors[..] == [Factor::Symbol(symbol)])?;
        let sizes = &module.dim_exprs;
        let plus = sizes.subtract(dim, sizes.multiply(sizes.symbol(symbol), Dim::Known(own.1)));
        let mut left = FxHashSet::default();
        sizes.symbols(plus, &mut left);
        (own.1 > 0 && !left.contains(&symbol)).then_some(Some((symbol, own.1, plus)))
    }

    /// The symbol of a part of a value.
    pub(super) fn add(&mut self, module: &mut Module, value: ValueId, part: SizePart) -> Dim {
        if let Some(&known) = self.index.get(&(value, part)) {
            return known;
        }
        let name = self.name(module, value, part);
        match part {
            SizePart::Dimension(_) => module.dim_exprs.at_least(name, 0),
            SizePart::Element(_) => {
                self.data.insert(name);
            }
        }
        let dim = module.dim_exprs.symbol(name);
        self.list.push(SymbolOrigin::plain(name, value, part));
        self.index.insert((value, part), dim);
        dim
    }

    /// A unique name; for an argument, derived from the argument's name.
    fn name(&mut self, module: &mut Module, value: ValueId, part: SizePart) -> Symbol {
        let argument = match module.value(value).definition {
            Definition::Argument(block, index) => argument_name(module, block, index as usize),
            _ => None,
        };
        let stem = match (argument, part) {
            (Some(name), SizePart::Dimension(axis)) => format!("{name}_{axis}"),
            (Some(name), SizePart::Element(_)) => name,
            (None, _) => format!("n{}", self.list.len()),
        };
        let mut name = module.symbols.intern(&stem);
        let mut suffix = 0;
        while !self.taken.insert(name) {
            suffix += 1;
            name = module.symbols.intern(&format!("{stem}_{suffix}"));
        }
        name
    }

    /// Whether a size is an expression over sizes, not over data.
    pub(super) fn is_of_sizes(&self, module: &Module, size: Dim) -> bool {
        let mut symbols = FxHashSet::default();
        module.dim_exprs.symbols(size, &mut symbols);
        size != Dim::Dynamic && symbols.is_disjoint(&self.data)
    }

    /// Inserts ops that define the used symbols, each after the value that it reads.
    pub(super) fn insert(self, module: &mut Module, function: FunctionId) {
        let mut used = used_symbols(module, function);
        // Definitions come before the symbols that follow from them.
        for origin in
            self.list.iter().rev().filter(|origin| used.contains(&origin.symbol)).collect::<Vec<_>>()
        {
            module.dim_exprs.symbols(origin.plus, &mut used);
        }
        let mut waiting: FxHashMap<ValueId, Vec<SymbolOrigin>> = FxHashMap::default();
        for origin in self.list.into_iter().filter(|origin| used.contains(&origin.symbol)) {
            waiting.entry(origin.value).or_default().push(origin);
        }
        if waiting.is_empty() {
            return;
        }
        let blocks: Vec<BlockId> = module.blocks_within([module.function(function).body]).collect();
        for block in blocks {
            let arguments = module.block(block).arguments.clone();
            let mut kept = Vec::with_capacity(module.block(block).ops.len());
            define(module, &mut waiting, &arguments, &mut kept);
            for op in std::mem::take(&mut module.block_mut(block).ops) {
                kept.push(op);
                let results = module.op(op).results.clone();
                define(module, &mut waiting, &results, &mut kept);
            }
            module.block_mut(block).ops = kept;
        }
    }
}

/// The symbols in the types and attributes of a function.
fn used_symbols(module: &Module, function: FunctionId) -> FxHashSet<Symbol> {
    let mut used = FxHashSet::default();
    let mut seen = FxHashSet::default();
    for block in module.blocks_within([module.function(function).body]) {
        let block = module.block(block);
        let results = block.ops.iter().flat_map(|&op| &module.op(op).results);
        for &value in block.arguments.iter().chain(results) {
            let ty = module.value_type(value);
            if let Some(tensor) = module.tensor_type(ty).filter(|_| seen.insert(ty)) {
                tensor.dims.iter().for_each(|&dim| module.dim_exprs.symbols(dim, &mut used));
            }
        }
        for (_, attribute) in block.ops.iter().flat_map(|&op| &module.op(op).attributes) {
            if let Attribute::Dims(sizes) = attribute {
                sizes.iter().for_each(|&dim| module.dim_exprs.symbols(dim, &mut used));
            }
        }
    }
    used
}

/// The name of an argument of the entry.
fn argument_name(module: &Module, block: BlockId, index: usize) -> Option<String> {
    let function =
        module.functions().find(|&id| module.entry_block(module.function(id).body) == Some(block))?;
    let location = module.function(function).arguments.get(index)?.location;
    let path = location.and_then(|location| Path::parse(provenance::own_name(module, location)?));
    // Names of dimensions are identifiers, like those of `jax.export`.
    let name = path.map(|path| path.short().replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
    Some(name.unwrap_or_else(|| format!("arg{index}")))
}

fn define(
    module: &mut Module,
    waiting: &mut FxHashMap<ValueId, Vec<SymbolOrigin>>,
    values: &[ValueId],
    kept: &mut Vec<OpId>,
) {
    for value in values {
        for origin in waiting.remove(value).unwrap_or_default() {
            kept.push(definition(module, &origin));
        }
    }
}

fn definition(module: &mut Module, origin: &SymbolOrigin) -> OpId {
    let (key, index) = match origin.part {
        SizePart::Dimension(axis) => ("dimension", axis),
        SizePart::Element(index) => ("element", index),
    };
    let name = module.symbols.get(origin.symbol).to_owned();
    let place = module.defining_op(origin.value).map(|op| module.place(op)).unwrap_or_default();
    let size = module.create(hlo2onnx::SIZE, &[origin.value]).at(place);
    let mut size = size.string("symbol", &name).int(key, index as i64);
    if (origin.times, origin.plus) != (1, Dim::Known(0)) {
        size = size.int("times", origin.times).attr("plus", Attribute::of_sizes(&[origin.plus]));
    }
    size.results(&[])
}
