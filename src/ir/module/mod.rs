//! Modules and their contents.

mod attributes;
mod origin;

pub use origin::{Origin, Origins};

use super::{
    Attributes, Constant, ConstantId, Dialect, Dim, DimExprs, Dims, Element, Location, LocationId, OpName,
    Place, Size, Symbol, Symbols, TensorType, Type, TypeId, Types, func,
};
use crate::source::Span;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub(in crate::ir) u32);

        impl $name {
            /// The position in the module's arena.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

handles! {
    /// Handle of an [`Op`].
    OpId;
    /// Handle of a [`Value`].
    ValueId;
    /// Handle of a [`Block`].
    BlockId;
    /// Handle of a [`Region`].
    RegionId;
    /// Handle of a [`Function`].
    FunctionId;
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Op {
    /// Its name with its dialect, such as `stablehlo.add`.
    pub name: OpName,
    /// The values that it reads. For an absent optional operand of an `onnx` op: [`Module::absent`].
    pub operands: SmallVec<[ValueId; 3]>,
    /// The values that it defines.
    pub results: SmallVec<[ValueId; 1]>,
    /// Its attributes; properties (`<{...}>`) and discardable attributes are one list.
    pub attributes: Attributes,
    /// Its regions.
    pub regions: SmallVec<[RegionId; 1]>,
}

/// Where an op is in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpSpan {
    /// The op's name, which is what a diagnostic points at.
    pub name: Span,
    /// The whole statement with its regions.
    pub whole: Span,
}

/// How a value is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition {
    /// As a result of an op, by index.
    Result(OpId, u32),
    /// As an argument of a block, by index.
    Argument(BlockId, u32),
    /// Not defined: the definition was faulty and has been reported. Users stay silent.
    Poison,
}

/// A value in static single assignment form.
#[derive(Clone, Debug)]
pub struct Value {
    /// Its type.
    pub ty: TypeId,
    /// What defines it.
    pub definition: Definition,
    /// Its name in the model, if set.
    pub name: Option<Symbol>,
}

/// A list of ops with arguments.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// The arguments.
    pub arguments: Vec<ValueId>,
    /// The ops in order; the last is the terminator.
    pub ops: Vec<OpId>,
}

/// A list of blocks owned by an op or a function; JAX prints exactly one.
#[derive(Clone, Debug, Default)]
pub struct Region {
    /// The blocks, entry first.
    pub blocks: Vec<BlockId>,
}

/// The data of a function argument apart from its value.
#[derive(Clone, Debug, Default)]
pub struct Argument {
    /// Its attributes (`jax.global_constant`, `mhlo.sharding` ...).
    pub attributes: Attributes,
    /// Its location, which carries its path in the user's tree of arguments.
    pub location: Option<LocationId>,
    /// Where it is declared.
    pub span: Span,
}

/// A result of a function.
#[derive(Clone, Debug)]
pub struct FunctionResult {
    /// Its type.
    pub ty: TypeId,
    /// Its attributes (`jax.result_info` ...).
    pub attributes: Attributes,
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name without the `@`.
    pub name: Symbol,
    /// Whether it can be called from outside: `public`, or no visibility stated.
    pub public: bool,
    /// Its body; without blocks for a declaration.
    pub body: RegionId,
    /// The arguments: as many as the body's block has, or as the declaration has types.
    pub arguments: Vec<Argument>,
    /// Types of the arguments. Those of a function with a body follow from it; see [`Module::settle_signatures`].
    pub argument_types: Vec<TypeId>,
    /// The results.
    pub results: Vec<FunctionResult>,
    /// Its other attributes.
    pub attributes: Attributes,
    /// Where its name is.
    pub span: Span,
    /// Its location.
    pub location: LocationId,
}

/// A program.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its name without the `@`.
    pub name: Option<Symbol>,
    /// Its attributes (`mhlo.num_partitions` ...).
    pub attributes: Attributes,
    /// Ops outside of functions (`sdy.mesh` ...).
    pub top_level: Vec<OpId>,
    /// Names of functions in the text whose signatures could not be parsed.
    pub lost: Vec<Symbol>,
    /// Names.
    pub symbols: Symbols,
    /// Types.
    pub types: Types,
    /// Sizes that are expressions.
    pub dim_exprs: DimExprs,
    /// Names of weights in the user's own tree. A constant whose location has such a name uses it in the model.
    pub weight_names: FxHashSet<Symbol>,
    /// The program values that model values represent, if recorded.
    pub(super) origins: Option<Box<Origins>>,
    functions: Vec<Function>,
    function_index: FxHashMap<Symbol, FunctionId>,
    ops: Vec<Op>,
    /// Which ops may have regions: all others have none, and a walk need not read them.
    may_nest: Vec<bool>,
    spans: Vec<OpSpan>,
    op_locations: Vec<LocationId>,
    values: Vec<Value>,
    blocks: Vec<Block>,
    regions: Vec<Region>,
    constants: Vec<Constant>,
    locations: Vec<Location>,
    free_zeros: FxHashSet<OpId>,
}

