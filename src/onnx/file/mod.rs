//! Writes a model to a file, to a stream or to memory.
//!
//! Takes messages, and the large initializers of the main graph as payloads that are read in pieces. Writes an ONNX
//! file, with an external data file if requested or needed. Refuses models that no tool would accept.

mod destination;
mod error;
mod file_image;
mod layout;
mod payload;
mod pieces;

pub use destination::Destination;
pub use error::WriteError;
pub use payload::Payload;

use std::io::Write;
use std::path::{Path, PathBuf};

use self::destination::{DestinationKind, PendingFile, open_stream, parent};
use self::layout::{Layout, MESSAGE_LIMIT};
use self::pieces::{Progress, write_file, write_in_order};
use super::proto::tensor_proto::DataType;
use super::proto::{GraphProto, ModelProto};

/// 1.9 GiB. Beyond it `ExternalData::Auto` uses an external file: a model near the limit of 2 GiB could be loaded,
/// and not be saved again by a tool that adds to it.
const EXTERNAL_THRESHOLD: u64 = 19 * (1 << 30) / 10;

/// A large initializer of the main graph.
pub struct Initializer<'a> {
    /// The name of its value.
    pub name: String,
    /// The type of its elements.
    pub data_type: DataType,
    /// Its dimensions.
    pub dims: Vec<i64>,
    /// Its elements.
    pub payload: Box<dyn Payload + 'a>,
}

/// A model whose large initializers are separate from its messages.
pub struct Model<'a> {
    /// The model without its main graph.
    proto: ModelProto,
    /// The main graph with its small initializers only.
    graph: GraphProto,
    initializers: Vec<Initializer<'a>>,
}

impl<'a> Model<'a> {
    /// Adds `initializers` to the main graph of `proto`, after existing ones.
    pub fn new(mut proto: ModelProto, initializers: Vec<Initializer<'a>>) -> Self {
        let graph = proto.graph.take().unwrap_or_default();
        Self { proto, graph, initializers }
    }

    /// The bytes of all large initializers: where the numbers that `progress` is called with end.
    pub fn payload_len(&self) -> u64 {
        self.initializers.iter().map(|initializer| initializer.payload.len()).fold(0, u64::saturating_add)
    }

    /// Whether [`ExternalData::Reference`] finds anything that lies in a file already.
    pub fn is_referable(&self) -> bool {
        self.initializers.iter().any(|initializer| initializer.payload.place().is_some())
    }
}

/// Whether large initializers go to a file of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExternalData {
    /// When they are more than 1.9 GiB, or the model file would be longer than protobuf allows.
    #[default]
    Auto,
    /// Whenever there are any.
    Always,
    /// Never: a model that is too long for one file is refused.
    Never,
    /// Like [`Auto`](Self::Auto), but data that is already in a file stays there, and the model refers to it.
    Reference,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The length of the model file.
    pub bytes: u64,
    /// The length of the external data file.
    pub external_bytes: u64,
    /// The external data file, if there is one.
    pub external_path: Option<PathBuf>,
    /// How many bytes of data stayed in files that were there before.
    pub referenced_bytes: u64,
    /// Those files.
    pub referenced: Vec<PathBuf>,
}

/// Writes `model` to the file `path`, as `Destination::write` does.
///
/// # Errors
/// If `path` is not writable, the model is too large for one file, or a payload fails.
pub fn write(
    model: &Model,
    path: &Path,
    external: ExternalData,
    progress: &mut dyn FnMut(u64),
) -> Result<Written, WriteError> {
    Destination::new(path, &[])?.write(model, external, progress)
}

