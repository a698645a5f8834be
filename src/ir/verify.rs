//! Verifies a module: values are defined before use, blocks have terminators, and types agree wherever they are
//! stated twice.
//!
//! The rules of each op are passed in. Uses of poison values are not reported, because their definition already was.

use super::provenance;
use super::{
    Attribute, BlockId, Definition, Dialect, FunctionId, Module, OpId, OpName, RegionId, Symbol, TypeId,
    ValueId, builtin, func, onnx, sdy, shape, stablehlo,
};
use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Part, catalog, nearest};
use crate::source::Span;
use rustc_hash::{FxHashMap, FxHashSet};

/// Checks an op's own rules.
pub type OpRules<'r> = &'r dyn Fn(&Module, OpId, &mut Diagnostics);

/// The faults of an invalid module.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Ops that break a rule. The module is valid without them, unless the structure is faulty.
    pub ops: FxHashSet<OpId>,
    /// Whether functions or blocks are malformed.
    pub structure: bool,
}

/// Reports all faults of a module.
pub fn verify(module: &Module, rules: OpRules, diagnostics: &mut Diagnostics) -> Faults {
    let visible = vec![false; module.value_count()];
    let mut verifier = Verifier { module, rules, diagnostics, visible, faults: Faults::default() };
    verifier.symbols();
    for function in module.functions() {
        verifier.function(function);
    }
    verifier.faults
}

struct Verifier<'a> {
    module: &'a Module,
    rules: OpRules<'a>,
    diagnostics: &'a mut Diagnostics,
    /// Whether each value is visible to the current op, indexed by value.
    visible: Vec<bool>,
    faults: Faults,
}

/// The terminator of a dialect's regions.
fn terminator_of(dialect: Dialect) -> OpName {
    match dialect {
        Dialect::Onnx => onnx::RETURN,
        Dialect::Sdy => sdy::RETURN,
        Dialect::Func => func::RETURN,
        Dialect::Shape => shape::ASSUMING_YIELD,
        _ => stablehlo::RETURN,
    }
}

/// Whether an op is a valid terminator where `terminator` is expected. JAX ends comparators that are functions, those
/// of `approx_max_k`, with `stablehlo.return`.
fn ends(op: OpName, terminator: OpName) -> bool {
    op == terminator || (terminator == func::RETURN && op == stablehlo::RETURN)
}

