//! Diagnostics as a SARIF log (Static Analysis Results Interchange Format, OASIS standard, version 2.1.0), which code
//! hosts and editors read: `--format sarif`.
//!
//! Every diagnostic is a result. Its location is the place in the MLIR text, with the Flax module path as logical
//! location; its related locations are further labels and the user's Python line. The rules are the catalog entries
//! that occur, with their manual pages as help.

use super::{Code, Diagnostic, Diagnostics, Label, Severity};
use crate::source::{Source, Span};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Where the schema of the format is published.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// A log that grows file by file: one run of the compiler over one or more texts.
#[derive(Clone, Debug, Default)]
pub struct Log {
    rules: Vec<Code>,
    results: Vec<Value>,
}

impl Log {
    /// A log without results.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the diagnostics of one text, in the order of the text.
    pub fn add(&mut self, diagnostics: &Diagnostics, source: &Source) {
        for diagnostic in diagnostics.sorted() {
            let rule = self.rule(diagnostic.code());
            self.results.push(result(diagnostic, rule, source));
        }
    }

    fn rule(&mut self, code: Code) -> usize {
        let known = self.rules.iter().position(|&rule| rule == code);
        known.unwrap_or_else(|| {
            self.rules.push(code);
            self.rules.len() - 1
        })
    }
}

impl Serialize for Log {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rules: Vec<Value> = self.rules.iter().map(|&code| rule(code)).collect();
        let driver = json!({
            "name": env!("CARGO_PKG_NAME"),
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": rules,
        });
        let run = json!({
            "tool": { "driver": driver },
            "columnKind": "unicodeCodePoints",
            "results": self.results,
        });
        json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run] }).serialize(serializer)
    }
}

/// Advice is a note: nothing is wrong.
fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "note",
    }
}

fn rule(code: Code) -> Value {
    let page = code.explanation();
    json!({
        "id": code.as_str(),
        "name": code.name(),
        "shortDescription": { "text": code.summary() },
        "help": { "text": page, "markdown": page },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

fn result(diagnostic: &Diagnostic, rule: usize, source: &Source) -> Value {
    let mut result = Map::new();
    result.insert("ruleId".into(), diagnostic.code().as_str().into());
    result.insert("ruleIndex".into(), rule.into());
    result.insert("level".into(), level(diagnostic.severity()).into());
    result.insert("message".into(), json!({ "text": text(diagnostic) }));
    result.insert("locations".into(), json!([location(diagnostic, source)]));
    let mut related: Vec<Value> =
        diagnostic.labels.iter().skip(1).map(|label| place(label, source)).collect();
    related.extend(python(diagnostic));
    if !related.is_empty() {
        for (id, location) in related.iter_mut().enumerate() {
            location["id"] = id.into();
        }
        result.insert("relatedLocations".into(), related.into());
    }
    Value::Object(result)
}

/// The message with the help, because viewers show nothing else at first.
fn text(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.message.clone();
    let help = diagnostic.help.iter().map(|help| format!("help: {help}"));
    for line in diagnostic.notes.iter().map(|note| format!("note: {note}")).chain(help) {
        text.push('\n');
        text.push_str(&line);
    }
    text
}

/// The primary place, or the whole file.
fn location(diagnostic: &Diagnostic, source: &Source) -> Value {
    let mut location = match diagnostic.labels.first() {
        Some(label) => place(label, source),
        None => json!({ "physicalLocation": { "artifactLocation": { "uri": uri(source.name()) } } }),
    };
    if let Some(path) = &diagnostic.module_path {
        let name = path.rsplit('/').next().unwrap_or(path);
        location["logicalLocations"] =
            json!([{ "name": name, "fullyQualifiedName": path, "kind": "module" }]);
    }
    location
}

fn place(label: &Label, source: &Source) -> Value {
    let mut place = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(source.name()) },
            "region": region(label.span, source),
        }
    });
    if !label.text.is_empty() {
        place["message"] = json!({ "text": label.text });
    }
    place
}

fn region(span: Span, source: &Source) -> Value {
    let (start, end) = (source.line_column(span.start).0, source.line_column(span.end).0);
    json!({
        "startLine": start,
        "startColumn": column(span.start, source),
        "endLine": end,
        "endColumn": column(span.end, source),
        "byteOffset": span.start,
        "byteLength": span.len(),
    })
}

