//! The sections of MLIR's bytecode: strings, dialects, tables of attributes and types, properties and resources.

use super::Fault;
use super::reader::{Reader, below};
use std::cell::Cell;
use std::ops::Range;

/// The first bytes of every file.
const MAGIC: &[u8] = crate::format::BYTECODE;

/// The newest version of the container that is known.
const NEWEST_VERSION: u64 = 6;

/// The version since which the table of op names begins with their number.
const COUNTED_OP_NAMES: u64 = 4;
/// The version since which dialects have versions.
const VERSIONED_DIALECTS: u64 = 1;
/// The version since which ops have properties, and names of ops tell whether they are registered.
pub(super) const PROPERTIES: u64 = 5;
/// The version since which isolated regions are sections of their own.
pub(super) const LAZY_REGIONS: u64 = 2;
/// The version since which use-list orders are stored.
pub(super) const USE_LIST_ORDERS: u64 = 3;
/// The version since which block arguments may lack locations.
pub(super) const ELIDED_LOCATIONS: u64 = 4;

const STRINGS: usize = 0;
const DIALECTS: usize = 1;
const TABLE: usize = 2;
const TABLE_OFFSETS: usize = 3;
const BODY: usize = 4;
const RESOURCES: usize = 5;
const RESOURCE_OFFSETS: usize = 6;
const DIALECT_VERSIONS: u8 = 7;
const PROPERTY_LISTS: usize = 8;
const SECTIONS: [&str; 9] = [
    "strings",
    "dialects",
    "attributes and types",
    "offsets of attributes and types",
    "ops",
    "resources",
    "offsets of resources",
    "versions of dialects",
    "properties",
];

/// The sections, with the tables that the ops refer to.
#[derive(Debug)]
pub(super) struct Container<'a> {
    pub bytes: &'a [u8],
    /// The version of the container, from 0.
    pub version: u64,
    /// What wrote the file, such as `StableHLO_v1.13.0`.
    pub producer: &'a [u8],
    pub strings: Vec<&'a [u8]>,
    pub op_names: Vec<OpName<'a>>,
    pub attributes: Vec<Entry<'a>>,
    pub types: Vec<Entry<'a>>,
    pub properties: Vec<Range<usize>>,
    pub resources: Vec<Resource>,
    /// The section of the ops.
    pub body: Range<usize>,
    /// The bytes of attributes and types that were decoded, each time anew.
    decoded: Cell<usize>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct OpName<'a> {
    pub dialect: &'a [u8],
    pub name: &'a [u8],
    /// Whether the writer knew the op.
    pub registered: bool,
}

/// An attribute or a type that is not decoded yet.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    pub dialect: &'a [u8],
    pub range: Range<usize>,
    /// Whether it is in the dialect's own encoding, and not in the form of MLIR's text.
    pub encoded: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Resource {
    /// Whether it is a blob, and not a flag or a string.
    pub is_blob: bool,
    pub range: Range<usize>,
}