impl Default for Module {
    fn default() -> Self {
        Self::new()
    }
}

impl Module {
    /// A module without functions.
    pub fn new() -> Self {
        let mut types = Types::default();
        let none = types.intern(Type::None);
        Self {
            name: None,
            attributes: Vec::new(),
            top_level: Vec::new(),
            lost: Vec::new(),
            symbols: Symbols::default(),
            types,
            dim_exprs: DimExprs::default(),
            weight_names: FxHashSet::default(),
            origins: None,
            functions: Vec::new(),
            function_index: FxHashMap::default(),
            ops: Vec::new(),
            may_nest: Vec::new(),
            spans: Vec::new(),
            op_locations: Vec::new(),
            values: vec![Value { ty: none, definition: Definition::Poison, name: None }],
            blocks: Vec::new(),
            regions: Vec::new(),
            constants: Vec::new(),
            locations: vec![Location::Unknown],
            free_zeros: FxHashSet::default(),
        }
    }

    /// The value that represents an absent optional operand.
    pub fn absent(&self) -> ValueId {
        ValueId(0)
    }

    // Reading.

    /// The op of a handle.
    pub fn op(&self, id: OpId) -> &Op {
        &self.ops[id.index()]
    }

    /// The op of a handle, to change.
    pub fn op_mut(&mut self, id: OpId) -> &mut Op {
        self.may_nest[id.index()] = true;
        &mut self.ops[id.index()]
    }

    /// The operands of an op, to change.
    pub fn operands_mut(&mut self, id: OpId) -> &mut [ValueId] {
        &mut self.ops[id.index()].operands
    }

    /// The regions of an op.
    pub fn regions_of(&self, id: OpId) -> &[RegionId] {
        // Of an op without regions only this byte is read. In a large program reading each op took most of a walk.
        if self.may_nest[id.index()] { &self.op(id).regions } else { &[] }
    }

    /// Number of ops ever added to the module, which bounds their handles.
    pub fn op_count(&self) -> usize {
        self.ops.len()
    }

    /// Where an op is in the text, and what it comes from.
    pub fn place(&self, op: OpId) -> Place {
        (self.span(op), self.op_location(op))
    }

    /// The ops that were added after the first `count`.
    pub fn ops_since(&self, count: usize) -> impl Iterator<Item = OpId> + use<> {
        (count..self.ops.len()).map(|index| OpId(index as u32))
    }

    /// Marks the ops that were added after the first `count`: the zeros in their results may have either sign.
    pub fn free_zeros_since(&mut self, count: usize) {
        let added = self.ops_since(count);
        self.free_zeros.extend(added);
    }

    /// Whether the zeros in the results of an op may have either sign.
    pub fn has_free_zeros(&self, op: OpId) -> bool {
        self.free_zeros.contains(&op)
    }

    /// Number of values ever added to the module, which bounds their handles.
    pub fn value_count(&self) -> usize {
        self.values.len()
    }

    /// The text of the op's name, such as `stablehlo.add`, for messages.
    pub fn op_name(&self, id: OpId) -> &str {
        self.symbols.get(self.op(id).name.symbol())
    }

    /// The dialect of an op.
    pub fn dialect(&self, id: OpId) -> Dialect {
        self.symbols.dialect(self.op(id).name)
    }

    /// Where the op is in the text.
    pub fn span(&self, id: OpId) -> OpSpan {
        self.spans[id.index()]
    }

    /// Where in the user's program the op comes from.
    pub fn op_location(&self, id: OpId) -> LocationId {
        self.op_locations[id.index()]
    }

    /// Sets where in the user's program the op comes from.
    pub fn set_op_location(&mut self, id: OpId, location: LocationId) {
        self.op_locations[id.index()] = location;
    }

