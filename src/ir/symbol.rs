//! Interned names.

use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Handle of a name in its module's [`Symbols`]; equal handles are equal names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(u32);

/// The names of a module: op names, attribute names, function names, file names of locations.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    list: Vec<Arc<str>>,
    index: FxHashMap<Arc<str>, Symbol>,
}

impl Symbols {
    /// The handle of `name`, which is added when it is new.
    pub fn intern(&mut self, name: &str) -> Symbol {
        if let Some(&symbol) = self.index.get(name) {
            return symbol;
        }
        let symbol = Symbol(self.list.len() as u32);
        let name: Arc<str> = name.into();
        self.list.push(name.clone());
        self.index.insert(name, symbol);
        symbol
    }

    /// The handle of `name`, when the module has it.
    pub fn find(&self, name: &str) -> Option<Symbol> {
        self.index.get(name).copied()
    }

    /// The name behind a handle.
    pub fn get(&self, symbol: Symbol) -> &str {
        &self.list[symbol.0 as usize]
    }
}
