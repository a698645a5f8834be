//! Why a model could not be written.

use std::io;
use std::path::PathBuf;

use crate::onnx::proto::tensor_proto::DataType;

/// Why a model could not be written. An older file at the output path is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The output path names a directory.
    #[error("`{}` is a directory, but the output must be a file", path.display())]
    Directory {
        /// The path that names a directory.
        path: PathBuf,
    },
    /// The directory that the output would be in does not exist.
    #[error("the directory `{}` does not exist", path.display())]
    MissingDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The output would replace a file that the same run reads.
    #[error("the output `{}` would replace one of its inputs", path.display())]
    Input {
        /// The file that is both.
        path: PathBuf,
    },
    /// The output would replace a file that is protected against writing.
    #[error("`{}` is write-protected", path.display())]
    ReadOnly {
        /// The protected file.
        path: PathBuf,
    },
    /// The output path has no file name, or external data needs one and it is not Unicode.
    #[error("`{}` has no file name that an ONNX model can refer to", path.display())]
    FileName {
        /// The path as given.
        path: PathBuf,
    },
    /// External data was requested, and the output is a device or a pipe.
    #[error("`{}` is not a regular file, so it cannot have an external data file", path.display())]
    NoDataFile {
        /// The device or pipe.
        path: PathBuf,
    },
    /// Data was to stay in a file that the model cannot refer to.
    #[error("`{}` is not below `{}`, the folder of the model", path.display(), directory.display())]
    Elsewhere {
        /// The file that contains the data.
        path: PathBuf,
        /// The directory of the model.
        directory: PathBuf,
    },
    /// The model is longer than readers of protobuf accept.
    #[error("the model file would have {bytes} bytes, and protobuf readers accept at most {limit}")]
    TooLarge {
        /// The length that the model file would have.
        bytes: u64,
        /// The greatest length of a protobuf message.
        limit: u64,
    },
    /// The length of a payload does not follow from the initializer's element type and dimensions.
    #[error(
        "initializer `{name}` is {data_type:?} with dimensions {dims:?}, which does not match {bytes} bytes of data"
    )]
    Shape {
        /// The initializer's name.
        name: String,
        /// Its element type.
        data_type: DataType,
        /// Its dimensions.
        dims: Vec<i64>,
        /// The declared length of its payload.
        bytes: u64,
    },
    /// A payload could not be produced.
    #[error("the data of initializer `{name}` could not be read")]
    Payload {
        /// The initializer's name.
        name: String,
        /// What the payload reported.
        source: io::Error,
    },
    /// The operating system refused to create, write or rename a file.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file to be written.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The stream that takes the model failed.
    #[error("cannot write the model")]
    Stream {
        /// What the stream reported.
        source: io::Error,
    },
}