impl Verifier<'_> {
    fn symbols(&mut self) {
        let mut first: FxHashMap<Symbol, Span> = FxHashMap::default();
        for id in self.module.functions() {
            let function = self.module.function(id);
            if let Some(&first) = first.get(&function.name) {
                let name = &*format!("@{}", self.module.symbols.get(function.name));
                self.diagnostics.push(catalog::RedefinedSymbol { name, at: function.span, first });
                continue;
            }
            first.insert(function.name, function.span);
        }
    }

    fn function(&mut self, id: FunctionId) {
        let function = self.module.function(id);
        let Some(block) = self.module.entry_block(function.body) else { return };
        let stated = &function.argument_types;
        let found: Vec<TypeId> = self.module.value_types(&self.module.block(block).arguments);
        let span = |_| function.span;
        let at: (Span, fn(usize) -> Part) = (function.span, |_| Part::Span);
        let agree = self.same_types("an argument of the function", stated, &found, at, &span);
        self.faults.structure |= !agree;
        self.region(function.body, func::FUNC, func::RETURN, function.span);
        let results: Vec<TypeId> = function.results.iter().map(|result| result.ty).collect();
        for &block in &self.module.region(function.body).blocks {
            let Some(&last) = self.module.block(block).ops.last() else { continue };
            if ends(self.module.op(last).name, func::RETURN) {
                let found = self.module.value_types(&self.module.op(last).operands);
                let at = self.module.span(last).name;
                let what = "a value that the function returns";
                if !self.same_types(what, &results, &found, (at, Part::Operand), &span) {
                    self.faults.ops.insert(last);
                }
            }
        }
    }

    /// Compares two lists of types. Reports the first pair that differs; lists of different lengths differ as a
    /// whole. `part` maps an index to the part of the op at `at` with that type.
    fn same_types(
        &mut self,
        what: &str,
        expected: &[TypeId],
        found: &[TypeId],
        (at, part): (Span, fn(usize) -> Part),
        because: &dyn Fn(usize) -> Span,
    ) -> bool {
        let list = |types: &[TypeId]| -> String {
            let all: Vec<String> = types.iter().map(|&ty| self.module.spell(ty)).collect();
            format!("({})", all.join(", "))
        };
        let pair = if expected.len() == found.len() {
            let mut pairs = expected.iter().zip(found);
            let differ = pairs.position(|(&expected, &found)| !self.agree(expected, found));
            differ.map(|index| {
                let spelled = (self.module.spell(expected[index]), self.module.spell(found[index]));
                (spelled, part(index), because(index))
            })
        } else {
            Some(((list(expected), list(found)), Part::Span, because(usize::MAX)))
        };
        let Some(((expected, found), part, because)) = pair else { return true };
        let (expected, found) = (&*expected, &*found);
        let mismatch = catalog::TypeMismatch { what, expected, found, at, because };
        // A place has one type, and not a list.
        let fix = Fix::to(found, Some(expected)).filter(|_| part != Part::Span);
        self.diagnostics.push(Diagnostic::from(mismatch).at(part).fixed_by(fix));
        false
    }

    /// Whether two types are equal as far as their sizes are known.
    fn agree(&self, x: TypeId, y: TypeId) -> bool {
        let (Some(left), Some(right)) = (self.module.tensor_type(x), self.module.tensor_type(y)) else {
            return x == y;
        };
        let mut dims = left.dims.iter().zip(&right.dims);
        left.element == right.element
            && left.rank() == right.rank()
            && dims.all(|(x, y)| x == y || x.known().is_none() || y.known().is_none())
    }

    // Recursion follows the nesting of regions, which the parser limits.
    fn region(&mut self, region: RegionId, owner: OpName, terminator: OpName, at: Span) {
        for &block in &self.module.region(region).blocks {
            self.block(block, owner, terminator, at);
        }
    }

    fn block(&mut self, block: BlockId, owner: OpName, terminator: OpName, at: Span) {
        let module = self.module;
        let mut defined = Vec::new();
        for (index, &argument) in module.block(block).arguments.iter().enumerate() {
            self.define(argument, Definition::Argument(block, index as u32), &mut defined);
        }
        let ops = &module.block(block).ops;
        for &op in ops {
            self.op(op, &mut defined);
        }
        // An error op may have been the terminator.
        if owner == builtin::ERROR {
            self.hide(defined);
            return;
        }
        let misplaced = ops.iter().rev().skip(1).find(|&&op| ends(module.op(op).name, terminator));
        let ended = ops.last().is_some_and(|&op| ends(module.op(op).name, terminator));
        if !ended || misplaced.is_some() {
            self.faults.structure = true;
            let (at, found) = match misplaced.or(ops.last()) {
                Some(&op) => (module.span(op).name, Some(module.op(op).name)),
                None => (at, None),
            };
            // Ops after an early terminator are unreachable.
            let found = found.filter(|&found| !ends(found, terminator));
            let found = found.map(|found| module.symbols.get(found.symbol()));
            let (op, expected) = (module.symbols.get(owner.symbol()), terminator.text());
            self.diagnostics.push(catalog::WrongTerminator { op, expected, found, at });
        }
        self.hide(defined);
    }

    fn hide(&mut self, defined: Vec<ValueId>) {
        for value in defined {
            self.visible[value.index()] = false;
        }
    }

    /// Makes a value visible to the ops that follow; it must be defined here.
    fn define(&mut self, value: ValueId, definition: Definition, defined: &mut Vec<ValueId>) {
        if self.module.value(value).definition == definition {
            self.visible[value.index()] = true;
            defined.push(value);
        }
    }

    fn op(&mut self, op: OpId, defined: &mut Vec<ValueId>) {
        let module = self.module;
        let name = module.op(op).name;
        let known = self.diagnostics.len();
        for (index, &operand) in module.op(op).operands.iter().enumerate() {
            let absent = operand == module.absent() && module.op(op).name.is_onnx();
            if !(self.visible[operand.index()] || absent || module.is_poison(operand)) {
                self.not_dominated(op, index, operand);
            }
        }
        (self.rules)(module, op, self.diagnostics);
        if name == func::CALL {
            self.call(op);
        }
        if self.diagnostics.len() > known {
            self.faults.ops.insert(op);
        }
        for diagnostic in self.diagnostics.iter_mut().skip(known) {
            provenance::complete(module, module.op_location(op), diagnostic);
        }
        for &region in &module.op(op).regions {
            self.region(region, name, terminator_of(module.dialect(op)), module.span(op).name);
        }
        for (index, &result) in module.op(op).results.iter().enumerate() {
            self.define(result, Definition::Result(op, index as u32), defined);
        }
    }

    fn not_dominated(&mut self, op: OpId, index: usize, operand: ValueId) {
        let value = self.module.value(operand);
        let definition = match value.definition {
            Definition::Result(definer, _) => self.module.span(definer).name,
            _ => Span::NONE,
        };
        let name = match (value.name, value.definition) {
            (Some(name), _) => self.module.symbols.get(name).to_owned(),
            (None, Definition::Result(definer, _)) => self.module.op_name(definer).to_owned(),
            (None, Definition::Argument(_, index)) => format!("argument {index}"),
            (None, Definition::Poison) => "an absent value".to_owned(),
        };
        let at = self.module.span(op).name;
        let diagnostic = Diagnostic::from(catalog::NotDominated { name: &name, at, definition });
        self.diagnostics.push(diagnostic.at(Part::Operand(index)));
    }

    fn call(&mut self, op: OpId) {
        let module = self.module;
        let at = module.span(op).name;
        let Some(callee) = module.attribute(op, "callee") else {
            self.diagnostics.push(catalog::MissingAttribute {
                op: func::CALL.text(),
                attribute: "callee",
                at,
            });
            return;
        };
        let Attribute::SymbolRef(path) = callee else {
            let why = "expected the name of a function";
            self.diagnostics.push(catalog::InvalidAttribute {
                op: func::CALL.text(),
                attribute: "callee",
                why,
                at,
            });
            return;
        };
        let Some(&name) = path.last() else { return };
        let Some(callee) = module.find_function(name) else {
            let symbol = |name: Symbol| format!("@{}", module.symbols.get(name));
            let all: Vec<String> = module.functions().map(|id| symbol(module.function(id).name)).collect();
            let name = &*symbol(name);
            let nearest = nearest(name, all.iter().map(String::as_str));
            let undefined = Diagnostic::from(catalog::UndefinedFunction { name, nearest, at });
            self.diagnostics.push(undefined.at(Part::attribute("callee")));
            return;
        };
        let callee = module.function(callee);
        if module.op(op).operands.iter().any(|&operand| module.is_error_value(operand)) {
            return;
        }
        let (operands, results) =
            (module.value_types(&module.op(op).operands), module.value_types(&module.op(op).results));
        let stated: Vec<TypeId> = callee.results.iter().map(|result| result.ty).collect();
        let argument =
            |index: usize| callee.arguments.get(index).map_or(callee.span, |argument| argument.span);
        let types = &callee.argument_types;
        self.same_types("an operand of the call", types, &operands, (at, Part::Operand), &argument);
        let function = |_| callee.span;
        self.same_types("a result of the call", &stated, &results, (at, Part::ResultType), &function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Element, Function, FunctionResult, LocationId};

    /// A function `@f` of one argument whose block contains the ops that `build` adds.
    fn module(build: impl FnOnce(&mut Module, BlockId)) -> Module {
        let mut module = Module::new();
        let ty = module.tensor_of(Element::F32, &[4]);
        let body = module.add_region();
        let block = module.add_block(body);
        module.add_argument(block, ty);
        let name = module.symbols.intern("f");
        module.add_function(Function {
            name,
            public: true,
            body,
            arguments: vec![Default::default()],
            argument_types: vec![ty],
            results: vec![FunctionResult { ty, attributes: Vec::new() }],
            attributes: Vec::new(),
            span: Span::NONE,
            location: LocationId::UNKNOWN,
        });
        build(&mut module, block);
        module
    }

    fn add(
        module: &mut Module,
        block: BlockId,
        name: OpName,
        operands: &[ValueId],
        results: &[TypeId],
    ) -> OpId {
        module.create(name, operands).end_of(block).results(results)
    }

    fn codes(module: &Module) -> Vec<&'static str> {
        let mut diagnostics = Diagnostics::new();
        verify(module, &|_, _, _| {}, &mut diagnostics);
        diagnostics.iter().map(|diagnostic| diagnostic.code().as_str()).collect()
    }

    #[test]
    fn returned_argument_is_valid() {
        let module = module(|module, block| {
            let argument = module.block(block).arguments[0];
            add(module, block, func::RETURN, &[argument], &[]);
        });
        assert_eq!(codes(&module), [""; 0]);
    }

    #[test]
    fn use_before_definition() {
        let module = module(|module, block| {
            let argument = module.block(block).arguments[0];
            let ty = module.value_type(argument);
            let first = add(module, block, stablehlo::ABS, &[argument], &[ty]);
            let second = add(module, block, stablehlo::ABS, &[argument], &[ty]);
            module.op_mut(first).operands[0] = module.op(second).results[0];
            let result = module.op(first).results[0];
            add(module, block, func::RETURN, &[result], &[]);
        });
        assert_eq!(codes(&module), ["E0112"]);
    }

    #[test]
    fn returned_type_differs() {
        let module = module(|module, block| {
            let argument = module.block(block).arguments[0];
            let other = module.tensor_of(Element::F32, &[5]);
            let op = add(module, block, stablehlo::SLICE, &[argument], &[other]);
            let result = module.op(op).results[0];
            add(module, block, func::RETURN, &[result], &[]);
        });
        assert_eq!(codes(&module), ["E0103"]);
    }

    #[test]
    fn no_terminator() {
        let module = module(|module, block| {
            let argument = module.block(block).arguments[0];
            let ty = module.value_type(argument);
            add(module, block, stablehlo::ABS, &[argument], &[ty]);
        });
        assert_eq!(codes(&module), ["E0106"]);
    }

    #[test]
    fn poison_is_silent() {
        let module = module(|module, block| {
            let ty = module.value_type(module.block(block).arguments[0]);
            let poison = module.add_poison(ty);
            add(module, block, func::RETURN, &[poison], &[]);
        });
        assert_eq!(codes(&module), [""; 0]);
    }

    #[test]
    fn value_of_a_region_is_not_seen_outside() {
        let module = module(|module, block| {
            let argument = module.block(block).arguments[0];
            let ty = module.value_type(argument);
            let (region, owner) =
                (module.add_region(), add(module, block, stablehlo::IF, &[argument], &[ty]));
            let inner = module.add_block(region);
            let hidden = add(module, inner, stablehlo::ABS, &[argument], &[ty]);
            let hidden = module.op(hidden).results[0];
            add(module, inner, stablehlo::RETURN, &[hidden], &[]);
            module.op_mut(owner).regions.push(region);
            add(module, block, func::RETURN, &[hidden], &[]);
        });
        assert_eq!(codes(&module), ["E0112"]);
    }
}