/// The column, from 1, in characters. Literals are ASCII and may be most of the file, so they are not counted byte by
/// byte.
fn column(offset: usize, source: &Source) -> usize {
    let (_, column) = source.line_column(offset);
    let mut at = offset - (column - 1);
    let mut characters = 1;
    let is_start = |byte: &&u8| **byte & 0xC0 != 0x80;
    let count = |from: usize, to: usize| {
        source.bytes().get(from..to).map_or(0, |bytes| bytes.iter().filter(is_start).count())
    };
    let literals = source.literals();
    let first = literals.partition_point(|literal| literal.start < at);
    for literal in literals[first..].iter().take_while(|literal| literal.end <= offset) {
        characters += count(at, literal.start) + literal.len();
        at = literal.end;
    }
    characters + count(at, offset)
}

fn python(diagnostic: &Diagnostic) -> Option<Value> {
    let frame = diagnostic.python.as_ref()?;
    let mut region = Map::new();
    region.insert("startLine".into(), frame.line.max(1).into());
    if frame.column > 0 {
        region.insert("startColumn".into(), frame.column.into());
        if let Some(end) = frame.end_column.filter(|&end| end >= frame.column) {
            region.insert("endColumn".into(), end.into());
        }
    }
    let message = match &frame.function {
        Some(function) => format!("comes from this Python line, in {function}"),
        None => "comes from this Python line".to_owned(),
    };
    Some(json!({
        "physicalLocation": { "artifactLocation": { "uri": uri(&frame.file) }, "region": region },
        "message": { "text": message },
    }))
}