impl<'a> Container<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes, 0..bytes.len());
        let magic = reader.take(MAGIC.len() as u64)?;
        if &bytes[magic] != MAGIC {
            return Err(Fault::new(0, "the file does not begin with the bytes of MLIR's bytecode"));
        }
        let version = reader.varint()?;
        if version > NEWEST_VERSION {
            let why = format!(
                "it has version {version} of MLIR's bytecode, and the newest known one is {NEWEST_VERSION}"
            );
            return Err(Fault::new(MAGIC.len(), why).newer());
        }
        let producer = reader.terminated()?;
        let mut sections: [Option<Reader>; SECTIONS.len()] = Default::default();
        while reader.left() > 0 {
            let at = reader.offset();
            let (number, section) = reader.section()?;
            let slot = sections.get_mut(usize::from(number));
            let slot = slot.ok_or_else(|| Fault::new(at, format!("section {number} is not known")))?;
            if slot.replace(section).is_some() {
                let name = SECTIONS[usize::from(number)];
                return Err(Fault::new(at, format!("a second section of {name}")));
            }
        }
        let mut section = |index: usize| {
            let lacks =
                || Fault::new(bytes.len(), format!("the file lacks its section of {}", SECTIONS[index]));
            sections[index].take().ok_or_else(lacks)
        };
        let strings = strings(bytes, section(STRINGS)?)?;
        let (dialects, op_names) = dialects(version, &strings, section(DIALECTS)?)?;
        let (attributes, types) = table(&dialects, section(TABLE_OFFSETS)?, section(TABLE)?)?;
        let body = section(BODY)?;
        let properties = match section(PROPERTY_LISTS) {
            Ok(properties) if properties.left() > 0 => property_lists(properties)?,
            _ => Vec::new(),
        };
        let resources = match (section(RESOURCE_OFFSETS), section(RESOURCES)) {
            (Ok(offsets), Ok(resources)) => resource_list(&strings, dialects.len(), offsets, resources)?,
            _ => Vec::new(),
        };
        let body = body.offset()..body.offset() + body.left();
        Ok(Self {
            bytes,
            version,
            producer,
            strings,
            op_names,
            attributes,
            types,
            properties,
            resources,
            body,
            decoded: Cell::new(0),
        })
    }

    /// Counts the bytes of an entry that were decoded, and limits them: a short file can request an entry for each op.
    pub(super) fn count_decoding(&self, entry: &Entry<'a>, read: usize) -> Result<(), Fault> {
        const MOST: usize = 128;

        self.decoded.set(self.decoded.get() + read);
        if self.decoded.get() > self.bytes.len().saturating_mul(MOST).saturating_add(1 << 20) {
            return Err(
                Fault::new(entry.range.start, "long attributes or types with very many uses").unsupported()
            );
        }
        Ok(())
    }

    /// A reader of an entry.
    pub(super) fn entry(&self, entry: &Entry<'a>) -> Reader<'a> {
        Reader::new(self.bytes, entry.range.clone())
    }

    /// The index of an attribute.
    pub(super) fn attribute_index(&self, reader: &mut Reader<'a>) -> Result<usize, Fault> {
        reader.index(self.attributes.len(), "attribute")
    }

    /// The index of an attribute that may be absent.
    pub(super) fn optional_attribute(&self, reader: &mut Reader<'a>) -> Result<Option<usize>, Fault> {
        let at = reader.offset();
        let (index, is_present) = reader.flagged()?;
        let checked = below(index, self.attributes.len(), "attribute").map_err(|why| Fault::new(at, why));
        if is_present { checked.map(Some) } else { Ok(None) }
    }

    /// The index of a type.
    pub(super) fn type_index(&self, reader: &mut Reader<'a>) -> Result<usize, Fault> {
        reader.index(self.types.len(), "type")
    }

    pub(super) fn string(&self, reader: &mut Reader<'a>) -> Result<&'a [u8], Fault> {
        Ok(self.strings[reader.index(self.strings.len(), "string")?])
    }
}

/// Their lengths come first, in reverse order, and count the NUL at the end.
fn strings<'a>(bytes: &'a [u8], mut section: Reader<'a>) -> Result<Vec<&'a [u8]>, Fault> {
    let lengths = section.list(Reader::varint)?;
    let (mut strings, mut end) = (Vec::with_capacity(lengths.len()), section.offset() + section.left());
    for length in lengths {
        let start = usize::try_from(length).ok().and_then(|length| end.checked_sub(length));
        let start = start.filter(|&start| start >= section.offset() && start < end);
        let start = start.ok_or_else(|| section.fault(format!("a string of {length} bytes")))?;
        strings.push(&bytes[start..end - 1]);
        end = start;
    }
    if end != section.offset() {
        return Err(section.fault(format!("{} bytes that are part of no string", end - section.offset())));
    }
    strings.reverse();
    Ok(strings)
}

/// The names of dialects and of ops.
fn dialects<'a>(
    version: u64,
    strings: &[&'a [u8]],
    mut section: Reader<'a>,
) -> Result<(Vec<&'a [u8]>, Vec<OpName<'a>>), Fault> {
    let string = |reader: &mut Reader<'a>| Ok(strings[reader.index(strings.len(), "string")?]);
    let flagged = |reader: &mut Reader<'a>| {
        let at = reader.offset();
        let (index, flag) = reader.flagged()?;
        Ok((strings[below(index, strings.len(), "string").map_err(|why| Fault::new(at, why))?], flag))
    };
    let dialects = section.list(|reader| {
        if version < VERSIONED_DIALECTS {
            return string(reader);
        }
        let (name, has_version) = flagged(reader)?;
        if has_version {
            let at = reader.offset();
            // The version of VHLO is in the name of the producer, and each op has its own.
            let (number, _) = reader.section()?;
            if number != DIALECT_VERSIONS {
                return Err(Fault::new(at, format!("section {number} in place of a dialect's version")));
            }
        }
        Ok(name)
    })?;
    if version >= COUNTED_OP_NAMES {
        section.varint()?;
    }
    let mut names = Vec::new();
    while section.left() > 0 {
        let dialect = dialects[section.index(dialects.len(), "dialect")?];
        for _ in 0..section.count()? {
            let (name, registered) =
                if version < PROPERTIES { (string(&mut section)?, true) } else { flagged(&mut section)? };
            names.push(OpName { dialect, name, registered });
        }
    }
    Ok((dialects, names))
}

