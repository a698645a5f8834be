//! Modules and their contents.
//!
//! The functions of all modules are one list. Each module has its own symbols, so those of nested modules are
//! prefixed with the names of the modules around them: `inner::f`.

use super::Parser;
use super::statement::{add_missing, region_of};
use super::text::Rule;
use crate::ir::{Attribute, Attributes, LocationId, Symbol};
use crate::source::Span;

/// The attributes that name functions.
const CALLEES: [&str; 3] = ["callee", "decomposition", "called_computations"];

impl Parser<'_> {
    /// Parses everything that is not an alias.
    pub(super) fn top_level(&mut self) {
        let end = self.source.scan().statements.len() as u32;
        self.items(0, end);
        if self.module.functions().len() == 0 && !self.diagnostics.has_errors() {
            self.report_empty();
        }
    }

    /// Parses the statements of the file or of a module. The depth of the recursion is the depth of regions, which the
    /// scan bounds.
    fn items(&mut self, first: u32, end: u32) {
        let alone = self.is_one_module(first, end);
        let mut index = first;
        while index < end {
            let statement = self.statement_at(index);
            let bytes = &self.source.bytes()[statement.span.range()];
            let starts = |word: &str| starts_with(bytes, word);
            match bytes.first() {
                Some(b'#' | b'!' | b'{') => {}
                Some(b'^') if !statement.faulty => self.module_label(index),
                _ if statement.faulty => {
                    // The item's head has been reported; its regions are still parsed.
                    self.items_of_faulty(index);
                }
                _ if starts("module") || starts("builtin.module") => self.module_item(index, alone),
                _ if starts("func.func") || starts("func") => {
                    self.function_item(index);
                }
                _ if starts("\"builtin.module\"") || starts("\"func.func\"") => {
                    self.generic_item(index, alone)
                }
                _ => {
                    let op = self.operation(index, None);
                    self.module.top_level.extend(op);
                    self.finish_scope();
                }
            }
            index = statement.next;
        }
    }

    /// The label of the only block of a module, which has no arguments.
    fn module_label(&mut self, index: u32) {
        let Some(frame) = self.frame(index) else { return };
        let text = frame.whole();
        let Some(mut pairs) = self.run(Rule::label, text) else { return };
        if pairs.any(|pair| pair.as_rule() == Rule::parameter) {
            self.expected("a block without arguments in a module", text);
        }
    }

    /// Whether a list of statements is one module but for aliases and resources: then its symbols are those of the
    /// list.
    fn is_one_module(&self, first: u32, end: u32) -> bool {
        let (mut index, mut modules) = (first, 0);
        while index < end {
            let statement = self.statement_at(index);
            let bytes = &self.source.bytes()[statement.span.range()];
            match bytes.first() {
                Some(b'#' | b'!' | b'{' | b'^') => {}
                _ if ["module", "builtin.module", "\"builtin.module\""]
                    .iter()
                    .any(|word| starts_with(bytes, word)) =>
                {
                    modules += 1;
                }
                _ => return false,
            }
            index = statement.next;
        }
        modules == 1
    }

    /// The name that a symbol of the current module has among the functions of the text.
    pub(super) fn symbol_in_module(&mut self, name: Symbol) -> Symbol {
        if self.module_prefix.is_empty() {
            return name;
        }
        let name = format!("{}{}", self.module_prefix, self.module.symbols.get(name));
        self.module.symbols.intern(&name)
    }

    /// Adds the prefix of the current module to the names of functions in the attributes of an op.
    pub(super) fn resolve_callees(&mut self, attributes: &mut Attributes) {
        for (name, value) in attributes {
            let may_name = matches!(value, Attribute::SymbolRef(_) | Attribute::Array(_));
            if may_name && CALLEES.contains(&self.module.symbols.get(*name)) {
                self.resolve_callee(value);
            }
        }
    }

    fn resolve_callee(&mut self, value: &mut Attribute) {
        match value {
            Attribute::SymbolRef(path) if path.len() > 1 || !self.module_prefix.is_empty() => {
                let names: Vec<&str> = path.iter().map(|&name| self.module.symbols.get(name)).collect();
                let name = self.module.symbols.intern(&names.join("::"));
                *value = Attribute::SymbolRef(vec![self.symbol_in_module(name)].into());
            }
            Attribute::Array(items) => items.iter_mut().for_each(|item| self.resolve_callee(item)),
            _ => {}
        }
    }

    /// Parses the contents of a module.
    fn module_body(&mut self, name: Option<Symbol>, alone: bool, index: u32) {
        let statement = self.statement_at(index);
        let outer = self.module_prefix.len();
        if !alone {
            match name {
                Some(name) => self.module_prefix.push_str(self.module.symbols.get(name)),
                None => {
                    self.module_prefix.push_str(&format!("module{}", self.unnamed_modules));
                    self.unnamed_modules += 1;
                }
            }
            self.module_prefix.push_str("::");
        }
        self.items_of(statement.first_region, statement.regions_end);
        self.module_prefix.truncate(outer);
    }

    fn items_of_faulty(&mut self, index: u32) {
        let statement = self.statement_at(index);
        let mut region = statement.first_region;
        let bytes = &self.source.bytes()[statement.span.range()];
        if bytes.starts_with(b"func") {
            self.lost_function(index);
        }
        let is_module = bytes.starts_with(b"module");
        while is_module && region < statement.regions_end {
            let here = self.source.scan().regions[region as usize];
            self.items(here.first, here.end);
            region = here.next;
        }
    }

    fn module_item(&mut self, index: u32, alone: bool) {
        let mut name = None;
        if let Some(frame) = self.frame(index) {
            let text = frame.whole();
            let pairs = self.run(Rule::module, text);
            for pair in pairs.into_iter().flatten() {
                let part = text.of(&pair);
                match pair.as_rule() {
                    Rule::symbol => {
                        name = self.symbol_name(part);
                        if !self.named {
                            self.module.name = name;
                        }
                    }
                    // The outer module's attributes win; nested ones add to them.
                    Rule::attributes => {
                        let attributes = self.dictionary(part).unwrap_or_default();
                        add_missing(&mut self.module.attributes, attributes);
                    }
                    _ => {}
                }
            }
        }
        self.named = true;
        self.module_body(name, alone, index);
    }

    fn items_of(&mut self, mut region: u32, end: u32) {
        while region < end {
            let here = self.source.scan().regions[region as usize];
            self.items(here.first, here.end);
            region = here.next;
        }
    }

    /// `"builtin.module"` and `"func.func"` in generic form.
    fn generic_item(&mut self, index: u32, alone: bool) {
        let Some(frame) = self.frame(index) else { return };
        let text = frame.whole();
        let Some(pairs) = self.run(Rule::operation, text) else { return };
        let mut attributes = Attributes::new();
        let (mut name, mut region, mut location) = (Span::NONE, None, LocationId::UNKNOWN);
        for pair in pairs {
            let part = text.of(&pair);
            match pair.as_rule() {
                Rule::quoted_name => name = part.span(),
                Rule::properties | Rule::braces => {
                    add_missing(&mut attributes, self.dictionary(part).unwrap_or_default());
                }
                Rule::region => region = region_of(part),
                Rule::location => location = self.location(part),
                _ => {}
            }
        }
        if frame.text.starts_with("\"builtin.module\"") {
            let symbol = self.take_string(&mut attributes, "sym_name");
            if !self.named {
                self.module.name = symbol;
            }
            add_missing(&mut self.module.attributes, attributes);
            self.named = true;
            self.module_body(symbol, alone, index);
            return;
        }
        self.generic_function(attributes, region, name, location);
    }
}

/// Whether a statement begins with this word.
fn starts_with(statement: &[u8], word: &str) -> bool {
    statement.strip_prefix(word.as_bytes()).is_some_and(|rest| {
        !rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
    })
}
