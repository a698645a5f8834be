//! Finds the bytecode in a serialized `jax.export.Exported`, and the names of its arguments.
//!
//! It is a FlatBuffer (<https://flatbuffers.dev/internals/>) without an identifier. Its root is a table, whose fields are in
//! the order of JAX's `serialization.fbs`.

use super::{BYTECODE, FileRemedy, Foreign, Program};
use std::ops::Range;

/// `Exported.in_tree`.
const IN_TREE: usize = 2;
/// `Exported.platforms`.
const PLATFORMS: usize = 9;
/// `Exported.mlir_module_serialized`.
const MODULE: usize = 13;
/// `Exported.module_kept_var_idx`.
const KEPT: usize = 15;

/// `PyTreeDef.kind`, `children` and `children_names`.
const KIND: usize = 0;
const CHILDREN: usize = 1;
const CHILDREN_NAMES: usize = 2;

/// `PyTreeDefKind`.
const LEAF: u8 = 0;
const DICT: u8 = 4;

/// The fewest bytes of a tree or a key that is not shared.
const SMALLEST: usize = 8;
/// The most bytes of names that are written for each byte of the file.
const MOST_NAMES: usize = 16;
/// Trees that are deeper are not read.
const DEEPEST: usize = 64;

/// The program, if the file is a serialized `Exported`.
///
/// # Errors
/// If it was cut off after the program, where its platforms are.
pub(super) fn program(file: &[u8]) -> Result<Option<Program>, Foreign> {
    let Some((root, bytes)) = module(file) else { return Ok(None) };
    let Some(platforms) = root.strings(PLATFORMS) else {
        let what = "a serialized `jax.export.Exported` that is damaged or was cut off".into();
        return Err(Foreign { what, remedy: FileRemedy::WriteAgain, at: file.len() - 1 });
    };
    let platforms = platforms.into_iter().map(str::to_owned).collect();
    // Names are optional.
    Ok(Some(Program { bytes, arguments: arguments(&root).unwrap_or_default(), platforms }))
}

/// The root of a serialized `Exported`, and its bytecode.
fn module(file: &[u8]) -> Option<(Table<'_>, Range<usize>)> {
    let root = Table::at(file, 0)?;
    let vector = root.field(MODULE).and_then(|at| offset(file, at))?;
    let start = vector.checked_add(4)?;
    let bytes = start..start.checked_add(word(file, vector)? as usize)?;
    // A file that was cut off may lack its end, which is reported when the bytecode is read.
    let bytes = bytes.start..bytes.end.min(file.len());
    file.get(bytes.clone())?.starts_with(BYTECODE).then_some((root, bytes))
}

/// The names of the arguments that the module has.
fn arguments(root: &Table<'_>) -> Option<Vec<String>> {
    // The tree is that of `(args, kwargs)`.
    let [positional, by_keyword] = root.table(IN_TREE)?.tables(CHILDREN)?.try_into().ok()?;
    let size = root.file.len();
    let mut names = Names { left: size / SMALLEST, bytes_left: MOST_NAMES * size, leaves: Vec::new() };
    names.add(&positional, "args", 0)?;
    let keywords = by_keyword.strings(CHILDREN_NAMES)?;
    let children = by_keyword.tables(CHILDREN)?;
    if keywords.len() != children.len() {
        return None;
    }
    for (child, keyword) in children.iter().zip(keywords) {
        names.add(child, keyword, 0)?;
    }
    let kept = root.vector(KEPT, 2)?.map(|at| names.leaves.get(short(root.file, at)?).cloned());
    kept.collect()
}

/// The names of leaves: their paths, spelled as JAX does. Children of a node of a custom type are numbered.
struct Names {
    /// How many more trees and keys are read: a hostile file may share them.
    left: usize,
    /// How many more bytes of names are written.
    bytes_left: usize,
    leaves: Vec<String>,
}

