//! Locations, as aliases.

use super::Printer;
use crate::ir::{Location, LocationId};
use rustc_hash::FxHashSet;
use std::fmt::Write;

impl Printer<'_> {
    /// Locations print as aliases, defined after the module: they form a graph with much sharing, whose depth depends
    /// on the text.
    pub(super) fn trailing_location(&mut self, id: LocationId) {
        if id != LocationId::UNKNOWN {
            self.out.push_str(" loc(");
            self.location_alias(id);
            self.out.push(')');
        }
    }

    fn location_alias(&mut self, id: LocationId) {
        if id == LocationId::UNKNOWN {
            self.out.push_str("unknown");
            return;
        }
        if !std::mem::replace(&mut self.located[id.0 as usize], true) {
            self.locations.push(id);
        }
        let _ = write!(self.out, "#loc{}", id.0);
    }

    pub(super) fn location_definitions(&mut self) {
        // MLIR requires aliases to be defined before the aliases that use them.
        let mut stack: Vec<(LocationId, bool)> = self.locations.iter().rev().map(|&id| (id, false)).collect();
        let mut seen = FxHashSet::default();
        while let Some((id, read)) = stack.pop() {
            if read {
                let _ = write!(self.out, "#loc{} = loc(", id.0);
                self.location(id);
                self.out.push_str(")\n");
            } else if id != LocationId::UNKNOWN && seen.insert(id) {
                stack.push((id, true));
                match self.module.location(id) {
                    Location::Name(_, child) => stack.push((*child, false)),
                    Location::CallSite { callee, caller } => {
                        stack.extend([(*caller, false), (*callee, false)])
                    }
                    Location::Fused(_, parts) => stack.extend(parts.iter().rev().map(|&part| (part, false))),
                    _ => {}
                }
            }
        }
    }

    fn location(&mut self, id: LocationId) {
        match self.module.location(id) {
            Location::Unknown => self.out.push_str("unknown"),
            Location::File { file, start, end } => {
                self.string(self.module.symbols.get(*file));
                let _ = write!(self.out, ":{}:{}", start.0, start.1);
                if start != end {
                    let _ = write!(self.out, " to {}:{}", end.0, end.1);
                }
            }
            Location::Name(name, child) => {
                self.string(self.module.symbols.get(*name));
                if *child != LocationId::UNKNOWN {
                    self.out.push('(');
                    self.location_alias(*child);
                    self.out.push(')');
                }
            }
            Location::CallSite { callee, caller } => {
                self.out.push_str("callsite(");
                self.location_alias(*callee);
                self.out.push_str(" at ");
                self.location_alias(*caller);
                self.out.push(')');
            }
            Location::Fused(metadata, parts) => {
                self.out.push_str("fused");
                if let Some(metadata) = metadata {
                    let _ = write!(self.out, "<{}>", self.module.symbols.get(*metadata));
                }
                self.out.push('[');
                for (index, &part) in parts.iter().enumerate() {
                    if index > 0 {
                        self.out.push_str(", ");
                    }
                    self.location_alias(part);
                }
                self.out.push(']');
            }
            Location::Opaque(text) => self.out.push_str(self.module.symbols.get(*text)),
        }
    }
}
