//! ONNX's element types.

use super::proto::tensor_proto::DataType;
use crate::ir::Element;

/// The ONNX type of an element type, where there is one.
pub fn data_type(element: Element) -> Option<DataType> {
    Some(match element {
        Element::Bool => DataType::Bool,
        Element::I4 => DataType::Int4,
        Element::I8 => DataType::Int8,
        Element::I16 => DataType::Int16,
        Element::I32 => DataType::Int32,
        Element::I64 | Element::Index => DataType::Int64,
        Element::U4 => DataType::Uint4,
        Element::U8 => DataType::Uint8,
        Element::U16 => DataType::Uint16,
        Element::U32 => DataType::Uint32,
        Element::U64 => DataType::Uint64,
        Element::F4E2M1FN => DataType::Float4e2m1,
        Element::F8E4M3FN => DataType::Float8e4m3fn,
        Element::F8E4M3FNUZ => DataType::Float8e4m3fnuz,
        Element::F8E5M2 => DataType::Float8e5m2,
        Element::F8E5M2FNUZ => DataType::Float8e5m2fnuz,
        Element::F8E8M0FNU => DataType::Float8e8m0,
        Element::F16 => DataType::Float16,
        Element::BF16 => DataType::Bfloat16,
        Element::F32 => DataType::Float,
        Element::F64 => DataType::Double,
        Element::C64 => DataType::Complex64,
        Element::C128 => DataType::Complex128,
        _ => return None,
    })
}

/// The IR version that is written with an opset (ONNX `docs/Versioning.md`).
///
/// Opset 23 came with IR 11, which added nothing that is emitted here; more tools read IR 10.
pub fn ir_version(opset: u32) -> i64 {
    match opset {
        ..=18 => 8,
        19..=20 => 9,
        21..=23 => 10,
        24 => 12,
        _ => 13,
    }
}
