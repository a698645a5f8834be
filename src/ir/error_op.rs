//! Error recovery: replaces unparsed parts of a text so that the rest is checked in the same run.
//!
//! A statement that cannot be parsed becomes an op [`builtin::ERROR`]. It reads the values that the statement names,
//! so they stay live. Its results are poison: values without a definition, of the type that their users state. Code
//! that meets such an op or value stays silent, because the error is already reported.

use super::{
    Attribute, Attributes, BlockId, Function, FunctionId, LocationId, Module, OpId, OpSpan, RegionId,
    Rewriter, Symbol, Type, TypeId, ValueId, builtin, func,
};
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

impl Module {
    /// Whether a value has no known type because its definition could not be parsed.
    pub fn is_error_value(&self, value: ValueId) -> bool {
        self.is_poison(value) && self.tensor(value).is_none()
    }

    /// Adds a detached error op.
    pub fn add_error_op(
        &mut self,
        operands: &[ValueId],
        regions: SmallVec<[RegionId; 1]>,
        span: OpSpan,
    ) -> OpId {
        // Every op has a first result, which its users and definition may rely on.
        let none = self.types.intern(Type::None);
        self.create(builtin::ERROR, operands)
            .regions(regions)
            .at((span, LocationId::UNKNOWN))
            .results(&[none])
    }

    /// Isolates error ops so that the rest of the module can be verified.
    ///
    /// Adds missing terminators. Ops that depend on an error (they read an untyped value, lack the end of a region,
    /// or call a lost function) become error ops too. Unknown values of the stated types replace their results, so
    /// checking continues after them.
    pub fn isolate_error_ops(&mut self) {
        self.set_aside(&FxHashSet::default());
    }

    /// Turns ops that break a rule, which are already reported, into error ops so that the others can be lowered.
    pub fn set_aside(&mut self, faulty: &FxHashSet<OpId>) {
        for function in self.functions() {
            self.end_function(function);
            let results: Vec<_> = self.function(function).results.iter().map(|result| result.ty).collect();
            Rewriter::new(self).function(function, &mut |rewriter, op| {
                let is_faulty = faulty.contains(&op);
                if rewriter.module.op(op).name == func::RETURN {
                    if is_faulty {
                        let values = results.iter().map(|&ty| rewriter.module.add_poison(ty)).collect();
                        rewriter.module.op_mut(op).operands = values;
                    }
                    type_operands(rewriter.module, op, &results);
                } else if is_faulty || is_damaged(rewriter.module, op) {
                    unread(rewriter, op);
                }
                true
            });
        }
    }

    /// Makes a function return unknown values if its terminator could not be parsed.
    fn end_function(&mut self, function: FunctionId) {
        let Some(block) = self.entry_block(self.function(function).body) else { return };
        let Some(&last) = self.block(block).ops.last() else { return };
        if self.op(last).name != builtin::ERROR {
            return;
        }
        let types: Vec<TypeId> = self.function(function).results.iter().map(|result| result.ty).collect();
        let values: Vec<ValueId> = types.into_iter().map(|ty| self.add_poison(ty)).collect();
        self.return_from(block, &values, self.span(last));
    }

    fn return_from(&mut self, block: BlockId, values: &[ValueId], span: OpSpan) {
        self.create(func::RETURN, values).at((span, LocationId::UNKNOWN)).end_of(block).results(&[]);
    }

    /// Makes the entry call all unused functions and keep the ops outside functions, because their users may be lost.
    /// Creates an entry if it could not be parsed. Returns whether it did.
    pub fn reach_all(&mut self, entry: Option<FunctionId>) -> bool {
        let called = self.called();
        let roots: Vec<FunctionId> = self
            .functions()
            .filter(|&id| {
                let function = self.function(id);
                let private = !function.public || entry.is_none();
                let has_body = self.entry_block(function.body).is_some();
                private && has_body && Some(id) != entry && !called.contains(&function.name)
            })
            .collect();
        let (beside, kept) = std::mem::take(&mut self.top_level)
            .into_iter()
            .partition(|&op| self.op(op).name == builtin::ERROR);
        self.top_level = kept;
        let mut added: Vec<OpId> = beside;
        for root in roots {
            added.extend(self.call_of(root));
        }
        let block = match entry.and_then(|entry| self.entry_block(self.function(entry).body)) {
            Some(block) => block,
            None => self.add_entry(),
        };
        let end = self.block(block).ops.len().saturating_sub(1);
        self.block_mut(block).ops.splice(end..end, added);
        entry.is_none()
    }

