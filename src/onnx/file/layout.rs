//! The wire format of a model, with large initializers framed without loading them.
//!
//! A protobuf message is preceded by its length, so the graph's length includes the lengths of payloads before any of
//! them is read. Everything else is encoded by prost.

use prost::Message as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::file_image::FileImage;
use super::{Initializer, Model, WriteError};
use crate::onnx::proto::tensor_proto::{DataLocation, DataType};
use crate::onnx::proto::{StringStringEntryProto, TensorProto};

/// Readers of protobuf keep the length of a message in a signed 32-bit integer.
pub(super) const MESSAGE_LIMIT: u64 = i32::MAX as u64;

/// `onnx.proto`, `TensorProto.external_data`: offsets should be multiples of 4096 (the page size), to enable mmap.
const ALIGNMENT: u64 = 4096;

// Field numbers of `onnx.proto`.
const MODEL_GRAPH: u8 = 7;
const GRAPH_INITIALIZER: u8 = 5;
const TENSOR_RAW_DATA: u8 = 9;

/// Every byte of a model but the payloads, and where those go.
pub(super) struct Layout<'m, 'a> {
    model: Vec<u8>,
    graph: Vec<u8>,
    tensors: Vec<TensorSlot<'m, 'a>>,
}

struct TensorSlot<'m, 'a> {
    initializer: &'m Initializer<'a>,
    /// The message without `raw_data`.
    message: Vec<u8>,
    len: u64,
    place: Storage,
}

#[derive(Clone, Copy)]
enum Storage {
    Embedded,
    /// In the external data file.
    External {
        offset: u64,
    },
    /// In a file that was there before.
    Referenced,
}

impl<'m, 'a> Layout<'m, 'a> {
    /// Lays a model out with all data in the model file.
    pub(super) fn new(model: &'m Model<'a>) -> Result<Self, WriteError> {
        let mut tensors = Vec::with_capacity(model.initializers.len());
        for initializer in &model.initializers {
            let len = checked_len(initializer)?;
            let message = tensor_message(initializer).encode_to_vec();
            tensors.push(TensorSlot { initializer, message, len, place: Storage::Embedded });
        }
        Ok(Self { model: model.proto.encode_to_vec(), graph: model.graph.encode_to_vec(), tensors })
    }

    /// Leaves payloads that are in files under `directory` in place, and returns the files without duplicates.
    ///
    /// ONNX Runtime and ONNX's checker refuse data that lies elsewhere: a model could read any file with it.
    pub(super) fn refer(&mut self, directory: &Path) -> Result<Vec<PathBuf>, WriteError> {
        let mut files = Vec::new();
        let mut known: Option<(PathBuf, String)> = None;
        for tensor in self.tensors.iter_mut().filter(|tensor| tensor.len > 0) {
            let Some((path, offset)) = tensor.initializer.payload.place() else { continue };
            // The tensors of a file come one after the other.
            let location = match known.take().filter(|(known, _)| known == path) {
                Some((_, location)) => location,
                None => relative(path, directory)?,
            };
            if !files.iter().any(|file| file == path) {
                files.push(path.to_owned());
            }
            tensor.refer(&location, offset);
            tensor.place = Storage::Referenced;
            known = Some((path.to_owned(), location));
        }
        Ok(files)
    }

    /// The bytes of the payloads that are in the model file.
    pub(super) fn embedded(&self) -> u64 {
        self.in_place(|place| matches!(place, Storage::Embedded))
    }

    /// The bytes of the payloads that stay in files that were there before.
    pub(super) fn referenced(&self) -> u64 {
        self.in_place(|place| matches!(place, Storage::Referenced))
    }

    fn in_place(&self, is: impl Fn(Storage) -> bool) -> u64 {
        let there = self.tensors.iter().filter(|tensor| is(tensor.place));
        there.map(|tensor| tensor.len).fold(0, u64::saturating_add)
    }

    /// Moves the payloads that are in the model file to the external data file that the model calls `location`.
    pub(super) fn move_out(&mut self, location: &str) -> Result<(), WriteError> {
        let mut end: u64 = 0;
        // An empty range of a file cannot be mapped, and costs nothing.
        let embedded = |tensor: &&mut TensorSlot| tensor.len > 0 && matches!(tensor.place, Storage::Embedded);
        for tensor in self.tensors.iter_mut().filter(embedded) {
            let offset = end.checked_next_multiple_of(ALIGNMENT);
            let range = offset.and_then(|offset| Some((offset, offset.checked_add(tensor.len)?)));
            let (offset, range_end) = range.ok_or_else(|| too_large(u64::MAX))?;
            end = range_end;
            tensor.place = Storage::External { offset };
            tensor.refer(location, offset);
        }
        Ok(())
    }

    /// Fails when no reader would accept the model file.
    pub(super) fn check_len(&self) -> Result<(), WriteError> {
        let len = self.len();
        if len > MESSAGE_LIMIT { Err(too_large(len)) } else { Ok(()) }
    }

    /// The length of the model file.
    pub(super) fn len(&self) -> u64 {
        (self.model.len() as u64).saturating_add(delimited_len(MODEL_GRAPH, self.graph_len()))
    }

    fn graph_len(&self) -> u64 {
        self.tensors
            .iter()
            .map(|tensor| delimited_len(GRAPH_INITIALIZER, tensor.message_len()))
            .fold(self.graph.len() as u64, u64::saturating_add)
    }

