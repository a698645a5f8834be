//! MLIR locations: where an op comes from in the user's Python.

use super::Symbol;

/// Handle of a [`Location`] in its module; the default is [`LocationId::UNKNOWN`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocationId(pub(super) u32);

impl LocationId {
    /// `loc(unknown)`, the first location of every module.
    pub const UNKNOWN: LocationId = LocationId(0);
}

/// A location as MLIR prints it (MLIR language reference, "Location").
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// `loc(unknown)`.
    Unknown,
    /// `loc("file":1:2 to 3:4)`; a single place has equal start and end.
    File {
        /// The file's name as Python knew it.
        file: Symbol,
        /// Line, from 1, and column of the first character, from 0: JAX prints Python's columns.
        start: (u32, u32),
        /// Line and column of the last.
        end: (u32, u32),
    },
    /// `loc("name"(child))`.
    Name(Symbol, LocationId),
    /// `loc(callsite(callee at caller))`.
    CallSite {
        /// The place in the called function.
        callee: LocationId,
        /// The place of the call.
        caller: LocationId,
    },
    /// `loc(fused<metadata>[...])`.
    Fused(Option<Symbol>, Vec<LocationId>),
    /// A location of another dialect, as its text.
    Opaque(Symbol),
}
