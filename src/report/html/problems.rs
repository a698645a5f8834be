//! The problems of all files, with the lines that they point at.

use super::{BUDGET, Budget};
use crate::diagnostic::grouped;
use crate::diagnostic::{PythonFrame, Quote, QuotedLine, Severity};
use crate::report::escape::{escape, markup, sentence};
use crate::report::{Problem, Report};
use std::fmt::Write;

/// Characters of a message, a note or a help that are shown.
const SENTENCE: usize = 600;

/// Columns of a tab, so that underlines are below their places.
const TAB: &str = "    ";

/// The section with its search, which shows itself when there is a script to serve it.
pub(super) fn section(out: &mut String, report: &Report) {
    let listed: Vec<(&str, &Problem)> = report
        .files
        .iter()
        .flat_map(|file| file.problems.iter().map(move |problem| (file.file.as_str(), problem)))
        .collect();
    out.push_str("<section aria-labelledby=\"problems\">\n<h2 id=\"problems\">Problems</h2>\n");
    if listed.is_empty() {
        out.push_str("<p class=\"none\">No problems.</p>\n</section>\n");
        return;
    }
    if listed.len() > 1 {
        filters(out, &listed);
    }
    out.push_str("<div id=\"list\">\n");
    let mut budget = Budget::new(BUDGET);
    // Errors of all files come before the advice of the first.
    let by_severity = [Severity::Error, Severity::Warning, Severity::Advice]
        .into_iter()
        .flat_map(|severity| listed.iter().filter(move |(_, problem)| problem.severity == severity));
    let mut shown = 0;
    for &(file, problem) in by_severity {
        let part = article(file, problem);
        if !budget.takes(&part) {
            break;
        }
        out.push_str(&part);
        shown += 1;
    }
    out.push_str("</div>\n");
    let left = listed.len() - shown;
    if left > 0 {
        let _ = writeln!(
            out,
            "<p class=\"elided\">{} more {} not shown; <code>--format json</code> has all of them.</p>",
            grouped(left),
            if left == 1 { "is" } else { "are" }
        );
    }
    out.push_str("</section>\n");
}

fn filters(out: &mut String, listed: &[(&str, &Problem)]) {
    out.push_str(
        "<form class=\"filters\" id=\"filters\" role=\"search\" hidden>\n<label class=\"search\"><span>Search problems</span>\
         <input type=\"search\" id=\"search\" placeholder=\"op, module, file, code\" autocomplete=\"off\" spellcheck=\"false\"></label>\n\
         <fieldset><legend>Show</legend>\n",
    );
    for severity in [Severity::Error, Severity::Warning, Severity::Advice] {
        let count: usize = listed
            .iter()
            .filter(|(_, problem)| problem.severity == severity)
            .map(|(_, problem)| problem.count)
            .sum();
        if count > 0 {
            let word = severity.as_str();
            let plural = if severity == Severity::Advice { "advice" } else { &format!("{word}s") };
            let _ = writeln!(
                out,
                "<label class=\"chip {word}\"><input type=\"checkbox\" value=\"{word}\" checked><span>{plural} \
                 <b>{count}</b></span></label>"
            );
        }
    }
    out.push_str("</fieldset>\n<p class=\"found\" id=\"found\" role=\"status\"></p>\n</form>\n");
}

