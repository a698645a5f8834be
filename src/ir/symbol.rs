//! Interned names.

use super::dialect::{Dialect, REGISTERED};
use super::op_name::{OpName, registered};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Handle of a name in its module's [`Symbols`]; equal handles are equal names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(u32);

impl Symbol {
    pub(super) const fn at(index: u32) -> Self {
        Self(index)
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The names of a module: ops, attributes, functions, location files. Names of registered ops have the same handles
/// in all modules; a module's own names follow.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    list: Vec<Arc<str>>,
    index: FxHashMap<Arc<str>, Symbol>,
}

impl Symbols {
    /// The handle of `name`, added if new.
    pub fn intern(&mut self, name: &str) -> Symbol {
        if let Some(symbol) = self.find(name) {
            return symbol;
        }
        let symbol = Symbol::at((REGISTERED.len() + self.list.len()) as u32);
        let name: Arc<str> = name.into();
        self.list.push(name.clone());
        self.index.insert(name, symbol);
        symbol
    }

    /// The handle of the op name `name`, added if new.
    pub fn op_name(&mut self, name: &str) -> OpName {
        OpName::new(self.intern(name))
    }

    /// The handle of `name`, if the module has it.
    pub fn find(&self, name: &str) -> Option<Symbol> {
        registered(name).or_else(|| self.index.get(name).copied())
    }

    /// The name of a handle.
    pub fn get(&self, symbol: Symbol) -> &str {
        match REGISTERED.get(symbol.index()) {
            Some(op) => op.text,
            None => &self.list[symbol.index() - REGISTERED.len()],
        }
    }

    /// The dialect of an op's name.
    pub fn dialect(&self, name: OpName) -> Dialect {
        match name.dialect() {
            Dialect::Other => Dialect::named(self.get(name.symbol()).split('.').next().unwrap_or_default()),
            dialect => dialect,
        }
    }
}
