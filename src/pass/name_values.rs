//! Names values after the user's program.
//!
//! The names come from JAX's locations: an argument's path in the argument tree
//! (`variables['params']['Dense_0']['kernel']` becomes `params/Dense_0/kernel`), an op's module path
//! (`jit(apply)/M/Dense_0/dot_general` becomes `M/Dense_0/dot_general`), a result's position in the returned tree
//! (`jax.result_info = "result['logits']"` becomes `logits`). Without locations inputs are `arg0` and outputs
//! `result0`, and an advice explains how to get names.

use super::{Context, entry};
use crate::diagnostic::{Diagnostics, catalog};
use crate::ir::{
    BlockId, Data, FunctionId, FunctionResult, Module, OpId, Symbol, ValueId, func, onnx, provenance,
};
use rustc_hash::{FxHashMap, FxHashSet};

/// Runs the pass on the entry function. Afterward all its values have unique names.
pub fn run(module: &mut Module, cx: &mut Context) {
    let Some(entry) = entry(module) else { return };
    let Some(block) = module.entry_block(module.function(entry).body) else { return };
    let mut names = UniqueNames::new(0);
    let arguments = module.block(block).arguments.clone();
    let results =
        module.block(block).ops.last().map(|&op| module.op(op).operands.to_vec()).unwrap_or_default();
    let named = if names.given("--input-names", module, &arguments, &cx.options.input_names, cx.diagnostics) {
        true
    } else {
        names.arguments(module, entry, block)
    };
    if !names.given("--output-names", module, &results, &cx.options.output_names, cx.diagnostics) {
        names.results(module, entry, &results);
    }
    names.weights(module, block);
    let calls = names.block(module, block);
    name_functions(module, calls);
    if !named && !module.block(block).arguments.is_empty() {
        cx.diagnostics.push(catalog::NoLocations {});
    }
}

/// Names the values of functions, given calls whose operands are named. The first call of a function counts.
fn name_functions(module: &mut Module, mut calls: Vec<OpId>) {
    let mut done: FxHashSet<FunctionId> = FxHashSet::default();
    calls.reverse();
    while let Some(call) = calls.pop() {
        let Some(function) = module.callee(call).filter(|&function| done.insert(function)) else { continue };
        let Some(block) = module.entry_block(module.function(function).body) else { continue };
        let path = provenance::own_name(module, module.function(function).location).unwrap_or_default();
        let mut names = UniqueNames::new(path.split('/').filter(|part| !part.is_empty()).count());
        let own = provenance::scopes(module, module.op_location(call)).1;
        let own = provenance::module_of(own).to_owned();
        let arguments = module.block(block).arguments.clone();
        for (argument, operand) in arguments.into_iter().zip(module.op(call).operands.clone()) {
            let name = parameter(module, operand, &own);
            names.give(module, argument, &name);
        }
        calls.extend(names.block(module, block).into_iter().rev());
    }
}

/// The name of a function's argument, given the value at a call. For a weight: its path relative to the module named
/// `own`. For another argument or constant: the last significant component of its path.
fn parameter(module: &Module, value: ValueId, own: &str) -> String {
    let is_computed = module.defining_op(value).is_some_and(|op| module.op(op).name != onnx::CONSTANT);
    let Some(name) = module.value(value).name.filter(|_| !is_computed) else { return "x".to_owned() };
    let parts: Vec<&str> = module.symbols.get(name).split('/').filter(|part| !part.is_empty()).collect();
    let Some(last) = parts.len().checked_sub(1) else { return "x".to_owned() };
    let below = match parts.iter().rposition(|&part| part == own) {
        Some(position) => last.min(position + 1),
        None if parts[last].bytes().all(|byte| byte.is_ascii_digit()) => 0,
        None => last,
    };
    parts[below..].join("/")
}

struct UniqueNames {
    /// The number of modules around the function, which names omit.
    depth: usize,
    taken: FxHashSet<Symbol>,
    /// The next suffix to try for a name that is taken.
    next: FxHashMap<Symbol, u32>,
}

impl UniqueNames {
    fn new(depth: usize) -> Self {
        Self { depth, taken: FxHashSet::default(), next: FxHashMap::default() }
    }

