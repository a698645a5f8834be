//! Finds the user's Python files. Locations name the paths that they had when the text was printed.

use crate::diagnostic::Diagnostics;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The limit on visited entries per root, so that the search ends even for the root `/`.
const MOST_ENTRIES: usize = 50_000;

/// Folders below this depth are not searched.
const MOST_DEPTH: usize = 16;

/// Resolves Python frames to readable files: a file that is missing at its path is searched for under the roots.
/// Frames without a match stay unchanged.
pub fn resolve(diagnostics: &mut Diagnostics, roots: &[PathBuf]) {
    let mut found: BTreeMap<String, Option<PathBuf>> = BTreeMap::new();
    if roots.is_empty() {
        return;
    }
    for frame in diagnostics.iter_mut().filter_map(|diagnostic| diagnostic.python.as_mut()) {
        let file = frame.file.clone();
        let path = found.entry(file).or_insert_with_key(|file| find(file, roots));
        if let Some(path) = path {
            frame.file = path.display().to_string();
        }
    }
}

/// The file below the roots that has most of the trailing components of `file`; `None` if `file` itself exists.
fn find(file: &str, roots: &[PathBuf]) -> Option<PathBuf> {
    if Path::new(file).is_file() {
        return None;
    }
    let file = file.replace('\\', "/");
    let parts: Vec<&str> = file.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
    let name = *parts.last()?;
    // A tail of the path that exists below a root needs no search.
    for skipped in 0..parts.len() {
        for root in roots {
            let path = root.join(parts[skipped..].join("/"));
            if path.is_file() && skipped + 1 < parts.len() {
                return Some(path);
            }
        }
    }
    let mut best: Option<(usize, PathBuf)> = None;
    for path in roots.iter().flat_map(|root| files_named(name, root)) {
        let matching = matching_parts(&path, &parts);
        if best.as_ref().is_none_or(|(most, _)| matching > *most) {
            best = Some((matching, path));
        }
    }
    best.map(|(_, path)| path)
}

/// The number of trailing components that a path shares with `parts`.
fn matching_parts(path: &Path, parts: &[&str]) -> usize {
    let own = path.iter().rev();
    own.zip(parts.iter().rev()).take_while(|(own, part)| *own == **part).count()
}

/// The files with that name under a root, nearest first. Skips hidden folders and installed packages, which contain
/// no user code.
fn files_named(name: &str, root: &Path) -> Vec<PathBuf> {
    let (mut level, mut found, mut seen) = (vec![root.to_owned()], Vec::new(), 0);
    for _ in 0..MOST_DEPTH {
        let mut below = Vec::new();
        for folder in std::mem::take(&mut level) {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            let mut entries: Vec<_> = entries.flatten().collect();
            entries.sort_by_key(fs::DirEntry::file_name);
            seen += entries.len();
            if seen > MOST_ENTRIES {
                return found;
            }
            for entry in entries {
                // Links are not followed: they can form cycles.
                let Ok(kind) = entry.file_type() else { continue };
                let file_name = entry.file_name();
                let hidden = file_name.as_encoded_bytes().starts_with(b".");
                let skipped = ["node_modules", "site-packages", "__pycache__"]
                    .iter()
                    .any(|skipped| file_name == *skipped);
                if kind.is_dir() && !hidden && !skipped {
                    below.push(entry.path());
                } else if kind.is_file() && file_name == name {
                    found.push(entry.path());
                }
            }
        }
        level = below;
    }
    found
}
