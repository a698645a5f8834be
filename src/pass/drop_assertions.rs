//! Drops checks that only raise errors.
//!
//! `equinox.error_if(x, pred, msg)` is a `case` that returns `x` in one branch, and in the other calls Python, which
//! raises and returns nothing. The model has no Python, so it takes the first branch, whatever `pred` is. In text
//! without locations only the function's name identifies the check, so [`mark`] runs before inlining; the user's line
//! is known afterward.

use super::Context;
use crate::diagnostic::catalog;
use crate::ir::{Attribute, BlockId, Module, OpId, Rewriter, provenance, stablehlo};
use crate::ops;

/// Equinox's functions with checks, `error_if` and `branched_error_if`, and their file.
const FUNCTION: &str = "branched_error_if_impl";
const FILE: &str = "equinox/_errors.py";

/// Marks the Python calls of checks with the name of their user function.
pub(super) fn mark(module: &mut Module) {
    for function in module.functions() {
        let name = module.symbols.get(module.function(function).name);
        let number = name.strip_prefix(FUNCTION).map(|rest| rest.trim_start_matches('_'));
        let named = number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        let ops: Vec<OpId> = module.ops_within([module.function(function).body]).collect();
        for op in ops.into_iter().filter(|&op| ops::host_callback(module, op).is_some()).collect::<Vec<_>>() {
            if named || provenance::is_in_file(module, module.op_location(op), FILE) {
                let key = module.symbols.intern(ops::CALLBACK);
                module.op_mut(op).attributes.push((key, Attribute::String(ops::ERROR_IF.into())));
            }
        }
    }
}

/// Runs the pass.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let mut checks = Vec::new();
    let mut rewriter = Rewriter::new(module);
    rewriter.splice(&mut |module, op| {
        let passes = passing_branch(module, op)?;
        checks.push(op);
        Some(passes)
    });
    if checks.is_empty() {
        return;
    }
    for function in rewriter.module.functions() {
        rewriter.function(function, &mut |_, _| true);
    }
    for op in checks {
        let at = module.span(op).name;
        let dropped = catalog::DroppedCallback { callback: ops::ERROR_IF, at };
        cx.diagnostics.push(module.located(op, dropped));
    }
}

/// The branch of a check that does not raise.
fn passing_branch(module: &Module, op: OpId) -> Option<BlockId> {
    let (&[first, second], stablehlo::CASE | stablehlo::IF) = (&*module.op(op).regions, module.op(op).name)
    else {
        return None;
    };
    let calls = |region| {
        let calls = module.ops_within([region]).filter(|&op| ops::host_callback(module, op).is_some());
        calls.map(|op| ops::callback_name(module, op) == ops::ERROR_IF).collect::<Vec<bool>>()
    };
    let (first_calls, second_calls) = (calls(first), calls(second));
    let raises = |calls: &[bool]| !calls.is_empty() && calls.iter().all(|&check| check);
    let passes = match (raises(&first_calls), raises(&second_calls)) {
        (true, false) if second_calls.is_empty() => second,
        (false, true) if first_calls.is_empty() => first,
        _ => return None,
    };
    module.entry_block(passes)
}
