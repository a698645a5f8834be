//! The parser on real text: everything parses, and what is printed reads back as the same module.

use hlo2onnx::ir;
use hlo2onnx::source::Source;
use hlo2onnx::syntax;
use std::path::{Path, PathBuf};

fn mlir_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "mlir") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Parses a file without diagnostics and holds the printed module against what it reads back as.
fn round_trip(path: &Path) -> Result<(), String> {
    let source = Source::open(path).map_err(|error| error.to_string())?;
    let (module, diagnostics) = syntax::parse(&source);
    if let Some(first) = diagnostics.sorted().first() {
        let (line, column) = source.line_column(first.span().start);
        return Err(format!("{line}:{column}: {} {}", first.code(), first.message));
    }
    let printed = ir::print(&module, &source, None);
    let again = Source::from_bytes("printed", printed.clone().into_bytes());
    let (module, diagnostics) = syntax::parse(&again);
    if let Some(first) = diagnostics.sorted().first() {
        let (line, column) = again.line_column(first.span().start);
        let text = printed.lines().nth(line - 1).unwrap_or_default();
        return Err(format!("printed {line}:{column}: {} {}: {text:.300}", first.code(), first.message));
    }
    let twice = ir::print(&module, &again, None);
    let without_numbers = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("#loc"));
        lines.map(|line| line.split(" loc(#loc").next().unwrap_or(line).to_owned()).collect::<Vec<_>>()
    };
    let (once, twice) = (without_numbers(&printed), without_numbers(&twice));
    match once.iter().zip(&twice).find(|(left, right)| left != right) {
        Some((left, right)) => Err(format!("printed {left:.300}\nagain   {right:.300}")),
        None if once.len() == twice.len() => Ok(()),
        None => Err("texts of different lengths".to_owned()),
    }
}

fn round_trip_all(root: &Path) -> usize {
    let files = mlir_files(root);
    let failures: Vec<String> = files
        .iter()
        .filter_map(|path| Some(format!("{}: {}", path.display(), round_trip(path).err()?)))
        .collect();
    let shown = failures.iter().take(60).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} of {} failed:\n{shown}", failures.len(), files.len());
    files.len()
}

/// `HLO2ONNX_CORPUS=folder` adds texts of one's own.
#[test]
fn corpus_round_trips() {
    let Some(root) = std::env::var_os("HLO2ONNX_CORPUS") else { return };
    assert!(round_trip_all(Path::new(&root)) > 0, "the corpus is empty");
}
