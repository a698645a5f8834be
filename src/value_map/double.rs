//! Widens the floats of a program to 64 bits, for nearly exact results.

use crate::ir::{
    Attribute, Constant, Data, Element, Module, OpId, OpName, Rewriter, Type, TypeId, ValueId, stablehlo,
};
use crate::ops::fold::{Tensor, float};
use crate::source::Source;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;
use std::sync::Arc;

/// Ops that depend on the bits or the types of their operands, and so keep their types.
const OPAQUE: [OpName; 4] =
    [stablehlo::BITCAST_CONVERT, stablehlo::CUSTOM_CALL, stablehlo::RNG, stablehlo::REDUCE_PRECISION];

/// Widens all floats of a StableHLO module to 64 bits.
pub(super) fn widen(module: &mut Module, source: &Source) {
    let mut kept: FxHashSet<ValueId> = FxHashSet::default();
    for function in module.functions() {
        Rewriter::new(module).function(function, &mut |rewriter, op| {
            let is_opaque = OPAQUE.contains(&rewriter.module.op(op).name);
            if is_opaque {
                keep(rewriter, op, &mut kept);
            }
            !is_opaque
        });
    }
    let bodies: Vec<_> = module.functions().map(|id| module.function(id).body).collect();
    let ops: Vec<OpId> = module.ops_within(bodies.iter().copied()).collect();
    for value in module.values_within(bodies) {
        retype(module, value, &kept);
    }
    for op in ops {
        constant(module, source, op);
        let algorithm = module.symbols.intern("algorithm");
        module.op_mut(op).attributes.retain(|(name, _)| *name != algorithm);
    }
}

/// Puts an op between conversions from and to its own types.
fn keep(rewriter: &mut Rewriter, op: OpId, kept: &mut FxHashSet<ValueId>) {
    let mut operands: SmallVec<[ValueId; 3]> = SmallVec::new();
    for operand in rewriter.module.op(op).operands.clone() {
        let ty = rewriter.module.value_type(operand);
        if wide(rewriter.module, ty).is_none() {
            operands.push(operand);
            continue;
        }
        let narrow = rewriter.create(stablehlo::CONVERT, &[operand]).of(ty);
        kept.insert(narrow);
        operands.push(narrow);
    }
    let results = rewriter.module.op(op).results.clone();
    let types: Vec<TypeId> = results.iter().map(|&result| rewriter.module.value_type(result)).collect();
    let new = rewriter.create_like(op, &operands).results(&types);
    for (old, result) in results.into_iter().zip(rewriter.module.op(new).results.clone()) {
        let ty = rewriter.module.value_type(old);
        if wide(rewriter.module, ty).is_none() {
            rewriter.replace(old, result);
            continue;
        }
        kept.insert(result);
        let widened = rewriter.create(stablehlo::CONVERT, &[result]).of(ty);
        rewriter.replace(old, widened);
    }
}

fn retype(module: &mut Module, value: ValueId, kept: &FxHashSet<ValueId>) {
    if !kept.contains(&value)
        && let Some(ty) = wide(module, module.value_type(value))
    {
        module.value_mut(value).ty = ty;
    }
}

/// The type with elements of 64 bits, if its elements are narrower floats.
fn wide(module: &mut Module, ty: TypeId) -> Option<TypeId> {
    let tensor = module.tensor_type(ty)?;
    let element = match tensor.element {
        Element::F16 | Element::BF16 | Element::F32 => Element::F64,
        Element::C64 => Element::C128,
        _ => return None,
    };
    let mut tensor = tensor.clone();
    tensor.element = element;
    Some(module.types.intern(Type::Tensor(tensor)))
}

fn constant(module: &mut Module, source: &Source, op: OpId) {
    let Some(&Attribute::Dense(id)) = module.attribute(op, "value") else { return };
    let ty = module.constant(id).ty;
    let Some(to) = wide(module, ty) else { return };
    let Some(data) = doubled(module, source, id) else { return };
    let id = module.add_constant(Constant { ty: to, data });
    let key = module.symbols.intern("value");
    for (name, value) in &mut module.op_mut(op).attributes {
        if *name == key {
            *value = Attribute::Dense(id);
        }
    }
}

fn doubled(module: &Module, source: &Source, id: crate::ir::ConstantId) -> Option<Data> {
    let constant = module.constant(id);
    let ty = module.tensor_type(constant.ty)?;
    if ty.element == Element::C64 {
        let count = usize::try_from(ty.count()?).ok()?;
        let widened = |bytes: &[u8]| -> Vec<u8> {
            let parts = bytes.as_chunks::<4>().0.iter();
            parts.flat_map(|&part| f64::from(f32::from_le_bytes(part)).to_le_bytes()).collect()
        };
        return Some(match constant.data.splat() {
            Some(element) => Data::Splat(widened(element).into()),
            None => Data::Bytes(Arc::from(widened(&constant.data.bytes(source, count, ty.element.bytes())))),
        });
    }
    let tensor = Tensor::read(module, source, id)?;
    let number = |&bits: &i64| float(tensor.element, bits).map(|number| number.to_bits() as i64);
    let bits: Vec<i64> = tensor.bits.iter().map(number).collect::<Option<_>>()?;
    let sizes = tensor.sizes.clone();
    match (tensor.is_splat(), &bits[..]) {
        (true, &[bits]) => Some(Tensor::splat(Element::F64, sizes, bits).data()),
        _ => Some(Tensor::from_elements(Element::F64, sizes, bits)?.data()),
    }
}
