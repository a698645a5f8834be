//! Hover text for the name or op under the cursor, in Markdown.

use super::definition::{self, Target};
use super::document::Document;
use super::fragment::Fragment;
use super::summary;
use super::token::{SyntaxToken, TokenKind};
use super::tree;
use crate::ir::{LocationId, Module, OpName, ValueId, builtin, func, provenance, stablehlo};
use crate::source::Span;
use crate::{Options, ops};
use std::fmt::Write;

/// Characters of a text that is quoted.
const QUOTED: usize = 600;

/// Ops of a lowering that are listed.
const LISTED: usize = 24;

/// The hover text at an offset, and its range.
pub(super) fn hover(document: &Document, offset: usize, options: &Options) -> Option<(String, Span)> {
    let token = definition::name_at(document, offset)?;
    let text = match token.kind {
        TokenKind::Word | TokenKind::String => of_op(document, token, options)?,
        _ => of_name(document, token, options)?,
    };
    Some((text, token.span))
}

fn of_name(document: &Document, token: SyntaxToken, options: &Options) -> Option<String> {
    let found = definition::definition(document, token)?;
    let name = document.slice(token.span.range());
    match found.target {
        Target::Result { statement, index } => Some(of_result(document, name, statement, index, options)),
        Target::Argument { statement, index, ty } => {
            let mut text = code(&format!("{name} : {}", document.slice(ty.range())));
            argument_of_function(document, &mut text, statement, index);
            Some(text)
        }
        Target::Symbol { statement } => {
            let scan = document.source().scan();
            let head = document.slice(tree::head(scan, tree::at(scan, statement)).range());
            Some(code(head.trim_end().trim_end_matches('{').trim_end()))
        }
        Target::Alias { statement } => {
            let span = tree::at(document.source().scan(), statement).span;
            let mut text = code(document.slice(span.range()));
            if let Some(fragment) = Fragment::of_location(document, name) {
                place(&mut text, &fragment.module, fragment.location());
            }
            Some(text)
        }
        Target::Block => None,
    }
}

/// The op whose name a token is.
fn of_op(document: &Document, token: SyntaxToken, options: &Options) -> Option<String> {
    let source = document.source();
    let index = document.path(token.span.start).last()?.statement;
    let statement = tree::at(source.scan(), index);
    let (name, span) = tree::op_name(source, statement)?;
    if span.end < token.span.start || token.span.end < span.start || tree::is_function(source, statement) {
        return None;
    }
    let Some(fragment) = Fragment::of(document, index) else { return Some(code(name)) };
    let (module, op) = (&fragment.module, fragment.module.op(fragment.op));
    let types = |values: &[ValueId]| {
        let types = values.iter().map(|&value| module.spell(module.value_type(value)));
        types.collect::<Vec<_>>().join(", ")
    };
    let mut text = code(&format!("{name} : ({}) -> ({})", types(&op.operands), types(&op.results)));
    about_op(&mut text, fragment, options);
    Some(text)
}

fn of_result(document: &Document, name: &str, statement: u32, index: u32, options: &Options) -> String {
    let source = document.source();
    let span = tree::at(source.scan(), statement).span;
    let fragment = Fragment::of(document, statement);
    let read = fragment.filter(|fragment| fragment.module.op(fragment.op).name != builtin::ERROR);
    let value = read.and_then(|fragment| {
        let value = *fragment.module.op(fragment.op).results.get(index as usize)?;
        Some((fragment, value))
    });
    let Some((fragment, value)) = value else {
        // Unparsed statements are quoted unchanged.
        return code(document.slice(span.range()));
    };
    let module = &fragment.module;
    let mut text = code(&match group(document, name, statement) {
        // The name refers to several results alike.
        Some(count) => {
            let results = module.op(fragment.op).results.iter().skip(index as usize).take(count);
            let types = results.map(|&value| module.spell(module.value_type(value)));
            format!("{name}:{count} : {}", types.collect::<Vec<_>>().join(", "))
        }
        None => format!("{name} : {}", module.spell(module.value_type(value))),
    });
    let line = document.range(span).start.line + 1;
    // Writing to a string cannot fail, here and below.
    let _ = write!(text, "\n`{}` in line {line}\n", module.op_name(fragment.op));
    if let Some(constant) = module.constant_of(value) {
        let _ = write!(text, "\n{}\n", summary::summary(module, &fragment.source, constant));
    }
    about_op(&mut text, fragment, options);
    text
}

