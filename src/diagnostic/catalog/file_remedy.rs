//! What to do with a file that is not StableHLO.

use crate::format::FileRemedy;

/// How to get StableHLO from a file.
pub(super) fn help(remedy: FileRemedy) -> &'static str {
    match remedy {
        FileRemedy::WriteStableHlo => {
            "write StableHLO text: `jax.jit(f).lower(x).as_text(debug_info=True)`, without `.compile()` and `dialect=\"hlo\"`"
        }
        FileRemedy::RunPython => {
            "let the script write the text: \
             `open(\"model.mlir\", \"w\").write(jax.jit(f).lower(x).as_text(debug_info=True))`"
        }
        FileRemedy::WriteProgram => {
            "write the program of the object: `lowered.as_text(debug_info=True)`, `exported.mlir_module()`, or the bytes of \
             `exported.serialize()`"
        }
        FileRemedy::WriteBytes => {
            "write the bytes as they are: `open(\"model.bin\", \"wb\").write(exported.serialize())`"
        }
        FileRemedy::ConvertUtf16 => {
            "convert it to UTF-8 from the encoding named above, such as with `iconv -f UTF-16 -t UTF-8 model.mlir > \
             utf8.mlir`, or write it with `open(\"model.mlir\", \"w\", encoding=\"utf-8\")`"
        }
        FileRemedy::WriteUtf8 => "write it with `open(\"model.mlir\", \"w\", encoding=\"utf-8\")`",
        FileRemedy::Decompress => "decompress it; one layer of gzip or Zstandard is read as it is",
        FileRemedy::Unpack => "unpack it, and pass the file or the folder of the program",
        FileRemedy::PassFile => "pass a file in it",
        FileRemedy::LoadPickle => {
            "loading a pickle runs code: load it in Python, and write the program with \
             `open(\"model.bin\", \"wb\").write(exported.serialize())`, or weights for `--weights` with \
             `flax.serialization.to_bytes(params)`"
        }
        FileRemedy::PassWeights => "pass the program as the input, and this file with `--weights`",
        FileRemedy::SaveWeights => {
            "pass the program as the input; for `--weights`, load this in Python and write \
             `flax.serialization.to_bytes(params)`"
        }
        FileRemedy::NoConversion => "it is converted already: pass the StableHLO that it was made from",
        FileRemedy::SplitSavedModel => {
            "save one function in each SavedModel, or write each with `jax.export`"
        }
        FileRemedy::MoveIntoJax => {
            "the model would lack that: move it into the function that `jax2tf` converts, or export that function with \
             `jax.export`"
        }
        FileRemedy::UseJax2tf => {
            "only programs of JAX are read: convert the function with `jax2tf.convert(f, native_serialization=True)`, or \
             export it with `jax.export`"
        }
        FileRemedy::FindFailure => {
            "the script that wrote it may have failed: look at its output, and write the file again"
        }
        FileRemedy::PullLfs => "fetch the file that it points to: `git lfs pull`",
        FileRemedy::WriteAgain => {
            "write, copy or download it again, in binary mode: `open(\"model.bin\", \"wb\").write(exported.serialize())`"
        }
        FileRemedy::WriteBinary => {
            "write it in binary mode, `open(\"model.bin\", \"wb\").write(exported.serialize())`; for an editor, \
             `hlo2onnx opt model.bin > model.mlir` prints it as text"
        }
        FileRemedy::CheckBinary => {
            "if it is bytecode or a serialized `jax.export.Exported`, it is damaged: write it in binary mode, with \
             `open(\"model.bin\", \"wb\").write(exported.serialize())`"
        }
        FileRemedy::NameArray | FileRemedy::Export => {
            "write the text, `jax.jit(f).lower(x).as_text(debug_info=True)`, or the bytes of `exported.serialize()`"
        }
    }
}
