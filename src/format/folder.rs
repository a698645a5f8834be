//! Finds the program in a folder.

use super::Kind;
use std::io;
use std::path::{Path, PathBuf};

/// What a folder is.
#[derive(Debug)]
pub enum Folder {
    /// A TensorFlow SavedModel; this file may hold a program.
    SavedModel(PathBuf),
    /// Another one.
    Foreign(ForeignFolder),
}

/// A folder without a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is {what}")]
pub struct ForeignFolder {
    /// What it is, such as `an Orbax checkpoint`.
    pub what: &'static str,
    /// What that is good for.
    pub kind: Kind,
}

/// Files that Orbax writes.
const ORBAX: [&str; 6] =
    ["_METADATA", "_CHECKPOINT_METADATA", "manifest.ocdbt", "checkpoint", "default", "_sharding"];

impl Folder {
    /// Looks into a folder.
    pub fn of(path: &Path) -> Self {
        let has = |name: &&str| path.join(name).exists();
        let foreign = |what, kind| Self::Foreign(ForeignFolder { what, kind });
        if has(&"saved_model.pb") {
            return Self::SavedModel(path.join("saved_model.pb"));
        }
        if ORBAX.iter().any(|name| has(&name)) {
            return foreign("an Orbax checkpoint, which has weights and no program", Kind::OtherWeights);
        }
        foreign("a folder", Kind::Folder)
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