    /// The functions that something refers to.
    fn called(&self) -> FxHashSet<Symbol> {
        let mut called = FxHashSet::default();
        let mut visit = |attribute: &Attribute| {
            if let Attribute::SymbolRef(path) = attribute {
                called.extend(path.last().copied());
            }
        };
        for op in self.reachable_ops() {
            for (_, attribute) in &self.op(op).attributes {
                match attribute {
                    Attribute::Array(items) => items.iter().for_each(&mut visit),
                    attribute => visit(attribute),
                }
            }
        }
        called
    }

    /// A call with unknown arguments, and a use that keeps its results alive.
    fn call_of(&mut self, function: FunctionId) -> [OpId; 2] {
        let Function { name, argument_types, results, span, location, .. } = self.function(function).clone();
        let operands: Vec<ValueId> = argument_types.iter().map(|&ty| self.add_poison(ty)).collect();
        let types: Vec<TypeId> = results.iter().map(|result| result.ty).collect();
        let span = OpSpan { name: span, whole: span };
        let callee = Attribute::SymbolRef([name].into());
        let call = self.create(func::CALL, &operands).attr("callee", callee).at((span, location));
        let call = call.results(&types);
        let results = self.op(call).results.clone();
        [call, self.add_error_op(&results, SmallVec::new(), span)]
    }

    fn add_entry(&mut self) -> BlockId {
        let (name, body) = (self.symbols.intern("main"), self.add_region());
        let block = self.add_block(body);
        self.return_from(block, &[], OpSpan::default());
        self.add_function(Function {
            name,
            public: true,
            body,
            arguments: Vec::new(),
            argument_types: Vec::new(),
            results: Vec::new(),
            attributes: Attributes::new(),
            span: OpSpan::default().name,
            location: LocationId::UNKNOWN,
        });
        block
    }
}

/// Sets the types of untyped operands to those stated where they are returned.
fn type_operands(module: &mut Module, op: OpId, types: &[TypeId]) {
    for (index, operand) in module.op(op).operands.clone().into_iter().enumerate() {
        if let Some(&ty) = types.get(index).filter(|_| module.is_error_value(operand)) {
            module.op_mut(op).operands[index] = module.add_poison(ty);
        }
    }
}

fn is_damaged(module: &Module, op: OpId) -> bool {
    let operation = module.op(op);
    if module.op(op).name == builtin::ERROR {
        return false;
    }
    if operation.operands.iter().any(|&operand| module.is_error_value(operand)) {
        return true;
    }
    let lost = operation.attributes.iter().any(|(_, attribute)| match attribute {
        Attribute::SymbolRef(path) => path.last().is_some_and(|name| module.lost.contains(name)),
        _ => false,
    });
    let ends_badly = |&region: &RegionId| {
        let Some(block) = module.entry_block(region) else { return false };
        module.block(block).ops.last().is_some_and(|&last| {
            let name = module.op(last).name;
            let unread = |&value: &ValueId| module.is_error_value(value);
            name == builtin::ERROR || (name.is_terminator() && module.op(last).operands.iter().any(unread))
        })
    };
    lost || operation.regions.iter().any(ends_badly)
}

/// Turns an op into an error op; its regions stay.
fn unread(rewriter: &mut Rewriter, op: OpId) {
    if rewriter.module.op(op).name.is_terminator() {
        return;
    }
    rewriter.forget(op);
    let module = &mut *rewriter.module;
    let known =
        module.op(op).operands.iter().copied().filter(|&operand| !module.is_error_value(operand)).collect();
    let operation = module.op_mut(op);
    operation.name = builtin::ERROR;
    operation.operands = known;
    operation.attributes.clear();
}