impl Names {
    fn add(&mut self, tree: &Table<'_>, path: &str, depth: usize) -> Option<()> {
        self.bytes_left = self.bytes_left.checked_sub(path.len()).filter(|_| depth < DEEPEST)?;
        let kind = tree.field(KIND).map_or(Some(LEAF), |at| tree.file.get(at).copied())?;
        if kind == LEAF {
            self.leaves.push(path.to_owned());
            return Some(());
        }
        self.left = self.left.checked_sub(tree.length(CHILDREN)? + tree.length(CHILDREN_NAMES)?)?;
        let keys = if kind == DICT { tree.strings(CHILDREN_NAMES)? } else { Vec::new() };
        for (index, child) in tree.tables(CHILDREN)?.iter().enumerate() {
            let path = match kind {
                DICT => format!("{path}['{}']", keys.get(index)?),
                _ => format!("{path}[{index}]"),
            };
            self.add(child, &path, depth + 1)?;
        }
        Some(())
    }
}

/// A table. Its vtable has the offsets of its fields.
struct Table<'a> {
    file: &'a [u8],
    start: usize,
    fields: usize,
}

impl<'a> Table<'a> {
    /// The table that the offset at a position refers to.
    fn at(file: &'a [u8], position: usize) -> Option<Self> {
        let start = offset(file, position)?;
        let distance = i32::from_le_bytes(file.get(start..start.checked_add(4)?)?.try_into().ok()?);
        let fields = start.checked_add_signed(0isize.checked_sub(distance as isize)?)?;
        Some(Self { file, start, fields })
    }

    /// The position of a field, unless it has its default.
    fn field(&self, number: usize) -> Option<usize> {
        let length = short(self.file, self.fields)?;
        let slot = 4 + 2 * number;
        if slot + 2 > length {
            return None;
        }
        let field = short(self.file, self.fields.checked_add(slot)?)?;
        if field == 0 { None } else { self.start.checked_add(field) }
    }

    fn table(&self, number: usize) -> Option<Self> {
        Self::at(self.file, self.field(number)?)
    }

    /// The positions of the elements of a vector, each of `width` bytes.
    fn vector(&self, number: usize, width: usize) -> Option<impl Iterator<Item = usize> + use<>> {
        let start = offset(self.file, self.field(number)?)?;
        let length = (word(self.file, start)? as usize).checked_mul(width)?;
        let first = start.checked_add(4)?;
        self.file.get(first..first.checked_add(length)?)?;
        Some((first..first + length).step_by(width))
    }

    /// The number of elements of a vector. An absent vector is empty.
    fn length(&self, number: usize) -> Option<usize> {
        self.field(number).map_or(Some(0), |at| Some(word(self.file, offset(self.file, at)?)? as usize))
    }

    /// The tables of a vector. An absent vector is empty.
    fn tables(&self, number: usize) -> Option<Vec<Self>> {
        if self.field(number).is_none() {
            return Some(Vec::new());
        }
        self.vector(number, 4)?.map(|at| Self::at(self.file, at)).collect()
    }

    /// The strings of a vector. An absent vector is empty.
    fn strings(&self, number: usize) -> Option<Vec<&'a str>> {
        if self.field(number).is_none() {
            return Some(Vec::new());
        }
        let string = |at| {
            let start = offset(self.file, at)?;
            let first = start.checked_add(4)?;
            let bytes = first..first.checked_add(word(self.file, start)? as usize)?;
            std::str::from_utf8(self.file.get(bytes)?).ok()
        };
        self.vector(number, 4)?.map(string).collect()
    }
}

/// The position that an offset at a position refers to.
fn offset(file: &[u8], at: usize) -> Option<usize> {
    at.checked_add(word(file, at)? as usize)
}

fn word(file: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(file.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn short(file: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(file.get(at..at.checked_add(2)?)?.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORTED: &[u8] = include_bytes!("../../fixtures/bytecode/exported.bin");

    #[test]
    fn the_program_and_its_arguments_are_found() {
        let program = program(EXPORTED).expect("it is whole").expect("a serialized export");
        assert!(EXPORTED[program.bytes].starts_with(BYTECODE));
        assert_eq!(program.arguments, ["args[0]", "args[1]"]);
        assert_eq!(program.platforms, ["cpu"]);
    }

    #[test]
    fn other_bytes_are_not_an_export() {
        for length in 0..200 {
            assert_eq!(program(&EXPORTED[..length]), Ok(None));
        }
        assert_eq!(program(b"\x04\0\0\0\0\0\0\0"), Ok(None));
    }
}