/// Writes `model` to a stream, such as standard output, with all data inside. If a payload fails, the output so far
/// is an incomplete model. Calls `progress` with the number of payload bytes written so far.
///
/// # Errors
/// When the stream or a payload fails, or the model is too large; the last is found before the first byte.
pub fn write_stream(
    model: &Model,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Written, WriteError> {
    write_whole(model, out, None, progress)
}

/// The length of the output of [`encode`], so that a caller can pass a buffer of that length to [`write_stream`].
///
/// # Errors
/// When a message cannot be encoded, or the model is too large for one.
pub fn encoded_len(model: &Model) -> Result<u64, WriteError> {
    let layout = Layout::new(model)?;
    layout.check_len()?;
    Ok(layout.len())
}

/// Encodes `model` in memory, with all data in it.
///
/// # Errors
/// When a payload fails, or the model is too large.
pub fn encode(model: &Model) -> Result<Vec<u8>, WriteError> {
    let mut bytes = Vec::new();
    write_stream(model, &mut bytes, &mut |_| {})?;
    Ok(bytes)
}

impl Destination {
    /// Writes `model`. Files get their names when all of them are complete, the data file first, so that a failed run
    /// leaves older output unchanged. External data goes to a file of the same name with `.data` appended. If the
    /// output path is a link, that is next to the link's target, and ONNX Runtime only finds the data if it opens the
    /// target, because it looks next to the path it is given. Calls `progress` with the number of payload bytes
    /// written so far.
    ///
    /// # Errors
    /// If nothing can be written here, the model is too large for one file, or a payload fails.
    pub fn write(
        &self,
        model: &Model,
        external: ExternalData,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Written, WriteError> {
        let path = match &self.kind {
            DestinationKind::File(path) => path,
            DestinationKind::Stream(path)
                if matches!(external, ExternalData::Always | ExternalData::Reference) =>
            {
                return Err(WriteError::NoDataFile { path: path.clone() });
            }
            DestinationKind::Stream(path) => {
                let mut stream = open_stream(path)?;
                return write_whole(model, &mut stream, Some(path), progress);
            }
        };
        let progress = &mut Progress::new(progress);
        let mut layout = Layout::new(model)?;
        let referenced = match external {
            ExternalData::Reference => layout.refer(parent(path))?,
            _ => Vec::new(),
        };
        let referenced_bytes = layout.referenced();
        progress.skip(referenced_bytes);
        if !goes_external(&layout, external) {
            layout.check_len()?;
            let image = layout.model_image();
            let mut file = PendingFile::create(path, image.len())?;
            let bytes = write_file(&image, file.file(), path, progress)?;
            file.persist()?;
            return Ok(Written { bytes, referenced_bytes, referenced, ..Written::default() });
        }

        let (location, data_path) = self.data_file(path)?;
        layout.move_out(&location)?;
        layout.check_len()?;
        let (data_image, image) = (layout.data_image(), layout.model_image());
        let mut data = PendingFile::create(&data_path, data_image.len())?;
        let external_bytes = write_file(&data_image, data.file(), &data_path, progress)?;
        let mut file = PendingFile::create(path, image.len())?;
        let bytes = write_file(&image, file.file(), path, progress)?;
        data.persist()?;
        file.persist()?;
        let external_path = Some(data_path);
        Ok(Written { bytes, external_bytes, external_path, referenced_bytes, referenced })
    }
}

fn goes_external(layout: &Layout, external: ExternalData) -> bool {
    let payload = layout.embedded();
    match external {
        // Empty payloads stay in the model file.
        ExternalData::Always => payload > 0,
        ExternalData::Never => false,
        ExternalData::Auto | ExternalData::Reference => {
            payload > EXTERNAL_THRESHOLD || payload > 0 && layout.len() > MESSAGE_LIMIT
        }
    }
}

fn write_whole(
    model: &Model,
    out: &mut dyn Write,
    path: Option<&Path>,
    progress: &mut dyn FnMut(u64),
) -> Result<Written, WriteError> {
    let layout = Layout::new(model)?;
    layout.check_len()?;
    let bytes = write_in_order(&layout.model_image(), out, path, &mut Progress::new(progress))?;
    Ok(Written { bytes, ..Written::default() })
}
