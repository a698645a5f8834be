//! The text as the page shows it: long literals are shortened, and places are offsets in UTF-16, as in JavaScript.

use hlo2onnx::source::{Source, Span};
use serde::Serialize;
use std::ops::Range;

/// Longer literals are shortened.
const LITERAL: usize = 64;

/// Digits that a shortened literal still shows.
const DIGITS: usize = 8;

/// The text to show.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pane {
    text: String,
    /// Whether literals are shortened, so that the text must not be edited.
    elided: bool,
    /// Whether the file is bytecode.
    disassembled: bool,
    /// The length of the program in bytes.
    bytes: usize,
    /// Offsets where the two texts go apart: in the program, and in `text`.
    #[serde(skip)]
    anchors: Vec<(usize, usize)>,
}

impl Pane {
    /// The pane of a program.
    pub fn of(source: &Source) -> Self {
        let bytes = source.bytes();
        let mut pane = Self {
            text: String::with_capacity(bytes.len().min(1 << 24)),
            elided: false,
            disassembled: source.is_disassembled(),
            bytes: bytes.len(),
            anchors: Vec::new(),
        };
        let mut units = 0;
        let mut at = 0;
        for literal in source.literals().iter().filter(|literal| literal.len() > LITERAL) {
            pane.push(bytes, at..literal.start + DIGITS, &mut units);
            pane.push_unit('…', literal.start + DIGITS, &mut units);
            pane.elided = true;
            at = literal.end;
        }
        pane.push(bytes, at..bytes.len(), &mut units);
        pane.anchors.push((bytes.len(), units));
        pane
    }

    fn push(&mut self, bytes: &[u8], range: Range<usize>, units: &mut usize) {
        let (mut at, end) = (range.start, range.end);
        self.anchors.push((at, *units));
        while at < end {
            let chunk = bytes[at..end].utf8_chunks().next();
            let Some(chunk) = chunk else { break };
            let valid = chunk.valid();
            if valid.is_ascii() {
                self.text.push_str(valid);
                *units += valid.len();
            } else {
                for (offset, character) in valid.char_indices() {
                    // Only characters that differ in length need an anchor after them.
                    self.text.push(character);
                    *units += character.len_utf16();
                    if character.len_utf8() != character.len_utf16() {
                        self.anchors.push((at + offset + character.len_utf8(), *units));
                    }
                }
            }
            at += valid.len();
            if !chunk.invalid().is_empty() {
                self.push_unit(char::REPLACEMENT_CHARACTER, at, units);
                at += chunk.invalid().len();
                self.anchors.push((at, *units));
            }
        }
    }

    /// A character that stands for bytes of the program.
    fn push_unit(&mut self, character: char, at: usize, units: &mut usize) {
        self.anchors.push((at, *units));
        self.text.push(character);
        *units += character.len_utf16();
    }

    /// The places of a span in `text`.
    pub fn range(&self, span: Span) -> Range<usize> {
        self.offset(span.start)..self.offset(span.end)
    }

    fn offset(&self, at: usize) -> usize {
        let next = self.anchors.partition_point(|&(anchor, _)| anchor <= at);
        let (anchor, units) = next.checked_sub(1).map_or((0, 0), |last| self.anchors[last]);
        let after = self.anchors.get(next).map_or(usize::MAX, |&(_, units)| units);
        (units + (at - anchor)).min(after)
    }
}

#[cfg(test)]
mod tests {
    use super::Pane;
    use hlo2onnx::source::{Source, Span};

    fn shown(text: &str, part: &str) -> (String, bool) {
        let source = Source::from_bytes("text", text.into());
        let pane = Pane::of(&source);
        let start = text.find(part).expect("the part is in the text");
        let range = pane.range(Span::new(start, start + part.len()));
        let units: Vec<u16> = pane.text.encode_utf16().collect();
        (String::from_utf16_lossy(&units[range]), pane.elided)
    }

    #[test]
    fn places_are_those_of_javascript() {
        assert_eq!(shown("%0 = stablehlo.add %a, %a", "stablehlo.add"), ("stablehlo.add".into(), false));
        assert_eq!(
            shown("// größe 👍 x\n%0 = stablehlo.add", "stablehlo.add"),
            ("stablehlo.add".into(), false)
        );
    }

    #[test]
    fn long_literals_are_shortened() {
        let digits = "3F800000".repeat(100);
        let text = format!(
            "%c = stablehlo.constant dense<\"0x{digits}\"> : tensor<100xf32>\n%1 = stablehlo.tanh %c"
        );
        assert_eq!(shown(&text, "stablehlo.tanh"), ("stablehlo.tanh".into(), true));
        assert_eq!(shown(&text, "tensor<100xf32>"), ("tensor<100xf32>".into(), true));
    }

    #[test]
    fn bytes_that_are_not_text_are_replaced() {
        let source = Source::from_bytes("text", b"a\xff\xfeb".to_vec());
        let pane = Pane::of(&source);
        assert_eq!(pane.text, "a\u{fffd}\u{fffd}b");
        assert_eq!(pane.range(Span::new(3, 4)), 3..4);
    }
}
