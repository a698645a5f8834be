//! The scopes of value names.

use super::Parser;
use crate::diagnostic::catalog::{NotDominated, RedefinedValue, UndefinedValue};
use crate::diagnostic::nearest;
use crate::ir::{OpId, TypeId, ValueId};
use crate::source::Span;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::rc::Rc;

/// What a name refers to.
#[derive(Clone, Copy)]
pub(super) enum Binding {
    /// One value.
    Value(ValueId),
    /// `count` results of an op from the one at `first` on, which `%name#0` and so on name.
    Results { op: OpId, first: u32, count: u32 },
    /// A faulty definition, already reported.
    Poison,
}

/// The names of one function. Stores copies: comparing a name in the text would map in a page next to each literal.
#[derive(Default)]
pub(super) struct Scope {
    names: FxHashMap<Rc<str>, (Binding, Span)>,
    /// Names in the order of their definition, to remove those of a region at its end.
    order: Vec<Rc<str>>,
    /// Names whose region has ended.
    departed: FxHashMap<Rc<str>, Span>,
    /// Uses of names that were not defined when they were read.
    undefined: Vec<(Rc<str>, Span)>,
}

impl<'s> Parser<'s> {
    /// Marks the start of a region; [`Parser::leave`] takes the mark.
    pub(super) fn enter(&self) -> usize {
        self.scope.order.len()
    }

    /// Ends a region: its names go out of scope.
    pub(super) fn leave(&mut self, mark: usize) {
        for name in self.scope.order.drain(mark..) {
            if let Some((_, span)) = self.scope.names.remove(&name) {
                self.scope.departed.insert(name, span);
            }
        }
    }

    /// Defines a name (`%0`), which must be new.
    pub(super) fn define(&mut self, name: &'s str, binding: Binding, at: Span) {
        if let Some(&(_, first)) = self.scope.names.get(name) {
            self.diagnostics.push(RedefinedValue { name, at, first });
            return;
        }
        let name = Rc::<str>::from(name);
        self.scope.names.insert(name.clone(), (binding, at));
        self.scope.order.push(name);
    }

    /// The value of a use such as `%0` or `%0#1`; an undefined name becomes poison.
    pub(super) fn lookup(&mut self, text: &str, at: Span) -> ValueId {
        let (name, index) = match text.split_once('#') {
            Some((name, index)) => (name, index.parse().unwrap_or(u32::MAX)),
            None => (text, 0),
        };
        let value = match self.scope.names.get(name) {
            Some((Binding::Value(value), _)) if index == 0 => Some(*value),
            Some(&(Binding::Results { op, first, count }, _)) if index < count => {
                self.module.op(op).results.get((first + index) as usize).copied()
            }
            Some((Binding::Poison, _)) => Some(self.poison()),
            None if text == "%absent" => Some(self.module.absent()),
            _ => None,
        };
        value.unwrap_or_else(|| {
            if self.lenient == 0 {
                self.scope.undefined.push((text.into(), at));
            }
            self.poison()
        })
    }

    /// The values that a name refers to.
    pub(super) fn values_named(&self, name: &str) -> SmallVec<[ValueId; 1]> {
        match self.scope.names.get(name) {
            Some((Binding::Value(value), _)) => SmallVec::from_slice(&[*value]),
            Some((Binding::Results { op, first, count }, _)) => {
                let results = self.module.op(*op).results.iter().copied();
                results.skip(*first as usize).take(*count as usize).collect()
            }
            _ => SmallVec::new(),
        }
    }

    fn poison(&mut self) -> ValueId {
        let none = self.none;
        self.module.add_poison(none)
    }

    /// Ends a function: now it is known which undefined names are defined elsewhere.
    pub(super) fn finish_scope(&mut self) {
        let mut scope = std::mem::take(&mut self.scope);
        let mut reported: Vec<Rc<str>> = Vec::new();
        let mut undefined = std::mem::take(&mut scope.undefined);
        undefined.sort_by_key(|(_, at)| at.start);
        for (name, at) in undefined {
            if reported.contains(&name) || reported.len() > 100 {
                continue;
            }
            reported.push(name.clone());
            let name = &*name;
            let base = name.split('#').next().unwrap_or(name);
            let defined = scope.names.get(base).map(|(_, span)| *span).or(scope.departed.get(base).copied());
            match defined {
                Some(definition) if base == name => {
                    self.diagnostics.push(NotDominated { name, at, definition });
                }
                _ => {
                    let near = nearest(name, scope.order.iter().map(|name| &**name));
                    self.diagnostics.push(UndefinedValue { name, nearest: near, at });
                }
            }
        }
    }

    /// The type of a value, unless it is poison.
    pub(super) fn known_type(&self, value: ValueId) -> Option<TypeId> {
        match self.module.value(value).definition {
            crate::ir::Definition::Poison => None,
            _ => Some(self.module.value_type(value)),
        }
    }
}
