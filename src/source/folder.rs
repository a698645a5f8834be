//! Finds the program in a folder.

use crate::format::FileRemedy;
use std::io;
use std::path::{Path, PathBuf};

/// What a folder is.
#[derive(Debug)]
pub enum Folder {
    /// A TensorFlow SavedModel, with the file that holds its program.
    SavedModel(PathBuf),
    /// Any other folder.
    Foreign(ForeignFolder),
}

/// A folder without a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is {what}")]
pub struct ForeignFolder {
    /// What it is, such as `an Orbax checkpoint`.
    pub what: &'static str,
    /// The way out.
    pub remedy: FileRemedy,
}

/// Files that Orbax writes.
const ORBAX: [&str; 5] = ["_METADATA", "_CHECKPOINT_METADATA", "manifest.ocdbt", "checkpoint", "_sharding"];

impl Folder {
    /// Looks into a folder.
    pub fn of(path: &Path) -> Self {
        let has = |name: &&str| path.join(name).exists();
        let foreign = |what, remedy| Self::Foreign(ForeignFolder { what, remedy });
        if has(&"saved_model.pb") {
            return Self::SavedModel(path.join("saved_model.pb"));
        }
        if ORBAX.iter().any(has) {
            return foreign("an Orbax checkpoint, which has weights and no program", FileRemedy::SaveWeights);
        }
        foreign("a folder", FileRemedy::PassFile)
    }
}

/// The file that is opened for a path: that of the program, if the path is the folder of a SavedModel.
pub fn program_file(path: &Path) -> PathBuf {
    match path.is_dir().then(|| Folder::of(path)) {
        Some(Folder::SavedModel(file)) => file,
        _ => path.to_owned(),
    }
}

impl ForeignFolder {
    /// What an error is about, if it is about a folder.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<ForeignFolder> for io::Error {
    fn from(folder: ForeignFolder) -> Self {
        Self::new(io::ErrorKind::IsADirectory, folder)
    }
}
