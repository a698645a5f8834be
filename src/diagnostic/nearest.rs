//! Suggestions for names that were probably mistyped.

/// The candidate that is nearest to `name`, when one is near enough to be what was meant.
///
/// Near enough is an edit distance (insertion, deletion, substitution, transposition of neighbors) of at
/// most a third of the name, and of at most four: long names that are built of the same words are near each other and
/// are not misspellings. Of several at the same distance the first one is taken.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let name: Vec<char> = name.chars().collect();
    let limit = (name.len() / 3).clamp(1, 4);
    let mut best: Option<(usize, &'c str)> = None;
    for candidate in candidates {
        let limit = best.map_or(limit, |(distance, _)| distance - 1);
        match distance(&name, candidate, limit) {
            Some(0) => return Some(candidate),
            Some(distance) => best = Some((distance, candidate)),
            None => {}
        }
    }
    best.map(|(_, candidate)| candidate)
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

/// The edit distance (optimal string alignment), or nothing when it is above the limit.
fn distance(name: &[char], candidate: &str, limit: usize) -> Option<usize> {
    // Names in hostile texts can be megabytes long; the length alone rules most candidates out.
    if candidate.len() > 4 * (name.len() + limit) {
        return None;
    }
    let candidate: Vec<char> = candidate.chars().collect();
    if name.len().abs_diff(candidate.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=candidate.len()).collect();
    for (i, &a) in name.iter().enumerate() {
        let mut row = Vec::with_capacity(above.len());
        row.push(i + 1);
        for (j, &b) in candidate.iter().enumerate() {
            let mut cost = (above[j] + usize::from(a != b)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a == candidate[j - 1] && name[i - 1] == b {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        if row.iter().all(|&cost| cost > limit) {
            return None;
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().filter(|&distance| distance <= limit)
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