    /// The model file. The graph comes after all other fields of the model, and the large initializers after all
    /// other fields of the graph: protobuf allows any order of fields, so only lengths are computed here.
    pub(super) fn model_image(&self) -> FileImage<'_> {
        let mut image = FileImage::default();
        image.bytes(&self.model);
        image.prefix(prefix(MODEL_GRAPH, self.graph_len()));
        image.bytes(&self.graph);
        for tensor in &self.tensors {
            image.prefix(prefix(GRAPH_INITIALIZER, tensor.message_len()));
            image.bytes(&tensor.message);
            if matches!(tensor.place, Storage::Embedded) {
                image.prefix(prefix(TENSOR_RAW_DATA, tensor.len));
                image.payload(tensor.initializer, tensor.len);
            }
        }
        image
    }

    /// The external data file.
    pub(super) fn data_image(&self) -> FileImage<'_> {
        let mut image = FileImage::default();
        for tensor in &self.tensors {
            if let Storage::External { offset } = tensor.place {
                image.pad_to(offset);
                image.payload(tensor.initializer, tensor.len);
            }
        }
        image
    }
}

impl TensorSlot<'_, '_> {
    /// Lets the message state that the data is in another file.
    fn refer(&mut self, location: &str, offset: u64) {
        self.message = TensorProto {
            data_location: Some(DataLocation::External.into()),
            external_data: vec![
                entry("location", location.to_owned()),
                entry("offset", offset.to_string()),
                entry("length", self.len.to_string()),
            ],
            ..tensor_message(self.initializer)
        }
        .encode_to_vec();
    }

    fn message_len(&self) -> u64 {
        let raw_data = match self.place {
            Storage::Embedded => delimited_len(TENSOR_RAW_DATA, self.len),
            Storage::External { .. } | Storage::Referenced => 0,
        };
        (self.message.len() as u64).saturating_add(raw_data)
    }
}

/// The name that a model in `directory`, whose links are resolved, uses for a file.
fn relative(path: &Path, directory: &Path) -> Result<String, WriteError> {
    let elsewhere = || WriteError::Elsewhere { path: path.to_owned(), directory: directory.to_owned() };
    let file = fs::canonicalize(path).map_err(|_| elsewhere())?;
    let below = file.strip_prefix(directory).map_err(|_| elsewhere())?;
    // ONNX writes paths in the way of POSIX, whatever the system.
    let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/")).ok_or_else(|| WriteError::FileName { path: file.clone() })
}

/// The message of an initializer without its data.
fn tensor_message(initializer: &Initializer) -> TensorProto {
    TensorProto {
        name: Some(initializer.name.clone()),
        data_type: Some(initializer.data_type.into()),
        dims: initializer.dims.clone(),
        ..TensorProto::default()
    }
}

fn entry(key: &str, value: String) -> StringStringEntryProto {
    StringStringEntryProto { key: Some(key.to_owned()), value: Some(value) }
}

/// The key of a length-delimited field below 16, and the length.
fn prefix(field: u8, mut len: u64) -> Vec<u8> {
    const LENGTH_DELIMITED: u8 = 2;
    let mut bytes = vec![field << 3 | LENGTH_DELIMITED];
    while len >= 0x80 {
        bytes.push(len as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes
}

fn delimited_len(field: u8, len: u64) -> u64 {
    len.saturating_add(prefix(field, len).len() as u64)
}

fn too_large(bytes: u64) -> WriteError {
    WriteError::TooLarge { bytes, limit: MESSAGE_LIMIT }
}

/// The length that a payload announces, where it agrees with the initializer's element type and dimensions.
fn checked_len(initializer: &Initializer) -> Result<u64, WriteError> {
    let len = initializer.payload.len();
    if raw_len(initializer.data_type, &initializer.dims) == Some(len) {
        return Ok(len);
    }
    Err(WriteError::Shape {
        name: initializer.name.clone(),
        data_type: initializer.data_type,
        dims: initializer.dims.clone(),
        bytes: len,
    })
}

/// The length of `raw_data`; elements of fewer than 8 bits are packed without gaps.
fn raw_len(data_type: DataType, dims: &[i64]) -> Option<u64> {
    use DataType::{
        Bfloat16, Bool, Complex64, Complex128, Double, Float, Float4e2m1, Float6e2m3, Float6e3m2,
        Float8e4m3fn, Float8e4m3fnuz, Float8e5m2, Float8e5m2fnuz, Float8e8m0, Float16, Int2, Int4, Int8,
        Int16, Int32, Int64, String, Uint2, Uint4, Uint8, Uint16, Uint32, Uint64, Undefined,
    };
    let bits = match data_type {
        Uint2 | Int2 => 2,
        Uint4 | Int4 | Float4e2m1 => 4,
        Float6e2m3 | Float6e3m2 => 6,
        Bool | Uint8 | Int8 | Float8e4m3fn | Float8e4m3fnuz | Float8e5m2 | Float8e5m2fnuz | Float8e8m0 => 8,
        Uint16 | Int16 | Float16 | Bfloat16 => 16,
        Uint32 | Int32 | Float => 32,
        Uint64 | Int64 | Double | Complex64 => 64,
        Complex128 => 128,
        // Strings have no form in `raw_data`.
        String | Undefined => return None,
    };
    let mut total: u128 = bits;
    for &dim in dims {
        total = total.checked_mul(u64::try_from(dim).ok()?.into())?;
    }
    u64::try_from(total.div_ceil(8)).ok()
}
