//! Prints a module as MLIR text in generic form. MLIR reads it, and so does the parser but for the ops of `own`.

mod attribute;
mod location;
mod own;

use super::{BlockId, Dialect, Dim, FunctionId, LocationId, Module, OpId, RegionId, TypeId, ValueId};
use crate::source::Source;
use std::fmt::Write;

/// Prints the whole module.
///
/// `source` is the module's text, for constants that refer to it. With `elide`, larger constants print as
/// `dense_resource<__elided__>`, like `mlir-opt --mlir-elide-elementsattrs-if-larger`; such a text is for people.
pub fn print(module: &Module, source: &Source, elide: Option<usize>) -> String {
    let mut printer = Printer {
        module,
        source,
        elide,
        dialect: Dialect::Other,
        out: String::new(),
        names: vec![None; module.value_count()],
        located: vec![false; module.location_count()],
        locations: Vec::new(),
    };
    printer.module();
    printer.location_definitions();
    printer.out
}

struct Printer<'a> {
    module: &'a Module,
    source: &'a Source,
    elide: Option<usize>,
    /// The dialect of the op whose attributes are printed.
    dialect: Dialect,
    out: String,
    names: Vec<Option<Name>>,
    /// The named locations, as a set and in order.
    located: Vec<bool>,
    locations: Vec<LocationId>,
}

/// The printed name of a value: `%3`, `%3#1` or `%arg2`.
#[derive(Clone, Copy)]
enum Name {
    Result(u32, Option<u32>),
    Argument(u32),
}

/// Counters of value names within one function.
#[derive(Default)]
struct NameCounter {
    results: u32,
    arguments: u32,
}