fn article(file: &str, problem: &Problem) -> String {
    let word = problem.severity.as_str();
    let mut out = format!("<article class=\"problem {word}\" data-severity=\"{word}\">\n<header>");
    let _ = write!(
        out,
        "<p class=\"code\"><span class=\"severity\">{word}</span> <a href=\"#{0}\">{0}</a></p><h3>{1}</h3>",
        problem.code,
        sentence(&problem.message, SENTENCE)
    );
    let mut place = escape(file, 160);
    if let Some(line) = problem.lines.first() {
        let _ = write!(place, ":{line}");
    }
    let _ = write!(out, "<p class=\"where\"><span>{place}</span>");
    if let Some(path) = &problem.module_path {
        let _ = write!(out, " <span class=\"module\">{}</span>", escape(path, 160));
    }
    out.push_str("</p></header>\n");
    // The user can change the Python line, and not the text.
    if let Some(frame) = &problem.frame {
        python(&mut out, frame, problem.python.as_ref());
    }
    for part in &problem.quotes {
        let line = part.lines.first().map_or(0, |line| line.number);
        figure(&mut out, part, "text", &format!("line {line}"), None);
    }
    for note in &problem.notes {
        let _ = writeln!(out, "<p class=\"note\"><b>Note</b> {}</p>", sentence(note, SENTENCE));
    }
    if let Some(help) = &problem.help {
        let _ = writeln!(out, "<p class=\"help\"><b>Help</b> {}</p>", sentence(help, SENTENCE));
    }
    if problem.count > 1 {
        let lines: Vec<String> = problem.lines.iter().skip(1).map(usize::to_string).collect();
        let at = match (lines.len(), problem.lines.len() < problem.count) {
            (0, _) => String::new(),
            (1, false) => format!(", at line {}", lines[0]),
            (_, false) => format!(", at lines {}", lines.join(", ")),
            (_, true) => format!(", for example at lines {}", lines.join(", ")),
        };
        let _ = writeln!(out, "<p class=\"more\">and {} more like this{at}</p>", grouped(problem.count - 1));
    }
    out.push_str("</article>\n");
    out
}

/// The user's own line, quoted where its file is there.
fn python(out: &mut String, frame: &PythonFrame, quoted: Option<&Quote>) {
    let through = match frame.library_frames {
        0 => String::new(),
        1 => "through 1 frame of a library".to_owned(),
        count => format!("through {count} frames of libraries"),
    };
    if let Some(quoted) = quoted {
        let name = format!("{}:{}", frame.file, frame.line);
        figure(out, quoted, "python", &name, Some(&through));
        return;
    }
    let mut place = format!("{}:{}", escape(&frame.file, 160), frame.line);
    if let Some(function) = &frame.function {
        let _ = write!(place, " in {}", escape(function, 120));
    }
    let _ = write!(out, "<p class=\"python-place\"><b>Python</b> <code>{place}</code>");
    if !through.is_empty() {
        let _ = write!(out, ", {through}");
    }
    out.push_str("</p>\n");
}

/// Numbered lines of a text, with underlined places and labels.
fn figure(out: &mut String, quote: &Quote, class: &str, name: &str, beside: Option<&str>) {
    let kind = if class == "python" { "Python" } else { "StableHLO" };
    let _ = write!(out, "<figure class=\"quote {class}\"><figcaption><b>{kind}</b> {}", escape(name, 160));
    if let Some(beside) = beside.filter(|beside| !beside.is_empty()) {
        let _ = write!(out, "<span>{beside}</span>");
    }
    let last = quote.lines.last().map_or(0, |line| line.number);
    let width = last.to_string().len();
    let _ = write!(out, "</figcaption><pre tabindex=\"0\">");
    for line in &quote.lines {
        numbered(out, line, width);
    }
    out.push_str("</pre></figure>\n");
}

fn numbered(out: &mut String, line: &QuotedLine, width: usize) {
    let _ = write!(out, "<span class=\"number\">{:>width$}</span>", line.number);
    let mut at = 0;
    for mark in &line.marks {
        // Places that overlap an earlier one only get a label below the line.
        if mark.range.start < at {
            continue;
        }
        let before = line.text.get(at..mark.range.start).unwrap_or_default();
        let within = line.text.get(mark.range.clone()).unwrap_or_default();
        let class = if mark.primary { "primary" } else { "secondary" };
        push_code(out, before);
        let _ = write!(out, "<mark class=\"{class}\">");
        // A place between two characters is shown as a thin mark.
        push_code(out, if within.is_empty() { "\u{2009}" } else { within });
        out.push_str("</mark>");
        at = mark.range.end;
    }
    push_code(out, line.text.get(at..).unwrap_or_default());
    out.push('\n');
    for mark in line.marks.iter().filter(|mark| !mark.label.is_empty()) {
        let before = line.text.get(..mark.range.start).unwrap_or_default().replace('\t', TAB).chars().count();
        let _ = writeln!(
            out,
            "<span class=\"number\">{:width$}</span>{:before$}<span class=\"label {}\">╰ {}</span>",
            "",
            "",
            if mark.primary { "primary" } else { "secondary" },
            markup(&mark.label)
        );
    }
}

fn push_code(out: &mut String, code: &str) {
    out.push_str(&markup(&code.replace('\t', TAB)));
}
