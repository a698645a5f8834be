//! Safetensors: the length of a JSON header in eight bytes, the header, and the contiguous bytes of the tensors.
//!
//! The header maps a name to `{"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}`. Offsets count from the
//! end of the header; the format allows neither overlaps nor holes.

use super::{Error, Tensor, dtype};
use crate::source::{Mapping, Pieces};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The key of the header's free text, which is not a tensor.
const METADATA: &str = "__metadata__";

#[derive(Deserialize)]
struct TensorHeader {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// The tensors of a file.
pub fn tensors(mapping: &Arc<Mapping>) -> Result<Vec<Tensor>, Error> {
    let bytes = mapping.bytes();
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| Error::malformed("it is truncated"))?;
    let header = usize::try_from(u64::from_le_bytes(*length))
        .ok()
        .and_then(|length| rest.get(..length))
        .ok_or_else(|| Error::malformed("its header is longer than the file"))?;
    let entries: BTreeMap<String, serde_json::Value> = serde_json::from_slice(header)
        .map_err(|error| Error::malformed(format!("its header is not a JSON object: {error}")))?;
    let start = length.len() + header.len();

    let mut tensors = Vec::new();
    let mut ranges = Vec::new();
    for (name, entry) in entries {
        if name == METADATA {
            continue;
        }
        let TensorHeader { dtype, shape, data_offsets: (from, to) } = serde_json::from_value(entry)
            .map_err(|error| Error::malformed(format!("its entry `{name}` is invalid: {error}")))?;
        let range = start.checked_add(from).zip(start.checked_add(to)).map(|(from, to)| from..to);
        let data = range.and_then(|range| Pieces::new(mapping, [range])).ok_or_else(|| {
            Error::malformed(format!("the bytes {from} to {to} of `{name}` are not in the file"))
        })?;
        ranges.push((from, to, name.clone()));
        tensors.push(Tensor::new(
            name,
            dtype.clone(),
            dtype::of_safetensors(&dtype).into_iter().collect(),
            shape,
            data,
        )?);
    }

    ranges.sort();
    let mut end = 0;
    for (from, to, name) in ranges {
        if from != end {
            let what = if from < end { "overlaps the tensor before it" } else { "has a gap before it" };
            return Err(Error::malformed(format!("`{name}` {what}")));
        }
        end = to;
    }
    if start + end != bytes.len() {
        return Err(Error::malformed("it has bytes after the end"));
    }
    Ok(tensors)
}
