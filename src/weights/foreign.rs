//! Guesses the format of a file that is not a file of weights, so that the message can name the way out.

use std::path::Path;

/// The formats that are read.
const READ: &str = "safetensors, npz, or Flax's msgpack (`flax.serialization.to_bytes`)";

/// How to save parameters in a supported format.
const SAVE: &str =
    "save the tree with `flax.serialization.to_bytes(params)` or `safetensors.numpy.save_file`";

/// What is wrong with the bytes of a file of no known format.
pub fn file(bytes: &[u8]) -> String {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if bytes.is_empty() {
        return "it is empty".to_owned();
    }
    if starts(b"\x93NUMPY") {
        return "it is a single npy array, which has no name: save a tree with `numpy.savez`".to_owned();
    }
    if starts(b"\x89HDF\r\n\x1a\n") {
        return format!("it is an HDF5 file, as Keras writes: {SAVE}");
    }
    if starts(&[0x1f, 0x8b]) || starts(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return "it is compressed: decompress it first".to_owned();
    }
    // Pickle's protocol 2 and later begin with it.
    if let [0x80, 2..=5, ..] = bytes {
        return format!("it is a pickle, and loading a pickle runs code: {SAVE}");
    }
    if is_onnx(bytes) {
        return format!("it is an ONNX model: expected a file of weights: {READ}");
    }
    if is_text(bytes) {
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
        let mlir = ["module", "func.func", "#loc"].iter().any(|word| head.contains(word));
        let what = if mlir { "an MLIR text, which is the program" } else { "a text" };
        return format!("it is {what}: expected a file of weights: {READ}");
    }
    format!("it is not {READ}")
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
    let has = |name: &str| path.join(name).exists();
    if ["_METADATA", "_CHECKPOINT_METADATA", "manifest.ocdbt", "checkpoint", "default", "_sharding"]
        .into_iter()
        .any(has)
    {
        return format!("it is an Orbax checkpoint: restore it in Python, and {SAVE}");
    }
    format!("it is a folder: expected a file: {READ}")
}

/// Whether a file begins like an ONNX message: with the version of the format and the name of the producer.
fn is_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=32, 0x12 | 0x1a | 0x22 | 0x2a | 0x32 | 0x3a | 0x42, ..])
}

/// Whether the first bytes of a file are text.
fn is_text(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(256)];
    // The head may end within a character.
    let is_utf8 = std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true);
    is_utf8 && head.iter().all(|&byte| byte >= b' ' || matches!(byte, b'\n' | b'\r' | b'\t'))
}
