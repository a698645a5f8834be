//! Where a model goes: the checks that need no model, and files that appear whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::WriteError;
use crate::source::program_file;

/// As many symbolic links as Linux follows before it calls them a loop.
const LINK_LIMIT: usize = 40;

/// An output path that was found fit to be written, before there is anything to write.
pub struct Destination {
    pub(super) kind: DestinationKind,
    inputs: Vec<PathBuf>,
}

pub(super) enum DestinationKind {
    /// A regular file, or none yet. Links are resolved.
    File(PathBuf),
    /// A device or a pipe, which is written in place.
    Stream(PathBuf),
}

impl Destination {
    /// Checks `path`, which must not be one of `inputs`, the files that the model is made from. A symbolic link
    /// represents the file that it points at.
    ///
    /// # Errors
    /// When no file can be written there.
    pub fn new(path: &Path, inputs: &[&Path]) -> Result<Self, WriteError> {
        // An input that cannot be resolved does not exist, and so is not overwritten; its reader reports it.
        let inputs = inputs.iter().filter_map(|input| fs::canonicalize(program_file(input)).ok()).collect();
        let kind = resolve(path)?;
        let destination = Self { kind, inputs };
        if let DestinationKind::File(path) = &destination.kind {
            destination.check_replaceable(path)?;
        }
        Ok(destination)
    }