    /// The path of an op relative to the function's module.
    fn path(&self, module: &Module, op: OpId) -> Option<String> {
        if let Some(name) = provenance::weight_name(module, op) {
            return Some(module.symbols.get(name).to_owned());
        }
        let location = module.op_location(op);
        if self.depth == 0 {
            return provenance::scope(module, location);
        }
        let (scopes, primitive) = provenance::scopes(module, location);
        let modules = scopes.iter().skip(self.depth).map(|scope| scope.name);
        let parts: Vec<&str> = modules.chain([primitive]).filter(|part| !part.is_empty()).collect();
        (!parts.is_empty()).then(|| parts.join("/"))
    }

    /// Names a value, with a number appended if the name is taken.
    fn give(&mut self, module: &mut Module, value: ValueId, name: &str) {
        let wanted = module.symbols.intern(name);
        let unique = if self.taken.insert(wanted) { wanted } else { self.numbered(module, wanted, name) };
        module.value_mut(value).name = Some(unique);
    }

    fn numbered(&mut self, module: &mut Module, wanted: Symbol, name: &str) -> Symbol {
        let number = self.next.entry(wanted).or_insert(0);
        loop {
            *number += 1;
            let numbered = module.symbols.intern(&format!("{name}_{number}"));
            if self.taken.insert(numbered) {
                return numbered;
            }
        }
    }

    /// Names the arguments. Returns whether the text has names for any of them.
    fn arguments(&mut self, module: &mut Module, function: FunctionId, block: BlockId) -> bool {
        let (names, named) = inputs(module, function);
        for (value, name) in module.block(block).arguments.clone().into_iter().zip(names) {
            self.give(module, value, &name);
        }
        named
    }

    /// Assigns the names that the user requested. Returns whether there are any.
    fn given(
        &mut self,
        option: &str,
        module: &mut Module,
        values: &[ValueId],
        names: &[String],
        diagnostics: &mut Diagnostics,
    ) -> bool {
        if names.is_empty() {
            return false;
        }
        if names.len() != values.len() {
            let why = format!("expected {} names, found {}", values.len(), names.len());
            diagnostics.push(catalog::NameMismatch { option, why: &why });
            return true;
        }
        for (index, (&value, name)) in values.iter().zip(names).enumerate() {
            let taken = module.symbols.find(name).is_some_and(|name| self.taken.contains(&name));
            if name.is_empty() || taken {
                let why = if name.is_empty() {
                    "a name is empty".into()
                } else if names[..index].contains(name) {
                    format!("`{name}` appears twice")
                } else {
                    // Inputs are named before outputs.
                    format!("`{name}` is already the name of an input")
                };
                diagnostics.push(catalog::NameMismatch { option, why: &why });
            }
            self.give(module, value, name);
        }
        true
    }

    fn results(&mut self, module: &mut Module, function: FunctionId, operands: &[ValueId]) {
        for (&value, name) in operands.iter().zip(outputs(module, function)) {
            self.give(module, value, &name);
        }
    }

    /// Names the weights that are used unchanged. A weight that is also used transposed or in parts becomes several
    /// initializers; the unchanged one gets the name first.
    fn weights(&mut self, module: &mut Module, block: BlockId) {
        for op in module.block(block).ops.clone() {
            let &[value] = module.op(op).results.as_slice() else { continue };
            let is_whole = module
                .constant_of(value)
                .is_some_and(|constant| matches!(module.constant(constant).data, Data::Mapped(_)));
            if !is_whole || module.value(value).name.is_some() {
                continue;
            }
            if let Some(name) = provenance::weight_name(module, op) {
                let name = module.symbols.get(name).to_owned();
                self.give(module, value, &name);
            }
        }
    }

    /// Names the results of a block's ops and of nested graphs. Returns the calls among the ops.
    fn block(&mut self, module: &mut Module, block: BlockId) -> Vec<OpId> {
        let mut calls = Vec::new();
        for op in module.block(block).ops.clone() {
            let results = module.op(op).results.clone();
            let path = self.path(module, op);
            if module.op(op).name == func::CALL {
                calls.push(op);
            }
            for &value in &results {
                if module.value(value).name.is_some() {
                    continue;
                }
                match &path {
                    Some(path) => self.give(module, value, path),
                    None => {
                        let name = module.op(op).name;
                        let name =
                            if name.is_onnx() { name.mnemonic() } else { module.op_name(op) }.to_owned();
                        self.give(module, value, &name);
                    }
                }
            }
            for region in module.op(op).regions.clone() {
                for inner in module.region(region).blocks.clone() {
                    for (index, argument) in module.block(inner).arguments.clone().into_iter().enumerate() {
                        let name = path.as_ref().map_or_else(
                            || format!("carried{index}"),
                            |path| format!("{path}/carried{index}"),
                        );
                        self.give(module, argument, &name);
                    }
                    calls.extend(self.block(module, inner));
                }
            }
        }
        calls
    }
}

