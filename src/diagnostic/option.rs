//! Options in messages, as the command line spells them, and as Python does.

use super::{Diagnostic, Diagnostics};

/// What an option of the command line is in Python.
#[derive(Clone, Copy)]
enum ArgumentKind {
    /// `--strict-nan` is `strict_nan=True`.
    Truth,
    /// `--opset 23` is `opset=23`.
    Number,
    /// `--weights-prefix params` is `weights_prefix="params"`.
    Text,
    /// `--dynamic x:0=batch` is `dynamic=["x:0=batch"]`.
    List,
    /// `--dim B=8` is `dims={"B": 8}`.
    Numbers,
    /// `--rename FROM=TO` is `renames=[("FROM", "TO")]`.
    Pairs,
}

/// The command-line options that messages name, and the matching Python arguments.
const OPTIONS: &[(&str, &str, ArgumentKind)] = &[
    ("--dim", "dims", ArgumentKind::Numbers),
    ("--dynamic", "dynamic", ArgumentKind::List),
    ("--external-data", "external_data", ArgumentKind::Text),
    ("--input-names", "input_names", ArgumentKind::List),
    ("--inputs-as-nchw", "inputs_as_nchw", ArgumentKind::List),
    ("--max-folded", "max_folded", ArgumentKind::Number),
    ("--max-ops", "max_ops", ArgumentKind::Number),
    ("--opset", "opset", ArgumentKind::Number),
    ("--output", "output_path", ArgumentKind::Text),
    ("--output-names", "output_names", ArgumentKind::List),
    ("--outputs-as-nchw", "outputs_as_nchw", ArgumentKind::List),
    ("--rename", "renames", ArgumentKind::Pairs),
    ("--strict-nan", "strict_nan", ArgumentKind::Truth),
    ("--target", "target", ArgumentKind::Text),
    ("--weights", "weights", ArgumentKind::List),
    ("--weights-by-order", "weights_by_order", ArgumentKind::Truth),
    ("--weights-prefix", "weights_prefix", ArgumentKind::Text),
];

impl Diagnostics {
    /// Spells the options in all messages as Python arguments.
    pub fn spell_options_for_python(&mut self) {
        self.iter_mut().for_each(Diagnostic::spell_options_for_python);
    }
}

impl Diagnostic {
    fn spell_options_for_python(&mut self) {
        let labels = self.labels.iter_mut().map(|label| &mut label.text);
        for text in [&mut self.message].into_iter().chain(&mut self.help).chain(&mut self.notes).chain(labels)
        {
            if text.contains("`--") {
                *text = for_python(text);
            }
        }
    }
}

/// The text with its options in Python's syntax. An option is in backticks, alone or with its value.
fn for_python(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(place, part)| match place % 2 {
        1 => argument(part).unwrap_or_else(|| part.to_owned()),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<String>>().join("`")
}

/// The argument that an option with or without a value is; `None` for any other code.
fn argument(code: &str) -> Option<String> {
    let (option, value) = match code.split_once([' ', '=']) {
        Some((option, value)) => (option, Some(value)),
        None => (code, None),
    };
    let &(_, name, kind) = OPTIONS.iter().find(|(known, ..)| *known == option)?;
    let pair = value.and_then(|value| value.split_once('='));
    Some(match (kind, value, pair) {
        (ArgumentKind::Truth, ..) => format!("{name}=True"),
        (_, None, _) => format!("{name}="),
        (ArgumentKind::Number, Some(value), _) => format!("{name}={value}"),
        (ArgumentKind::Numbers, _, Some((key, number))) => format!("{name}={{\"{key}\": {number}}}"),
        (ArgumentKind::Pairs, _, Some((from, to))) => format!("{name}=[(\"{from}\", \"{to}\")]"),
        (ArgumentKind::List, Some(value), _) => format!("{name}=[\"{value}\"]"),
        (ArgumentKind::Text | ArgumentKind::Numbers | ArgumentKind::Pairs, Some(value), _) => {
            format!("{name}=\"{value}\"")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::for_python;

    #[test]
    fn options_with_and_without_values() {
        let cases = [
            ("`--inputs-as-nchw` does not fit", "`inputs_as_nchw=` does not fit"),
            ("raise it with `--max-ops N`, or not", "raise it with `max_ops=N`, or not"),
            ("give `--dim NAME=SIZE`", "give `dims={\"NAME\": SIZE}`"),
            ("`--rename FROM=TO`", "`renames=[(\"FROM\", \"TO\")]`"),
            ("`--weights-prefix P` and `--strict-nan`", "`weights_prefix=\"P\"` and `strict_nan=True`"),
            ("`--external-data auto`", "`external_data=\"auto\"`"),
            ("`--opset` or `--opset 23`", "`opset=` or `opset=23`"),
            // Options of other commands stay.
            ("`stablehlo-translate --deserialize`", "`stablehlo-translate --deserialize`"),
            ("`hlo2onnx opt --passes`", "`hlo2onnx opt --passes`"),
        ];
        for (text, wanted) in cases {
            assert_eq!(for_python(text), wanted);
        }
    }
}