    /// The external data file of `model`: its name in the model, and its path.
    pub(super) fn data_file(&self, model: &Path) -> Result<(String, PathBuf), WriteError> {
        let name = model.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| WriteError::FileName { path: model.to_owned() })?;
        let location = format!("{name}.data");
        match resolve(&model.with_file_name(&location))? {
            DestinationKind::File(path) => {
                self.check_replaceable(&path)?;
                Ok((location, path))
            }
            DestinationKind::Stream(path) => Err(WriteError::NoDataFile { path }),
        }
    }

    fn check_replaceable(&self, path: &Path) -> Result<(), WriteError> {
        if self.inputs.iter().any(|input| input == path) {
            return Err(WriteError::Input { path: path.to_owned() });
        }
        // A rename would replace a file whatever its mode.
        match existing_permissions(path)? {
            Some(permissions) if permissions.readonly() => {
                Err(WriteError::ReadOnly { path: path.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// Opens a device or a pipe for writing in place.
pub(super) fn open_stream(path: &Path) -> Result<File, WriteError> {
    OpenOptions::new().write(true).open(path).map_err(|source| cannot_write(path, source))
}

/// A file that gets its name only when it is complete. If dropped before, it leaves no file; if the process is killed
/// before, it leaves nothing if the file system supports anonymous files, else a file `.hlo2onnx-*.tmp`.
pub(super) struct PendingFile {
    file: Scratch,
    target: PathBuf,
}

enum Scratch {
    /// Without a name, so that it is gone with the process, however that ends.
    #[cfg(target_os = "linux")]
    Unnamed(File),
    /// With a temporary name in the directory of the target.
    Named(NamedTempFile),
}

impl PendingFile {
    /// Starts a file of `len` bytes in the directory of `target`, so that the rename stays within a file system.
    pub(super) fn create(target: &Path, len: u64) -> Result<Self, WriteError> {
        let file = scratch(parent(target)).map_err(|source| cannot_write(target, source))?;
        let mut pending = Self { file, target: target.to_owned() };
        if existing_permissions(target)?.is_some() {
            reserve(pending.file(), len).map_err(|source| cannot_write(target, source))?;
        }
        Ok(pending)
    }

    pub(super) fn file(&mut self) -> &mut File {
        match &mut self.file {
            #[cfg(target_os = "linux")]
            Scratch::Unnamed(file) => file,
            Scratch::Named(file) => file.as_file_mut(),
        }
    }

    /// Renames the file over any older file, whose permissions it keeps.
    pub(super) fn persist(mut self) -> Result<(), WriteError> {
        if let Some(permissions) = existing_permissions(&self.target)? {
            let set = self.file().set_permissions(permissions);
            set.map_err(|source| cannot_write(&self.target, source))?;
        }
        let Self { file, target } = self;
        let named = match file {
            #[cfg(target_os = "linux")]
            Scratch::Unnamed(file) => {
                // No system call replaces a file by an anonymous one, so it gets a temporary name first.
                let named = builder().make_in(parent(&target), |name| link(&file, name));
                named.and_then(|named| named.persist(&target).map_err(|error| error.error))
            }
            Scratch::Named(file) => file.persist(&target).map(drop).map_err(|error| error.error),
        };
        named.map_err(|source| cannot_write(&target, source))
    }
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hlo2onnx-").suffix(".tmp");
    builder
}

/// The mode of `File::create`, to which the umask applies; temporary files have 0600.
#[cfg(unix)]
const NEW_FILE: u32 = 0o666;

fn scratch(directory: &Path) -> io::Result<Scratch> {
    #[cfg(target_os = "linux")]
    if let Some(file) = unnamed(directory) {
        return Ok(Scratch::Unnamed(file));
    }
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut builder = builder();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(NEW_FILE));
    builder.tempfile_in(directory).map(Scratch::Named)
}

/// An anonymous file, if the file system supports these and can name them later.
#[cfg(target_os = "linux")]
fn unnamed(directory: &Path) -> Option<File> {
    use rustix::fs::{Mode, OFlags, open};

    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = File::from(open(directory, flags, Mode::from_raw_mode(NEW_FILE)).ok()?);
    descriptor(&file).exists().then_some(file)
}

/// The path by which the process reaches a file without a name.
#[cfg(target_os = "linux")]
fn descriptor(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;

    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Gives a name to a file without one (open(2), `O_TMPFILE`).
#[cfg(target_os = "linux")]
fn link(file: &File, name: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};

    linkat(CWD, descriptor(file), CWD, name, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from)
}

/// Sets room aside for a file that will replace another.
///
/// Before ext4 renames a file over another, it finds room for all that waits in memory and starts to write it (its
/// option `auto_da_alloc`), which for a large model takes longer than the conversion. Where the room is found
/// already, the rename is at once. What is lost is that after a failure of power within seconds the new file may be
/// shorter than it was, as any new file may; the model can be made again.
#[cfg(target_os = "linux")]
fn reserve(file: &File, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    // The system refuses to set no room aside.
    if len == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, len) {
        Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(error.into()),
        // Not every file system can do this, and the file can be written without it.
        _ => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

fn existing_permissions(path: &Path) -> Result<Option<fs::Permissions>, WriteError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.permissions())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(cannot_write(path, source)),
    }
}

/// What a write to `path` reaches.
fn resolve(path: &Path) -> Result<DestinationKind, WriteError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(WriteError::Directory { path: path.to_owned() }),
        Ok(metadata) if !metadata.is_file() => Ok(DestinationKind::Stream(path.to_owned())),
        Ok(_) => {
            Ok(DestinationKind::File(fs::canonicalize(path).map_err(|source| cannot_write(path, source))?))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(DestinationKind::File(resolve_new(path)?))
        }
        Err(source) => Err(cannot_write(path, source)),
    }
}

/// The file that a write to `path` creates: `path` itself, or the target of a dangling link.
fn resolve_new(path: &Path) -> Result<PathBuf, WriteError> {
    if path.as_os_str().to_string_lossy().ends_with(std::path::is_separator) {
        return Err(WriteError::Directory { path: path.to_owned() });
    }
    let mut file = path.to_owned();
    for _ in 0..LINK_LIMIT {
        // An error means that this is not a link, which ends the loop.
        let Ok(target) = fs::read_link(&file) else { break };
        file = parent(&file).join(target);
    }
    let name = file.file_name().ok_or_else(|| WriteError::FileName { path: path.to_owned() })?;
    match fs::canonicalize(parent(&file)) {
        Ok(directory) => Ok(directory.join(name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(WriteError::MissingDirectory { path: parent(&file).to_owned() })
        }
        Err(source) => Err(cannot_write(path, source)),
    }
}

/// The directory of a file.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn cannot_write(path: &Path, source: io::Error) -> WriteError {
    WriteError::Write { path: path.to_owned(), source }
}