/// The names of a function's arguments, and whether the text has any.
pub(super) fn inputs(module: &Module, function: FunctionId) -> (Vec<String>, bool) {
    let mut paths: Vec<Option<Path>> = Vec::new();
    for argument in &module.function(function).arguments {
        let name = argument.location.and_then(|location| provenance::own_name(module, location));
        paths.push(name.and_then(Path::parse));
    }
    // The first key is enough, unless two arguments differ only in their root.
    let mut short: FxHashMap<String, usize> = FxHashMap::default();
    for path in paths.iter().flatten() {
        *short.entry(path.short()).or_default() += 1;
    }
    let name = |(index, path): (usize, &Option<Path>)| match path {
        Some(path) if short.get(&path.short()) == Some(&1) => path.short(),
        Some(path) => path.long(),
        None => format!("arg{index}"),
    };
    (paths.iter().enumerate().map(name).collect(), paths.iter().any(Option::is_some))
}

/// The names of a function's results.
pub(super) fn outputs(module: &Module, function: FunctionId) -> Vec<String> {
    let path = |result: &FunctionResult| {
        let mut attributes = result.attributes.iter();
        let (_, value) = attributes.find(|(name, _)| module.symbols.get(*name) == "jax.result_info")?;
        Path::parse(value.as_str()?).map(|path| path.short())
    };
    let results = module.function(function).results.iter().enumerate();
    results.map(|(index, result)| path(result).unwrap_or_else(|| format!("result{index}"))).collect()
}

/// A path in a tree of arguments or results: `variables['params']['Dense_0']['kernel']`, `args[0].x`.
pub(crate) struct Path<'t> {
    /// The function's parameter; empty if the location omits it.
    pub(crate) root: &'t str,
    /// Keys, indices and attributes below it.
    pub(crate) keys: Vec<&'t str>,
}

impl<'t> Path<'t> {
    /// Parses a path; `None` if the text is not one.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let end = text.find(['[', '.']).unwrap_or(text.len());
        let (root, mut rest) = text.split_at(end);
        let identifier = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if !(root.is_empty() || identifier(root)) {
            return None;
        }
        let mut keys = Vec::new();
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let (key, after) = inner.split_once(']')?;
                let key = key.trim_matches(['\'', '"']);
                let key =
                    key.strip_prefix("<flat index ").and_then(|key| key.strip_suffix('>')).unwrap_or(key);
                keys.push(key);
                rest = after;
            } else {
                let inner = rest.strip_prefix('.')?;
                let end = inner.find(['[', '.']).unwrap_or(inner.len());
                keys.push(&inner[..end]);
                rest = &inner[end..];
            }
        }
        let path = Self { root, keys };
        (!path.long().is_empty()).then_some(path)
    }

    /// Drops the root if a key is more than a number.
    pub(crate) fn short(&self) -> String {
        match self.keys.first() {
            Some(first) if !first.bytes().all(|byte| byte.is_ascii_digit()) => self.keys.join("/"),
            _ => self.long(),
        }
    }

    fn long(&self) -> String {
        let all: Vec<&str> = std::iter::once(self.root)
            .chain(self.keys.iter().copied())
            .filter(|part| !part.is_empty())
            .collect();
        all.join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::Path;

    fn short(text: &str) -> Option<String> {
        Path::parse(text).map(|path| path.short())
    }

    #[test]
    fn paths_lose_their_root_where_a_key_says_more() {
        assert_eq!(
            short("variables['params']['Dense_0']['kernel']").as_deref(),
            Some("params/Dense_0/kernel")
        );
        assert_eq!(short("result['logits']").as_deref(), Some("logits"));
        assert_eq!(short("args[0]").as_deref(), Some("args/0"));
        assert_eq!(short("result").as_deref(), Some("result"));
        assert_eq!(short("state.params[0]").as_deref(), Some("params/0"));
        assert_eq!(short("['image']").as_deref(), Some("image"));
    }

    #[test]
    fn malformed_paths_are_refused() {
        assert_eq!(short(""), None);
        assert_eq!(short("jit(f)/add"), None);
        assert_eq!(short("x["), None);
    }
}