    /// The value of a handle.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.index()]
    }

    /// The value of a handle, to change.
    pub fn value_mut(&mut self, id: ValueId) -> &mut Value {
        &mut self.values[id.index()]
    }

    /// The type of a value.
    pub fn value_type(&self, id: ValueId) -> TypeId {
        self.value(id).ty
    }

    /// The tensor type of a value, when it is a tensor.
    pub fn tensor(&self, id: ValueId) -> Option<&TensorType> {
        self.tensor_type(self.value_type(id))
    }

    /// The tensor type of a handle, when it is one.
    pub fn tensor_type(&self, id: TypeId) -> Option<&TensorType> {
        match self.types.get(id) {
            Type::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// The op that defines a value, when one does.
    pub fn defining_op(&self, id: ValueId) -> Option<OpId> {
        match self.value(id).definition {
            Definition::Result(op, _) => Some(op),
            _ => None,
        }
    }

    /// The op that defines a value, if it has this name.
    pub fn defined_by(&self, id: ValueId, name: OpName) -> Option<OpId> {
        self.defining_op(id).filter(|&op| self.op(op).name == name)
    }

    /// The operands of the op that defines a value, if it has this name.
    pub fn defining_operands<const N: usize>(&self, id: ValueId, name: OpName) -> Option<[ValueId; N]> {
        self.op(self.defined_by(id, name)?).operands[..].try_into().ok()
    }

    /// The sizes to which tensors broadcast by ONNX's rules.
    pub fn broadcast_dims(&self, values: &[ValueId]) -> Dims {
        let all = || values.iter().filter_map(|&value| self.tensor(value)).map(|tensor| &tensor.dims);
        let rank = all().map(|dims| dims.len()).max().unwrap_or(0);
        let size = |axis: usize| {
            let own = all().filter_map(|dims| (axis + dims.len()).checked_sub(rank).map(|own| dims[own]));
            // Sizes other than 1 are equal at run time; a constant is more precise than an expression.
            own.filter(|&dim| dim != Dim::Known(1)).min().unwrap_or(Dim::Known(1))
        };
        (0..rank).map(size).collect()
    }

    /// The block of a handle.
    pub fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.index()]
    }

    /// The block of a handle, to change.
    pub fn block_mut(&mut self, id: BlockId) -> &mut Block {
        &mut self.blocks[id.index()]
    }

    /// The region of a handle.
    pub fn region(&self, id: RegionId) -> &Region {
        &self.regions[id.index()]
    }

    /// The region of a handle, to change.
    pub fn region_mut(&mut self, id: RegionId) -> &mut Region {
        &mut self.regions[id.index()]
    }

    /// The first block of a region, if it has one.
    pub fn entry_block(&self, region: RegionId) -> Option<BlockId> {
        self.region(region).blocks.first().copied()
    }

    /// The constant of a handle.
    pub fn constant(&self, id: ConstantId) -> &Constant {
        &self.constants[id.0 as usize]
    }

    /// The location of a handle.
    pub fn location(&self, id: LocationId) -> &Location {
        &self.locations[id.0 as usize]
    }

    /// Number of locations, which bounds their handles.
    pub fn location_count(&self) -> usize {
        self.locations.len()
    }

    /// The functions in the order of the text.
    pub fn functions(&self) -> impl ExactSizeIterator<Item = FunctionId> + use<> {
        (0..self.functions.len() as u32).map(FunctionId)
    }

    /// The function of a handle.
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.index()]
    }

    /// The function of a handle, to change.
    pub fn function_mut(&mut self, id: FunctionId) -> &mut Function {
        &mut self.functions[id.index()]
    }

    /// The function of that name.
    pub fn find_function(&self, name: Symbol) -> Option<FunctionId> {
        self.function_index.get(&name).copied()
    }

    /// The types of values.
    pub fn value_types(&self, values: &[ValueId]) -> Vec<TypeId> {
        values.iter().map(|&value| self.value_type(value)).collect()
    }

    // Building.

    /// Adds a function. A lookup by name finds the first function of that name.
    pub fn add_function(&mut self, function: Function) -> FunctionId {
        let id = FunctionId(self.functions.len() as u32);
        self.function_index.entry(function.name).or_insert(id);
        self.functions.push(function);
        id
    }

    /// Gives each function the types of its block's arguments and of what it returns.
    pub fn settle_signatures(&mut self) {
        for id in self.functions() {
            let Some(block) = self.entry_block(self.function(id).body).map(|block| self.block(block)) else {
                continue;
            };
            let arguments = self.value_types(&block.arguments);
            let end = block.ops.last().map(|&op| self.op(op)).filter(|op| op.name == func::RETURN);
            let returned = end.map(|end| end.operands.clone()).unwrap_or_default();
            for (index, value) in returned.into_iter().enumerate().take(self.function(id).results.len()) {
                // A value that could not be read has no type.
                if !self.is_error_value(value) {
                    self.function_mut(id).results[index].ty = self.value_type(value);
                }
            }
            self.function_mut(id).argument_types = arguments;
        }
    }

    /// Keeps the functions for which `keep` holds; handles of functions change.
    pub fn retain_functions(&mut self, keep: impl Fn(&Function) -> bool) {
        self.functions.retain(keep);
        self.function_index.clear();
        for (index, function) in self.functions.iter().enumerate() {
            self.function_index.entry(function.name).or_insert(FunctionId(index as u32));
        }
    }

    /// Adds a region without blocks.
    pub fn add_region(&mut self) -> RegionId {
        self.regions.push(Region::default());
        RegionId(self.regions.len() as u32 - 1)
    }

    /// Adds a block without ops at the end of a region.
    pub fn add_block(&mut self, region: RegionId) -> BlockId {
        let id = BlockId(self.blocks.len() as u32);
        self.blocks.push(Block::default());
        self.region_mut(region).blocks.push(id);
        id
    }

    /// Adds an argument to a block.
    pub fn add_argument(&mut self, block: BlockId, ty: TypeId) -> ValueId {
        let index = self.block(block).arguments.len() as u32;
        let value = self.add_value(ty, Definition::Argument(block, index));
        self.block_mut(block).arguments.push(value);
        value
    }

    /// Adds a result to an op.
    pub fn add_result(&mut self, op: OpId, ty: TypeId) -> ValueId {
        let index = self.op(op).results.len() as u32;
        let value = self.add_value(ty, Definition::Result(op, index));
        self.op_mut(op).results.push(value);
        value
    }

    /// Makes room for this many more ops of one result, so that the arenas are not copied while they grow.
    pub fn reserve(&mut self, ops: usize) {
        self.ops.reserve(ops);
        self.may_nest.reserve(ops);
        self.spans.reserve(ops);
        self.op_locations.reserve(ops);
        self.values.reserve(ops);
    }

    /// Adds an op with results of these types to the module, but to no block.
    pub(super) fn add_op(&mut self, mut op: Op, types: &[TypeId], (span, location): Place) -> OpId {
        let id = OpId(self.ops.len() as u32);
        let results = types.iter().enumerate();
        op.results =
            results.map(|(index, &ty)| self.add_value(ty, Definition::Result(id, index as u32))).collect();
        self.may_nest.push(!op.regions.is_empty());
        self.ops.push(op);
        self.spans.push(span);
        self.op_locations.push(location);
        id
    }

    /// A value that represents one whose definition was faulty.
    pub fn add_poison(&mut self, ty: TypeId) -> ValueId {
        self.add_value(ty, Definition::Poison)
    }

    fn add_value(&mut self, ty: TypeId, definition: Definition) -> ValueId {
        self.values.push(Value { ty, definition, name: None });
        ValueId(self.values.len() as u32 - 1)
    }

    /// Adds a constant.
    pub fn add_constant(&mut self, constant: Constant) -> ConstantId {
        self.constants.push(constant);
        ConstantId(self.constants.len() as u32 - 1)
    }

    /// Adds a location.
    pub fn add_location(&mut self, location: Location) -> LocationId {
        if location == Location::Unknown {
            return LocationId::UNKNOWN;
        }
        self.locations.push(location);
        LocationId(self.locations.len() as u32 - 1)
    }

    /// Replaces a location, for an alias that is defined after its first use.
    pub fn set_location(&mut self, id: LocationId, location: Location) {
        if id != LocationId::UNKNOWN {
            self.locations[id.0 as usize] = location;
        }
    }

    /// The handle of a type with another element type, when it is a tensor, else of the type itself.
    pub fn with_element(&mut self, ty: TypeId, element: Element) -> TypeId {
        match self.tensor_type(ty) {
            Some(tensor) => {
                let tensor = tensor.with_element(element);
                self.types.intern(Type::Tensor(tensor))
            }
            None => ty,
        }
    }

    /// The handle of the tensor type of these sizes.
    pub fn tensor_of<S: Size>(&mut self, element: Element, sizes: &[S]) -> TypeId {
        self.types.intern(Type::Tensor(TensorType::of(element, sizes)))
    }
}