/// The attributes and the types, which follow each other in one section.
fn table<'a>(
    dialects: &[&'a [u8]],
    mut offsets: Reader<'a>,
    mut data: Reader<'a>,
) -> Result<(Vec<Entry<'a>>, Vec<Entry<'a>>), Fault> {
    let counts = [offsets.count()?, offsets.count()?];
    let mut read = |count: usize| {
        let mut entries = Vec::new();
        while entries.len() < count {
            let dialect = dialects[offsets.index(dialects.len(), "dialect")?];
            let group = offsets.count()?;
            if group > count - entries.len() {
                return Err(
                    offsets.fault(format!("a group of {group}, and {} are left", count - entries.len()))
                );
            }
            for _ in 0..group {
                let (length, encoded) = offsets.flagged()?;
                entries.push(Entry { dialect, range: data.take(length)?, encoded });
            }
        }
        Ok(entries)
    };
    let (attributes, types) = (read(counts[0])?, read(counts[1])?);
    offsets.finish("the offsets of attributes and types")?;
    data.finish("attributes and types")?;
    Ok((attributes, types))
}

fn property_lists(mut section: Reader<'_>) -> Result<Vec<Range<usize>>, Fault> {
    let lists = section.list(|reader| {
        let length = reader.varint()?;
        reader.take(length)
    })?;
    section.finish("properties")?;
    Ok(lists)
}

/// The resources of dialects, to which attributes refer. External ones come before them.
fn resource_list<'a>(
    strings: &[&'a [u8]],
    dialects: usize,
    mut offsets: Reader<'a>,
    mut data: Reader<'a>,
) -> Result<Vec<Resource>, Fault> {
    const BLOB: u8 = 0;

    let mut group = |offsets: &mut Reader<'a>| {
        offsets.list(|offsets| {
            offsets.index(strings.len(), "string")?;
            let (length, kind) = (offsets.varint()?, offsets.byte()?);
            Ok(Resource { is_blob: kind == BLOB, range: data.take(length)? })
        })
    };
    for _ in 0..offsets.count()? {
        offsets.index(strings.len(), "string")?;
        group(&mut offsets)?;
    }
    let mut resources = Vec::new();
    while offsets.left() > 0 {
        offsets.index(dialects, "dialect")?;
        resources.extend(group(&mut offsets)?);
    }
    Ok(resources)
}
