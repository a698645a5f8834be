//! Reports as text for a terminal. The problems themselves are the renderer's of [`crate::diagnostic`].

use super::{FileReport, NodeCount, Size, Summary, Tensor, Verdict};
use crate::diagnostic::{grouped, one_line};
use std::fmt::Write;

/// Tensors of a signature that are shown.
const TENSORS: usize = 8;

/// Characters of a name that are shown.
const NAME: usize = 160;

/// What is in one file. Writing to a string cannot fail, so results of `write!` are dropped here and below.
pub fn file(report: &FileReport) -> String {
    let mut text = format!("{}: {}\n", one_line(&report.file, usize::MAX), verdict(report));
    for difference in &report.differences {
        let places = if difference.ops == 1 { "place" } else { "places" };
        let _ = writeln!(
            text,
            "  differs    {} ({} {places})",
            one_line(&difference.message, 400),
            difference.ops
        );
    }
    for (word, tensors) in [("inputs", &report.inputs), ("outputs", &report.outputs)] {
        if !tensors.is_empty() {
            let _ = writeln!(text, "  {word:<11}{}", signature(tensors));
        }
    }
    if !report.weights.is_empty() {
        let (parameters, size) = (grouped(report.parameters), bytes(report.weight_bytes));
        let tensors = if report.weights.len() == 1 { "tensor" } else { "tensors" };
        let bound = if report.bound > 0 { format!(", {} bound", report.bound) } else { String::new() };
        let _ = writeln!(
            text,
            "  weights    {} {tensors}, {parameters} parameters, {size}{bound}",
            report.weights.len()
        );
    }
    if !report.nodes.is_empty() {
        let total: usize = report.nodes.iter().map(|node| node.count).sum();
        let _ = writeln!(text, "  nodes      {total}: {}", kinds(&report.nodes));
    }
    if let Some(placement) = &report.placement {
        let _ = writeln!(text, "  target     {}", placement.sentence());
        for kind in &placement.kinds {
            let _ = writeln!(text, "  {:>7}  {}", kind.count, kind.sentence());
        }
    }
    let width = report.source_ops.iter().map(|op| op.op.chars().count()).max().unwrap_or(0).min(40);
    for op in &report.source_ops {
        let becomes = match (op.supported, op.refused) {
            (false, _) => "not supported".to_owned(),
            (true, 0) => kinds(&op.becomes),
            (true, refused) => format!("{refused} refused"),
        };
        let name = one_line(&op.op, NAME);
        let line = format!("  {:>7}  {name:<width$}  {becomes}", op.count);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// The summary of all files; names the unsupported ops, which users of many files look for.
pub fn summary(summary: &Summary) -> String {
    let mut text = format!("{} files: {}", summary.files, verdicts(summary));
    let (parameters, size) = (grouped(summary.parameters), bytes(summary.weight_bytes));
    let _ = writeln!(text, "; {parameters} parameters, {size}");
    for op in summary.source_ops.iter().filter(|op| !op.supported) {
        let files = if op.files == 1 { "file" } else { "files" };
        let _ = writeln!(
            text,
            "  {:>7}  {}  not supported, in {} {files}",
            op.count,
            one_line(&op.op, NAME),
            op.files
        );
    }
    text
}

/// `2 convert exactly, 1 approximately, 1 does not convert`
pub(super) fn verdicts(summary: &Summary) -> String {
    let mut parts = Vec::new();
    let verb = |count, one: &'static str, more: &'static str| if count == 1 { one } else { more };
    if summary.exact > 0 {
        parts.push(format!("{} {} exactly", summary.exact, verb(summary.exact, "converts", "convert")));
    }
    if summary.approximate > 0 {
        let count = summary.approximate;
        parts.push(format!("{count} {} approximately", verb(count, "converts", "convert")));
    }
    if summary.refused > 0 {
        let count = summary.refused;
        parts.push(format!("{count} {} not convert", verb(count, "does", "do")));
    }
    parts.join(", ")
}

/// `converts exactly, opset 23`
pub(super) fn verdict(report: &FileReport) -> String {
    let word = match report.verdict {
        Verdict::Exact => "converts exactly",
        Verdict::Approximate => "converts approximately",
        Verdict::Refused => "does not convert",
    };
    match report.opset {
        Some(opset) => format!("{word}, opset {opset}"),
        None => word.to_owned(),
    }
}

fn signature(tensors: &[Tensor]) -> String {
    let mut shown: Vec<String> = tensors
        .iter()
        .take(TENSORS)
        .map(|tensor| format!("{}: {} ({})", tensor.name, tensor.ty(), size(&tensor.size)))
        .collect();
    if tensors.len() > TENSORS {
        shown.push(format!("and {} more", tensors.len() - TENSORS));
    }
    shown.join(", ")
}

fn kinds(nodes: &[NodeCount]) -> String {
    let kinds: Vec<String> = nodes.iter().map(|node| format!("{} {}", node.count, node.op)).collect();
    kinds.join(", ")
}

/// The bytes of a tensor, as far as they are known.
pub(super) fn size(size: &Size) -> String {
    match (size.bytes, &size.symbolic_bytes) {
        (Some(count), _) => bytes(count),
        (None, Some(expression)) => format!("{expression} bytes"),
        (None, None) => "of unknown size".to_owned(),
    }
}

/// `3.06 KiB`
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let (mut scaled, mut unit) = (count as f64 / 1024.0, 0);
    while scaled >= 1023.5 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    let digits = if scaled < 9.995 {
        2
    } else if scaled < 99.95 {
        1
    } else {
        0
    };
    format!("{scaled:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits() {
        let shown: Vec<String> = [0, 1023, 1024, 10_240, 1 << 20, 100 << 30, u64::MAX].map(bytes).into();
        assert_eq!(shown, ["0 B", "1023 B", "1.00 KiB", "10.0 KiB", "1.00 MiB", "100 GiB", "16.0 EiB"]);
    }

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }
}