/// How many results a name refers to, where these are several.
fn group(document: &Document, name: &str, statement: u32) -> Option<usize> {
    let source = document.source();
    let (_, count) = definition::results(source, tree::at(source.scan(), statement))
        .find(|(span, _)| document.slice(span.range()) == name)?;
    (count > 1).then_some(count as usize)
}

/// The note of the op's row, its ONNX ops, and its location.
fn about_op(text: &mut String, fragment: Fragment, options: &Options) {
    let name = fragment.module.op(fragment.op).name;
    let mut origin = String::new();
    place(&mut origin, &fragment.module, fragment.location());
    if name == stablehlo::CONSTANT {
        text.push_str("\n**ONNX**: an initializer\n");
    } else if ops::is_structural(name) {
        let _ = writeln!(text, "\n**ONNX**: {}", structural(name));
    } else {
        match ops::find(name) {
            Some(row) if !row.note.is_empty() => {
                let _ = writeln!(text, "\n**ONNX**: {}", row.note);
            }
            _ => text.push_str("\n**ONNX**\n"),
        }
        lowering(text, fragment, options);
    }
    text.push_str(&origin);
}

fn structural(name: OpName) -> &'static str {
    match name {
        func::RETURN | stablehlo::RETURN => "the outputs of the graph or of its region",
        _ => "inlined: replaced by the ops of the called function",
    }
}

fn lowering(text: &mut String, fragment: Fragment, options: &Options) {
    match fragment.lowered(options) {
        Some(Ok(lines)) if lines.is_empty() => text.push_str("\nno op: replaced by its operand\n"),
        Some(Ok(lines)) => {
            let (lines, without) = abridged(lines);
            let shown: Vec<String> = lines.iter().take(LISTED).map(|line| shortened(line, 200)).collect();
            text.push_str(&format!("\n```mlir\n{}\n```\n", shown.join("\n")));
            if lines.len() > LISTED {
                let _ = write!(text, "\nand {} more lines{without}\n", lines.len() - LISTED);
            }
        }
        Some(Err(why)) => {
            let _ = write!(text, "\nnot converted: {why}\n");
        }
        None => text.push_str("\ndepends on more of the program than this op\n"),
    }
}

/// The path of an argument in the user's tree of arguments, and its line.
fn argument_of_function(document: &Document, text: &mut String, statement: u32, index: u32) {
    let source = document.source();
    if !tree::is_function(source, tree::at(source.scan(), statement)) {
        return;
    }
    let Some((_, module)) = Fragment::of_declaration(document, statement) else { return };
    let Some(function) = module.functions().next() else { return };
    let argument = module.function(function).arguments.get(index as usize);
    let Some(location) = argument.and_then(|argument| argument.location) else { return };
    if let Some(name) = provenance::own_name(&module, location) {
        let _ = write!(text, "\nargument `{name}`\n");
    }
    line(text, &module, location);
}

/// The user's line and the path of modules.
fn place(text: &mut String, module: &Module, location: LocationId) {
    line(text, module, location);
    // The last name of the path is the op's own.
    if let Some((modules, _)) =
        provenance::scope(module, location).as_deref().and_then(|path| path.rsplit_once('/'))
    {
        let _ = write!(text, "\n**Module**: `{modules}`\n");
    }
}

fn line(text: &mut String, module: &Module, location: LocationId) {
    let Some(frame) = provenance::python_frame(module, location) else { return };
    let _ = write!(text, "\n**Python**: `{}:{}`", frame.file, frame.line);
    if let Some(function) = &frame.function {
        let _ = write!(text, " in `{function}`");
    }
    text.push('\n');
}

fn code(text: &str) -> String {
    format!("```mlir\n{}\n```\n", shortened(text, QUOTED))
}

/// The lines without unused constants, and without all constants if there are many lines; with a remark about it.
fn abridged(lines: Vec<String>) -> (Vec<String>, &'static str) {
    let constant = |line: &str| {
        let (name, op) = line.split_once(" = ")?;
        (name.starts_with('%') && op.starts_with("\"onnx.Constant\"")).then(|| name.to_owned())
    };
    let reads = |line: &str, name: &str| {
        line.match_indices(name).any(|(at, _)| {
            at > 0 && !line[at + name.len()..].starts_with(|next: char| next.is_ascii_alphanumeric())
        })
    };
    let is_read = |name: &str| lines.iter().any(|line| reads(line, name));
    let used: Vec<String> =
        lines.iter().filter(|line| constant(line).is_none_or(|name| is_read(&name))).cloned().collect();
    if used.len() <= LISTED {
        return (used, "");
    }
    (used.into_iter().filter(|line| constant(line).is_none()).collect(), ", constants not counted")
}

fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
