//! Builds ops.

use super::{
    Attribute, Attributes, BlockId, Constant, Data, Element, LocationId, Module, Op, OpId, OpName, OpSpan,
    RegionId, Size, Type, TypeId, ValueId,
};
use smallvec::SmallVec;

/// Where an op is in the text, and what it comes from. The default is that of an op that is not in the text.
pub type Place = (OpSpan, LocationId);

/// Where an op is inserted.
enum InsertionPoint<'b> {
    Nowhere,
    List(&'b mut Vec<OpId>),
    Block(BlockId),
}

/// A builder of an op; one of the methods that take its result types adds the op to the module.
#[must_use]
pub struct OpBuilder<'b> {
    module: &'b mut Module,
    point: InsertionPoint<'b>,
    op: Op,
    place: Place,
}

impl Module {
    /// Starts an op. It is in no block and has no place unless the builder gets one.
    pub fn create(&mut self, name: OpName, operands: &[ValueId]) -> OpBuilder<'_> {
        let op = Op {
            name,
            operands: SmallVec::from_slice(operands),
            results: SmallVec::new(),
            attributes: Attributes::new(),
            regions: SmallVec::new(),
        };
        OpBuilder { module: self, point: InsertionPoint::Nowhere, op, place: Place::default() }
    }

    /// Starts a copy of an op with other operands. It takes over the regions of the op, which must be removed.
    pub fn create_like(&mut self, other: OpId, operands: &[ValueId]) -> OpBuilder<'_> {
        let Op { name, attributes, regions, .. } = self.op(other).clone();
        let place = self.place(other);
        self.create(name, operands).attributes(attributes).regions(regions).at(place)
    }
}

impl<'b> OpBuilder<'b> {
    /// Sets the place.
    pub fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Sets the place to that of another op.
    pub fn at_op(self, other: OpId) -> Self {
        let place = self.module.place(other);
        self.at(place)
    }

    /// Puts the op at the end of a list.
    pub fn push_to(mut self, ops: &'b mut Vec<OpId>) -> Self {
        self.point = InsertionPoint::List(ops);
        self
    }

    /// Puts the op at the end of a block.
    pub fn end_of(mut self, block: BlockId) -> Self {
        self.point = InsertionPoint::Block(block);
        self
    }

    /// Replaces all attributes.
    pub fn attributes(mut self, attributes: Attributes) -> Self {
        self.op.attributes = attributes;
        self
    }

    /// Adds an attribute.
    pub fn attr(mut self, name: &str, value: Attribute) -> Self {
        let name = self.module.symbols.intern(name);
        self.op.attributes.push((name, value));
        self
    }

    /// Adds attributes.
    pub fn attrs(self, attributes: impl IntoIterator<Item = (&'static str, Attribute)>) -> Self {
        attributes.into_iter().fold(self, |builder, (name, value)| builder.attr(name, value))
    }

    /// Adds an integer attribute.
    pub fn int(self, name: &str, value: i64) -> Self {
        let ty = self.module.types.intern(Type::Scalar(Element::I64));
        self.attr(name, Attribute::Integer(value, ty))
    }

    /// Adds a list of integers.
    pub fn ints(self, name: &str, values: &[i64]) -> Self {
        self.attr(name, Attribute::Integers(Element::I64, values.into()))
    }

    /// Adds a list of integers, unless all are 0, the default.
    pub fn optional(self, name: &str, values: &[i64]) -> Self {
        if values.iter().all(|&value| value == 0) { self } else { self.ints(name, values) }
    }

    /// Adds a float attribute.
    pub fn float(self, name: &str, value: f32) -> Self {
        let ty = self.module.types.intern(Type::Scalar(Element::F32));
        self.attr(name, Attribute::Float(f64::from(value), ty))
    }

    /// Adds a float attribute of 64 bits.
    pub fn double(self, name: &str, value: f64) -> Self {
        let ty = self.module.types.intern(Type::Scalar(Element::F64));
        self.attr(name, Attribute::Float(value, ty))
    }

    /// Adds a string attribute.
    pub fn string(self, name: &str, value: &str) -> Self {
        self.attr(name, Attribute::String(value.into()))
    }

    /// Adds an element type, such as `to` of ONNX's `Cast`.
    pub fn element(self, name: &str, element: Element) -> Self {
        let ty = self.module.types.intern(Type::Scalar(element));
        self.attr(name, Attribute::Type(ty))
    }

    /// Adds a region, whose meaning depends on its position and the op (ONNX's `If`: then, else).
    pub fn region(mut self, region: RegionId) -> Self {
        self.op.regions.push(region);
        self
    }

    /// Sets all regions.
    pub fn regions(mut self, regions: SmallVec<[RegionId; 1]>) -> Self {
        self.op.regions = regions;
        self
    }

    fn add(self, types: &[TypeId]) -> (&'b mut Module, OpId) {
        let Self { module, point, op, place } = self;
        let op = module.add_op(op, types, place);
        match point {
            InsertionPoint::Nowhere => {}
            InsertionPoint::List(ops) => ops.push(op),
            InsertionPoint::Block(block) => module.block_mut(block).ops.push(op),
        }
        (module, op)
    }

    /// Adds the op with results of these types.
    pub fn results(self, types: &[TypeId]) -> OpId {
        self.add(types).1
    }

    /// Adds the op with results of these types, which it returns.
    pub fn values(self, types: &[TypeId]) -> Vec<ValueId> {
        let (module, op) = self.add(types);
        module.op(op).results.to_vec()
    }

    /// Adds the op with one result of this type.
    pub fn of(self, ty: TypeId) -> ValueId {
        let (module, op) = self.add(&[ty]);
        module.op(op).results[0]
    }

    /// Adds the op with one result of this element type and these sizes.
    pub fn out<S: Size>(self, element: Element, sizes: &[S]) -> ValueId {
        let ty = self.module.tensor_of(element, sizes);
        self.of(ty)
    }

    /// Adds the op with one result of the type of another value.
    pub fn like(self, value: ValueId) -> ValueId {
        let ty = self.module.value_type(value);
        self.of(ty)
    }

    /// Adds the op with several results.
    pub fn outs<S: Size>(self, results: &[(Element, Vec<S>)]) -> Vec<ValueId> {
        let types = results.iter().map(|(element, sizes)| self.module.tensor_of(*element, sizes));
        let types: Vec<TypeId> = types.collect();
        self.values(&types)
    }

    /// Adds an op `constant` whose elements are a list of `i64`, as shapes and axes are.
    pub fn integers(self, values: &[i64]) -> ValueId {
        let ty = self.module.tensor_of(Element::I64, &[values.len() as i64]);
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.data(ty, Data::Bytes(bytes.into()))
    }

    /// Adds an op `constant` with these elements.
    pub fn data(self, ty: TypeId, data: Data) -> ValueId {
        let constant = self.module.add_constant(Constant { ty, data });
        self.attr("value", Attribute::Dense(constant)).of(ty)
    }
}
