//! The format of `flax.serialization.to_bytes`: nested maps in MessagePack, with arrays as extensions.
//!
//! Extension 1 (an array) and 3 (a NumPy scalar) contain MessagePack again: the sizes, the name of the NumPy dtype, and
//! the elements in row-major order. An array of more than 1 GiB is a map of its chunks.

use super::{Error, Tensor, dtype};
use crate::source::{Mapping, Pieces};
use rmpv::ValueRef;
use rmpv::decode::read_value_ref_with_max_depth;
use std::ops::Range;
use std::sync::Arc;

/// The limit on nesting, so that a file cannot overflow the stack. A level of the tree takes two.
const DEPTH: usize = 96;

const ARRAY: i8 = 1;
const SCALAR: i8 = 3;
const CHUNKED: &str = "__msgpack_chunked_array__";

/// The tensors of a file.
pub fn tensors(mapping: &Arc<Mapping>) -> Result<Vec<Tensor>, Error> {
    let mut rest = mapping.bytes();
    let tree = decode(&mut rest)?;
    if !rest.is_empty() {
        return Err(Error::malformed("it has bytes after the end"));
    }
    let mut reader = MsgpackReader { mapping, tensors: Vec::new() };
    reader.tree(String::new(), &tree)?;
    Ok(reader.tensors)
}

fn decode<'a>(bytes: &mut &'a [u8]) -> Result<ValueRef<'a>, Error> {
    read_value_ref_with_max_depth(bytes, DEPTH)
        .map_err(|error| Error::malformed(format!("it is not valid MessagePack: {error}")))
}

struct MsgpackReader<'a> {
    mapping: &'a Arc<Mapping>,
    tensors: Vec<Tensor>,
}

/// A packed array, with the position of its elements in the file.
struct Packed {
    sizes: Vec<usize>,
    dtype: String,
    range: Range<usize>,
}

impl MsgpackReader<'_> {
    /// Walks the tree, up to a depth limit.
    fn tree(&mut self, path: String, value: &ValueRef) -> Result<(), Error> {
        match value {
            ValueRef::Map(entries) if find(entries, CHUNKED).is_some() => self.chunked(path, entries),
            ValueRef::Map(entries) => entries.iter().try_for_each(|(key, value)| {
                let key =
                    key_text(key).ok_or_else(|| Error::malformed("a key of its tree is not a string"))?;
                self.tree(join(&path, &key), value)
            }),
            ValueRef::Array(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(index, item)| self.tree(join(&path, &index.to_string()), item)),
            ValueRef::Ext(ARRAY | SCALAR, bytes) => {
                let Packed { sizes, dtype, range } = self.packed(&path, bytes)?;
                self.push(path, dtype, sizes, vec![range])
            }
            // Python numbers have no element type; `None` and strings are not weights.
            ValueRef::Integer(_) | ValueRef::F32(_) | ValueRef::F64(_) | ValueRef::Boolean(_) => {
                self.push(path, "Python number".into(), Vec::new(), Vec::new())
            }
            ValueRef::Ext(2, _) => self.push(path, "Python complex".into(), Vec::new(), Vec::new()),
            ValueRef::Ext(kind, _) => Err(Error::malformed(format!(
                "`{path}` is an extension of type {kind}, which Flax does not write"
            ))),
            ValueRef::Nil | ValueRef::String(_) | ValueRef::Binary(_) => Ok(()),
        }
    }

    fn push(
        &mut self,
        name: String,
        dtype: String,
        sizes: Vec<usize>,
        ranges: Vec<Range<usize>>,
    ) -> Result<(), Error> {
        // Flax reads the void type of two bytes as bf16 too: old versions of NumPy wrote that name for it.
        let element = dtype::of_numpy(if dtype == "V2" { "bfloat16" } else { &dtype });
        let data = Pieces::new(self.mapping, ranges)
            .ok_or_else(|| Error::malformed(format!("the bytes of `{name}` are not in the file")))?;
        self.tensors.push(Tensor::new(name, dtype, element.into_iter().collect(), sizes, data)?);
        Ok(())
    }

    /// An array in the payload of an extension.
    fn packed(&self, path: &str, payload: &[u8]) -> Result<Packed, Error> {
        let wrong = || Error::malformed(format!("`{path}` is not an array that Flax packed"));
        let mut rest = payload;
        let ValueRef::Array(parts) = decode(&mut rest)? else { return Err(wrong()) };
        let [ValueRef::Array(sizes), dtype, elements] = &parts[..] else { return Err(wrong()) };
        let sizes = sizes.iter().map(size).collect::<Option<_>>().ok_or_else(wrong)?;
        let dtype = text(dtype).ok_or_else(wrong)?;
        let elements = bytes(elements).ok_or_else(wrong)?;
        // The decoded bytes borrow from the mapping, so their address is the offset.
        let start = elements.as_ptr().addr().checked_sub(self.mapping.bytes().as_ptr().addr());
        let start = start.ok_or_else(wrong)?;
        Ok(Packed { sizes, dtype, range: start..start + elements.len() })
    }

    /// `{'__msgpack_chunked_array__': True, 'shape': {'0': 2, ...}, 'chunks': {'0': array, ...}}`.
    fn chunked(&mut self, path: String, entries: &[(ValueRef, ValueRef)]) -> Result<(), Error> {
        let wrong = || Error::malformed(format!("`{path}` is not a chunked array that Flax packed"));
        let tuple = |name| match find(entries, name) {
            Some(ValueRef::Map(items)) => {
                (0..items.len()).map(|index| find(items, &index.to_string())).collect::<Option<Vec<_>>>()
            }
            _ => None,
        };
        let shape = tuple("shape").ok_or_else(wrong)?;
        let sizes = shape.into_iter().map(size).collect::<Option<_>>().ok_or_else(wrong)?;
        let mut dtype: Option<String> = None;
        let mut ranges = Vec::new();
        for chunk in tuple("chunks").ok_or_else(wrong)? {
            let ValueRef::Ext(ARRAY, payload) = chunk else { return Err(wrong()) };
            let chunk = self.packed(&path, payload)?;
            if *dtype.get_or_insert_with(|| chunk.dtype.clone()) != chunk.dtype {
                return Err(wrong());
            }
            ranges.push(chunk.range);
        }
        let dtype = dtype.ok_or_else(wrong)?;
        self.push(path, dtype, sizes, ranges)
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}/{key}") }
}

fn find<'v, 'a>(entries: &'v [(ValueRef<'a>, ValueRef<'a>)], name: &str) -> Option<&'v ValueRef<'a>> {
    let named = |key: &ValueRef| matches!(key, ValueRef::String(key) if key.as_str() == Some(name));
    entries.iter().find(|(key, _)| named(key)).map(|(_, value)| value)
}

fn key_text(key: &ValueRef) -> Option<String> {
    match key {
        ValueRef::Integer(number) => Some(number.to_string()),
        key => text(key),
    }
}

fn text(value: &ValueRef) -> Option<String> {
    std::str::from_utf8(bytes(value)?).ok().map(str::to_owned)
}

/// The bytes of a text or of binary data: versions of Flax differ in which they write.
fn bytes<'v>(value: &'v ValueRef) -> Option<&'v [u8]> {
    match value {
        ValueRef::Binary(bytes) => Some(bytes),
        ValueRef::String(text) => Some(text.as_bytes()),
        _ => None,
    }
}

fn size(value: &ValueRef) -> Option<usize> {
    match value {
        ValueRef::Integer(number) => number.as_u64().and_then(|size| usize::try_from(size).ok()),
        _ => None,
    }
}
