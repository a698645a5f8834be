//! Finds the bytecode in a serialized `jax.export.Exported`.
//!
//! It is a FlatBuffer (<https://flatbuffers.dev/internals/>) without an identifier. Its root is a table, whose fields are in
//! the order of JAX's `serialization.fbs`.

use super::container::MAGIC;
use std::ops::Range;

/// The field that is the serialized module.
const MODULE: usize = 13;

/// The range of the bytecode, if the file is a serialized `Exported`.
pub(super) fn module(file: &[u8]) -> Option<Range<usize>> {
    let table = offset(file, 0)?;
    // The offset of a field is in a table of offsets before it.
    let distance = i32::from_le_bytes(file.get(table..table.checked_add(4)?)?.try_into().ok()?);
    let fields = table.checked_add_signed(0isize.checked_sub(distance as isize)?)?;
    let length = usize::from(short(file, fields)?);
    let slot = 4 + 2 * MODULE;
    if slot + 2 > length {
        return None;
    }
    let field = usize::from(short(file, fields.checked_add(slot)?)?);
    if field == 0 {
        return None;
    }
    let vector = offset(file, table.checked_add(field)?)?;
    let start = vector.checked_add(4)?;
    let bytes = start..start.checked_add(word(file, vector)? as usize)?;
    // A file that was cut off may lack its end, which is reported when the bytecode is read.
    let module = file.get(bytes.start..bytes.end.min(file.len()))?;
    module.starts_with(MAGIC).then(|| bytes.start..bytes.start + module.len())
}

/// The position that an offset at a position refers to.
fn offset(file: &[u8], at: usize) -> Option<usize> {
    at.checked_add(word(file, at)? as usize)
}

fn word(file: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(file.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn short(file: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(file.get(at..at.checked_add(2)?)?.try_into().ok()?))
}