/// A path as a URI reference (RFC 3986): relative ones stay relative.
fn uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let is_drive = path.as_bytes().get(1) == Some(&b':');
    let mut uri = String::from(if path.starts_with('/') {
        "file://"
    } else if is_drive {
        "file:///"
    } else {
        ""
    });
    for &byte in path.as_bytes() {
        let unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/');
        if unreserved || (is_drive && byte == b':') {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::PythonFrame;
    use crate::diagnostic::catalog::{NoLocations, RedefinedValue, UnsupportedOp};

    fn log() -> Value {
        let text = "module {\n  é %0 \"ab\" %0\n}\n";
        let source = Source::from_bytes("my model.mlir", text.as_bytes().to_vec());
        let at = |nth: usize| {
            let (start, _) = text.match_indices("%0").nth(nth).expect("it is there");
            Span::new(start, start + 2)
        };
        let mut diagnostic: Diagnostic = RedefinedValue { name: "%0", at: at(1), first: at(0) }.into();
        diagnostic.module_path = Some("Net/Dense_0".into());
        diagnostic.python = Some(PythonFrame {
            file: "/src/model.py".into(),
            line: 42,
            column: 5,
            end_column: Some(9),
            function: Some("Net.__call__".into()),
            library_frames: 2,
            libraries: vec!["flax".into()],
        });
        let mut diagnostics = Diagnostics::from(vec![diagnostic]);
        diagnostics.push(NoLocations {});
        diagnostics.push(UnsupportedOp { op: "a.b", at: at(0) });
        let mut log = Log::new();
        log.add(&diagnostics, &source);
        log.add(&diagnostics, &source);
        serde_json::to_value(log).expect("plain data serializes")
    }

    /// The constraints of the published schema on this output: required properties, `additionalProperties: false`,
    /// enums, and lower bounds.
    fn check(value: &Value, schema: &str) {
        let (known, required): (&[&str], &[&str]) = match schema {
            "log" => (&["$schema", "version", "runs"], &["version", "runs"]),
            "run" => (&["tool", "columnKind", "results"], &["tool"]),
            "driver" => (&["name", "semanticVersion", "rules"], &["name"]),
            "rule" => (&["id", "name", "shortDescription", "help", "defaultConfiguration"], &["id"]),
            "result" => {
                (&["ruleId", "ruleIndex", "level", "message", "locations", "relatedLocations"], &["message"])
            }
            "location" => (&["id", "physicalLocation", "logicalLocations", "message"], &[]),
            "region" => {
                (&["startLine", "startColumn", "endLine", "endColumn", "byteOffset", "byteLength"], &[])
            }
            // Anything not listed is forbidden, so that the assertions below fail.
            _ => (&[], &["listed"]),
        };
        let object = value.as_object().expect("an object");
        assert!(object.keys().all(|key| known.contains(&key.as_str())), "{schema}: {object:?}");
        assert!(required.iter().all(|key| object.contains_key(*key)), "{schema}: {object:?}");
    }

    fn check_location(location: &Value) {
        check(location, "location");
        let physical = &location["physicalLocation"];
        let uri = physical["artifactLocation"]["uri"].as_str().expect("a URI");
        assert!(uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&byte)), "{uri}");
        if let Some(region) = physical.get("region") {
            check(region, "region");
            for key in ["startLine", "startColumn", "endLine", "endColumn"] {
                assert!(region.get(key).is_none_or(|value| value.as_u64() >= Some(1)), "{region}");
            }
        }
        if let Some(message) = location.get("message") {
            assert!(message["text"].as_str().is_some_and(|text| !text.is_empty()));
        }
    }

    #[test]
    fn the_log_keeps_to_the_schema() {
        let log = log();
        check(&log, "log");
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        check(run, "run");
        assert!(["utf16CodeUnits", "unicodeCodePoints"].iter().any(|kind| run["columnKind"] == *kind));
        let driver = &run["tool"]["driver"];
        check(driver, "driver");
        let rules = driver["rules"].as_array().expect("rules");
        assert_eq!(rules.len(), 3, "each rule once, though there are two files");
        for rule in rules {
            check(rule, "rule");
            assert!(rule["help"]["text"].as_str().is_some_and(|help| help.contains("What to do: ")));
        }
        let results = run["results"].as_array().expect("results");
        assert_eq!(results.len(), 6);
        for result in results {
            check(result, "result");
            assert!(["none", "note", "warning", "error"].iter().any(|level| result["level"] == *level));
            let rule = result["ruleIndex"].as_u64().expect("an index") as usize;
            assert_eq!(rules[rule]["id"], result["ruleId"]);
            result["locations"].as_array().expect("locations").iter().for_each(check_location);
            let related = result.get("relatedLocations").and_then(Value::as_array);
            let related = related.map(Vec::as_slice).unwrap_or_default();
            related.iter().for_each(check_location);
            let ids: std::collections::BTreeSet<_> =
                related.iter().map(|place| place["id"].as_u64()).collect();
            assert_eq!(ids.len(), related.len(), "the identifiers are unique");
        }
    }

    #[test]
    fn both_places_are_told() {
        let log = log();
        let results = log["runs"][0]["results"].as_array().expect("results");
        let result = results.iter().find(|result| result["ruleId"] == "E0102").expect("it is there");
        assert_eq!(result["ruleId"], "E0102");
        let place = &result["locations"][0];
        assert_eq!(place["physicalLocation"]["artifactLocation"]["uri"], "my%20model.mlir");
        // The column is one of characters, the offset one of bytes.
        let region = &place["physicalLocation"]["region"];
        assert_eq!((&region["startLine"], &region["startColumn"]), (&json!(2), &json!(13)));
        assert_eq!((&region["byteOffset"], &region["byteLength"]), (&json!(22), &json!(2)));
        assert_eq!(place["logicalLocations"][0]["fullyQualifiedName"], "Net/Dense_0");
        assert_eq!(place["logicalLocations"][0]["kind"], "module");
        assert_eq!(result["relatedLocations"][0]["message"]["text"], "first defined here");
        let python = &result["relatedLocations"][1];
        assert_eq!(python["physicalLocation"]["artifactLocation"]["uri"], "file:///src/model.py");
        assert_eq!(
            python["physicalLocation"]["region"],
            json!({ "startLine": 42, "startColumn": 5, "endColumn": 9 })
        );
    }

    #[test]
    fn a_fault_without_a_place_is_about_the_file() {
        let log = log();
        let results = log["runs"][0]["results"].as_array().expect("results");
        let result = results.iter().find(|result| result["ruleId"] == "A0601").expect("it is there");
        assert_eq!(result["level"], json!("note"));
        assert_eq!(
            result["locations"][0],
            json!({ "physicalLocation": { "artifactLocation": { "uri": "my%20model.mlir" } } })
        );
    }
}
