//! Shares equal functions.

use crate::ir::{
    BlockId, Dim, Function, FunctionId, Module, OpId, RegionId, Symbol, TensorType, Type, TypeId, ValueId,
};
use crate::pass::canonicalize::{Piece, encode_attributes};
use rustc_hash::{FxHashMap, FxHashSet};

/// The functions created so far.
pub(super) struct SharedFunctions {
    /// Functions by their encoding. Encodings are equal exactly if functions are.
    known: FxHashMap<Vec<Piece>, SharedFunction>,
    taken: FxHashSet<Symbol>,
    /// The next suffix to try for a class name.
    next: FxHashMap<Symbol, u32>,
}

struct SharedFunction {
    function: FunctionId,
    /// Its values, in the order in which they are found.
    values: Vec<ValueId>,
}

impl SharedFunctions {
    pub(super) fn new(module: &mut Module) -> Self {
        let mut taken: FxHashSet<Symbol> = module.functions().map(|id| module.function(id).name).collect();
        // A function of this name would become the entry.
        taken.insert(module.symbols.intern("main"));
        Self { known: FxHashMap::default(), taken, next: FxHashMap::default() }
    }

    /// The name of a function equal to the one that `make` builds, which is added if there is none.
    ///
    /// ONNX functions are untyped. Functions that differ only in sizes, without constants that state them, are equal;
    /// their types become unknown in those sizes.
    pub(super) fn find_or_add(
        &mut self,
        module: &mut Module,
        class: &str,
        make: impl FnOnce(Symbol) -> Function,
    ) -> Symbol {
        let class = module.symbols.intern(class);
        let mut function = make(class);
        let mut key =
            Encoder { module, numbers: FxHashMap::default(), values: Vec::new(), pieces: Vec::new() };
        key.pieces.push(Piece::Symbol(class));
        key.region(function.body);
        let (pieces, values) = (key.pieces, key.values);
        if let Some(known) = self.known.get(&pieces) {
            for (&value, &other) in known.values.iter().zip(&values) {
                let ty = join(module, module.value_type(value), module.value_type(other));
                module.value_mut(value).ty = ty;
            }
            return module.function(known.function).name;
        }
        function.name = self.unique(module, class);
        let name = function.name;
        let function = module.add_function(function);
        self.known.insert(pieces, SharedFunction { function, values });
        name
    }

    /// The name of the class, with a number appended if it is taken.
    fn unique(&mut self, module: &mut Module, class: Symbol) -> Symbol {
        let mut name = class;
        while !self.taken.insert(name) {
            let number = self.next.entry(class).or_insert(1);
            *number += 1;
            let numbered = format!("{}_{number}", module.symbols.get(class));
            name = module.symbols.intern(&numbered);
        }
        name
    }
}

/// Merges two types that differ only in sizes.
fn join(module: &mut Module, x: TypeId, y: TypeId) -> TypeId {
    if x == y {
        return x;
    }
    let (Some(left), Some(right)) = (module.tensor_type(x), module.tensor_type(y)) else { return x };
    let dims = left.dims.iter().zip(&right.dims);
    let dims = dims.map(|(&x, &y)| if x == y { x } else { Dim::Dynamic }).collect();
    let ty = TensorType { element: left.element, dims, encoding: left.encoding };
    module.types.intern(Type::Tensor(ty))
}

/// Encodes a function: encodings are equal exactly if functions are. A value is its index in the order of
/// definitions.
struct Encoder<'m> {
    module: &'m Module,
    numbers: FxHashMap<ValueId, u64>,
    values: Vec<ValueId>,
    pieces: Vec<Piece>,
}

// Recursion follows the nesting of regions, which the parser limits.
impl Encoder<'_> {
    fn region(&mut self, region: RegionId) {
        let blocks = &self.module.region(region).blocks;
        self.number(blocks.len());
        blocks.iter().for_each(|&block| self.block(block));
    }

    fn block(&mut self, block: BlockId) {
        let block = self.module.block(block);
        self.define(&block.arguments);
        self.number(block.ops.len());
        block.ops.iter().for_each(|&op| self.op(op));
    }

    fn op(&mut self, op: OpId) {
        let op = self.module.op(op);
        self.pieces.push(Piece::Symbol(op.name.symbol()));
        self.number(op.operands.len());
        for operand in &op.operands {
            // Only an absent operand has no definition in the function.
            let number = self.numbers.get(operand).copied().unwrap_or(u64::MAX);
            self.pieces.push(Piece::from(number));
        }
        encode_attributes(self.module, &op.attributes, &mut self.pieces);
        self.number(op.regions.len());
        op.regions.iter().for_each(|&region| self.region(region));
        self.define(&op.results);
    }

    fn define(&mut self, values: &[ValueId]) {
        self.number(values.len());
        for &value in values {
            self.numbers.insert(value, self.values.len() as u64);
            self.values.push(value);
            match self.module.tensor(value) {
                Some(tensor) => {
                    self.pieces.push(Piece::Element(tensor.element));
                    self.number(tensor.rank());
                }
                None => self.pieces.push(Piece::Type(self.module.value_type(value))),
            }
        }
    }

    fn number(&mut self, number: usize) {
        self.pieces.push(Piece::from(number as u64));
    }
}
