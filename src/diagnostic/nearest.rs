//! Suggestions for names that were probably mistyped.

/// The names of hostile texts can have megabytes, and the time of a comparison grows with the square of the length.
const LONGEST: usize = 256;

/// The candidate most similar to `name`, if it is similar enough to be a typo.
///
/// Near enough is an edit distance (insertion, deletion, substitution, transposition of neighbors) of at
/// most a third of the name, and of at most four: long names that are built of the same words are near each other and
/// are not misspellings. Of several at the same distance the first one is taken.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let length = name.chars().count();
    let limit = (length / 3).clamp(1, 4);
    let comparable = |candidate: &&str| {
        length <= LONGEST
            && candidate.len() <= 4 * LONGEST
            && candidate.chars().count().abs_diff(length) <= limit
    };
    let candidates = candidates.into_iter().filter(comparable);
    let distances = candidates.map(|candidate| (strsim::osa_distance(name, candidate), candidate));
    distances
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, near)| near)
}

/// The op that a misspelled name was meant for: one that another dialect has, or one with a near name in the dialect that
/// is nearest.
pub fn nearest_op<'c>(name: &str, ops: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let (dialect, mnemonic) = name.split_once('.')?;
    let known: Vec<(&str, &str, &'c str)> = ops
        .into_iter()
        .filter_map(|op| op.split_once('.').map(|(dialect, mnemonic)| (dialect, mnemonic, op)))
        .collect();
    if known.iter().any(|&(.., op)| op == name) {
        return None;
    }
    let near = nearest(dialect, known.iter().map(|&(dialect, ..)| dialect))?;
    if let Some((.., op)) = known.iter().find(|(_, other, _)| *other == mnemonic) {
        return Some(op);
    }
    let known = || known.iter().filter(|(dialect, ..)| *dialect == near);
    let mnemonic = nearest(mnemonic, known().map(|(_, mnemonic, _)| *mnemonic))?;
    known().find(|(_, other, _)| *other == mnemonic).map(|(.., op)| *op)
}

#[cfg(test)]
mod tests {
    use super::{nearest, nearest_op};

    const OPS: [&str; 5] =
        ["stablehlo.add", "stablehlo.and", "stablehlo.dot_general", "stablehlo.tanh", "stablehlo.tan"];

    #[test]
    fn one_letter_off() {
        assert_eq!(nearest("stablehlo.dot_genral", OPS), Some("stablehlo.dot_general"));
    }

    #[test]
    fn an_op_of_another_dialect() {
        const OPS: [&str; 4] = ["chlo.sinh", "stablehlo.add", "stablehlo.sine", "sdy.mesh"];
        assert_eq!(nearest_op("stablehlo.sinh", OPS), Some("chlo.sinh"));
        assert_eq!(nearest_op("stablehlo.ad", OPS), Some("stablehlo.add"));
        assert_eq!(nearest_op("stablehl.add", OPS), Some("stablehlo.add"));
        assert_eq!(nearest_op("stablehlo.add", OPS), None);
        assert_eq!(nearest_op("shape.add", OPS), None);
    }

    #[test]
    fn transposed_letters_count_once() {
        assert_eq!(nearest("stablehlo.tnah", OPS), Some("stablehlo.tanh"));
    }

    #[test]
    fn the_exact_name_wins_over_an_earlier_near_one() {
        assert_eq!(nearest("stablehlo.tan", OPS), Some("stablehlo.tan"));
    }

    #[test]
    fn nothing_is_near() {
        assert_eq!(nearest("x", ["forward", "main"]), None);
        assert_eq!(nearest("", []), None);
        assert_eq!(nearest("encode", ["decoder_block", "loss"]), None);
    }

    #[test]
    fn the_first_of_equals() {
        assert_eq!(nearest("f3", ["f1", "f2"]), Some("f1"));
    }
}