// Writing to a string cannot fail, so results of `write!` are ignored here.
impl Printer<'_> {
    fn module(&mut self) {
        self.out.push_str("module");
        if let Some(name) = self.module.name {
            self.out.push(' ');
            self.symbol_ref(name);
        }
        if !self.module.attributes.is_empty() {
            self.out.push_str(" attributes ");
            self.dictionary(&self.module.attributes);
        }
        self.out.push_str(" {\n");
        for &op in &self.module.top_level {
            self.op(op, 1, &mut NameCounter::default());
        }
        for function in self.module.functions() {
            self.function(function);
        }
        self.out.push_str("}\n");
    }

    fn function(&mut self, id: FunctionId) {
        let function = self.module.function(id);
        let mut counter = NameCounter::default();
        let block = self.module.entry_block(function.body);
        let _ = write!(self.out, "  func.func {} ", if function.public { "public" } else { "private" });
        self.symbol_ref(function.name);
        self.out.push('(');
        for (index, argument) in function.arguments.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            if let Some(block) = block {
                let value = self.module.block(block).arguments[index];
                self.name_argument(value, &mut counter);
                self.value(value);
                self.out.push_str(": ");
            }
            self.ty(function.argument_types[index]);
            if !argument.attributes.is_empty() {
                self.out.push(' ');
                self.dictionary(&argument.attributes);
            }
            if let Some(location) = argument.location {
                self.trailing_location(location);
            }
        }
        self.out.push(')');
        if !function.results.is_empty() {
            self.out.push_str(" -> (");
            for (index, result) in function.results.iter().enumerate() {
                if index > 0 {
                    self.out.push_str(", ");
                }
                self.ty(result.ty);
                if !result.attributes.is_empty() {
                    self.out.push(' ');
                    self.dictionary(&result.attributes);
                }
            }
            self.out.push(')');
        }
        if !function.attributes.is_empty() {
            self.out.push_str(" attributes ");
            self.dictionary(&function.attributes);
        }
        if let Some(block) = block {
            self.out.push_str(" {");
            self.sizes(function.argument_types.iter().copied());
            self.out.push('\n');
            self.unknown_values(function.body);
            self.ops(block, 2, &mut counter);
            self.out.push_str("  }");
        }
        self.trailing_location(function.location);
        self.out.push('\n');
    }

    fn ops(&mut self, block: BlockId, depth: usize, counter: &mut NameCounter) {
        for &op in &self.module.block(block).ops {
            self.op(op, depth, counter);
        }
    }

    fn op(&mut self, id: OpId, depth: usize, counter: &mut NameCounter) {
        let op = self.module.op(id);
        self.indent(depth);
        if !op.results.is_empty() {
            let number = counter.results;
            counter.results += 1;
            for (index, &result) in op.results.iter().enumerate() {
                self.set_name(result, Name::Result(number, (op.results.len() > 1).then_some(index as u32)));
            }
            let _ = write!(self.out, "%{number}");
            if op.results.len() > 1 {
                let _ = write!(self.out, ":{}", op.results.len());
            }
            self.out.push_str(" = ");
        }
        let own = if self.is_own_form(id) { "hlo2onnx." } else { "" };
        let _ = write!(self.out, "\"{own}{}\"(", self.module.symbols.get(op.name.symbol()));
        for (index, &operand) in op.operands.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.value(operand);
        }
        self.out.push(')');
        if !op.regions.is_empty() {
            self.out.push_str(" (");
            for (index, &region) in op.regions.iter().enumerate() {
                if index > 0 {
                    self.out.push_str(", ");
                }
                self.region(region, depth, counter);
            }
            self.out.push(')');
        }
        if !op.attributes.is_empty() {
            self.out.push(' ');
            self.op_attributes(op);
        }
        self.out.push_str(" : (");
        for (index, &operand) in op.operands.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.ty(self.module.value_type(operand));
        }
        self.out.push_str(") -> (");
        for (index, &result) in op.results.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.ty(self.module.value_type(result));
        }
        self.out.push(')');
        self.trailing_location(self.module.op_location(id));
        self.sizes(op.results.iter().map(|&value| self.module.value_type(value)));
        self.out.push('\n');
    }

    /// The symbolic sizes that types print as `?`, as a comment at the end of the line.
    fn sizes(&mut self, types: impl Iterator<Item = TypeId>) {
        let module = self.module;
        let spell = |&dim: &Dim| module.dim_exprs.spell(&module.symbols, dim);
        let symbolic = types.filter_map(|ty| module.tensor_type(ty)).filter(|tensor| tensor.is_symbolic());
        let lists: Vec<String> = symbolic
            .map(|tensor| format!("[{}]", tensor.dims.iter().map(spell).collect::<Vec<_>>().join(", ")))
            .collect();
        if !lists.is_empty() {
            let _ = write!(self.out, "  // {}", lists.join(", "));
        }
    }

    fn region(&mut self, region: RegionId, depth: usize, counter: &mut NameCounter) {
        self.out.push_str("{\n");
        for (index, &block) in self.module.region(region).blocks.iter().enumerate() {
            let arguments = &self.module.block(block).arguments;
            if index > 0 || !arguments.is_empty() {
                self.indent(depth);
                let _ = write!(self.out, "^bb{index}");
                if !arguments.is_empty() {
                    self.out.push('(');
                    for (position, &argument) in arguments.iter().enumerate() {
                        if position > 0 {
                            self.out.push_str(", ");
                        }
                        self.name_argument(argument, counter);
                        self.value(argument);
                        self.out.push_str(": ");
                        self.ty(self.module.value_type(argument));
                    }
                    self.out.push(')');
                }
                self.out.push_str(":\n");
            }
            self.ops(block, depth + 1, counter);
        }
        self.indent(depth);
        self.out.push('}');
    }

    fn indent(&mut self, depth: usize) {
        for _ in 0..depth {
            self.out.push_str("  ");
        }
    }

    fn name_argument(&mut self, value: ValueId, counter: &mut NameCounter) {
        self.set_name(value, Name::Argument(counter.arguments));
        counter.arguments += 1;
    }

    fn set_name(&mut self, value: ValueId, name: Name) {
        self.names[value.index()] = Some(name);
    }

    fn value(&mut self, value: ValueId) {
        let _ = match self.names[value.index()] {
            Some(Name::Result(number, None)) => write!(self.out, "%{number}"),
            Some(Name::Result(number, Some(index))) => write!(self.out, "%{number}#{index}"),
            Some(Name::Argument(number)) => write!(self.out, "%arg{number}"),
            None if value == self.module.absent() => write!(self.out, "%absent"),
            None => write!(self.out, "%unknown{}", value.index()),
        };
    }

    fn ty(&mut self, id: TypeId) {
        self.module.spell_into(&mut self.out, id);
    }
}
