//! Guesses the format of a file that is not a file of weights, so that the message can name the way out.

use crate::format::{self, FileRemedy, Foreign};
use crate::source::{Folder, ForeignFolder};
use memchr::memmem;
use std::path::Path;

/// The formats that are read.
const READ: &str = "safetensors, npz, or Flax's msgpack (`flax.serialization.to_bytes`)";

/// How to save parameters in a supported format.
const SAVE: &str =
    "save the tree with `flax.serialization.to_bytes(params)` or `safetensors.numpy.save_file`";

/// What is wrong with the bytes of a file that is not one of weights.
pub fn file(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "it is empty".to_owned();
    }
    if let Ok(Some(_)) = format::program(bytes) {
        return format!("it is bytecode, which is the program: expected a file of weights: {READ}");
    }
    let Some(Foreign { what, remedy, .. }) = format::foreign(bytes) else {
        return text(bytes);
    };
    match remedy {
        FileRemedy::NameArray => format!("it is {what}, which has no name: save a tree with `numpy.savez`"),
        FileRemedy::SaveWeights => format!("it is {what}: {SAVE}"),
        FileRemedy::LoadPickle => format!("it is {what}, and loading a pickle runs code: {SAVE}"),
        FileRemedy::CheckBinary => format!("it is not {READ}"),
        FileRemedy::Decompress => format!("it is {what}: decompress it first"),
        FileRemedy::Unpack => format!("it is {what}: unpack it first"),
        _ => format!("it is {what}: expected a file of weights: {READ}"),
    }
}

/// What is wrong with the bytes of a text, or of a file of an unknown format.
fn text(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(4096)];
    // The head may end within a character.
    if std::str::from_utf8(head).is_err_and(|error| error.error_len().is_some()) {
        return format!("it is not {READ}");
    }
    let mlir = [&b"module"[..], b"func.func", b"#loc"].iter().any(|word| memmem::find(head, word).is_some());
    let what = if mlir { "an MLIR text, which is the program" } else { "a text" };
    format!("it is {what}: expected a file of weights: {READ}")
}

/// What is wrong with a member of a zip archive that is not an npy file.
pub fn member(name: &str) -> String {
    if name.ends_with("data.pkl") {
        return format!("it is a PyTorch checkpoint, which is a pickle: {SAVE}");
    }
    if name.ends_with(".keras") || name == "model.weights.h5" || name == "metadata.json" {
        return format!("it is a Keras model: {SAVE}");
    }
    format!("its member `{name}` is not an npy file")
}

/// What is wrong with a folder.
pub fn directory(path: &Path) -> String {
    match Folder::of(path) {
        Folder::Foreign(ForeignFolder { remedy: FileRemedy::SaveWeights, .. }) => {
            format!("it is an Orbax checkpoint: restore it in Python, and {SAVE}")
        }
        Folder::SavedModel(_) => format!("it is a TensorFlow SavedModel: {SAVE}"),
        Folder::Foreign(_) => format!("it is a folder: expected a file: {READ}"),
    }
}
