//! Element types by their names in NumPy and safetensors.

use crate::ir::Element;

/// Names of `numpy.dtype.name`, those of the `ml_dtypes` package included, and of safetensors.
///
/// Safetensors' types of four and six bits are missing: they are packed, and a constant has a byte for each.
const NAMES: &[(&str, &str, Element)] = &[
    ("bool", "BOOL", Element::Bool),
    ("int2", "", Element::I2),
    ("int4", "", Element::I4),
    ("int8", "I8", Element::I8),
    ("int16", "I16", Element::I16),
    ("int32", "I32", Element::I32),
    ("int64", "I64", Element::I64),
    ("uint2", "", Element::U2),
    ("uint4", "", Element::U4),
    ("uint8", "U8", Element::U8),
    ("uint16", "U16", Element::U16),
    ("uint32", "U32", Element::U32),
    ("uint64", "U64", Element::U64),
    ("float16", "F16", Element::F16),
    ("bfloat16", "BF16", Element::BF16),
    ("float32", "F32", Element::F32),
    ("float64", "F64", Element::F64),
    ("complex64", "C64", Element::C64),
    ("complex128", "", Element::C128),
    ("float4_e2m1fn", "", Element::F4E2M1FN),
    ("float6_e2m3fn", "", Element::F6E2M3FN),
    ("float6_e3m2fn", "", Element::F6E3M2FN),
    ("float8_e3m4", "", Element::F8E3M4),
    ("float8_e4m3", "", Element::F8E4M3),
    ("float8_e4m3b11fnuz", "", Element::F8E4M3B11FNUZ),
    ("float8_e4m3fn", "F8_E4M3", Element::F8E4M3FN),
    ("float8_e4m3fnuz", "F8_E4M3FNUZ", Element::F8E4M3FNUZ),
    ("float8_e5m2", "F8_E5M2", Element::F8E5M2),
    ("float8_e5m2fnuz", "F8_E5M2FNUZ", Element::F8E5M2FNUZ),
    ("float8_e8m0fnu", "F8_E8M0", Element::F8E8M0FNU),
];

/// The element type of a NumPy name.
pub fn of_numpy(name: &str) -> Option<Element> {
    NAMES.iter().find(|row| row.0 == name).map(|row| row.2)
}

/// The element type of a safetensors name.
pub fn of_safetensors(name: &str) -> Option<Element> {
    NAMES.iter().find(|row| !row.1.is_empty() && row.1 == name).map(|row| row.2)
}

/// The element types of this width that NumPy itself lacks: NumPy writes them as raw bytes.
pub fn foreign_to_numpy(bytes: usize) -> Vec<Element> {
    let foreign = |element: &Element| {
        *element == Element::BF16
            || element.is_small_float()
            || matches!(element, Element::I2 | Element::I4 | Element::U2 | Element::U4)
    };
    NAMES.iter().map(|row| row.2).filter(|element| foreign(element) && element.bytes() == bytes).collect()
}
