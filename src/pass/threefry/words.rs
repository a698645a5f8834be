//! Words of 32 bits as terms of arguments, in a normal form: equal terms are the same number, whatever the words.

use rustc_hash::FxHashMap;

/// Handle of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct WordId(u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Word {
    Argument(usize),
    /// The sum of terms and a number, modulo 2^32.
    Sum(Vec<WordId>, u32),
    /// The exclusive or of terms and a number.
    Xor(Vec<WordId>, u32),
    Left(WordId, u32),
    Right(WordId, u32),
    /// Rotated to the left.
    Rotated(WordId, u32),
}

/// The terms so far.
#[derive(Default)]
pub(super) struct Words {
    terms: Vec<Word>,
    ids: FxHashMap<Word, WordId>,
}

impl Words {
    fn term(&mut self, term: Word) -> WordId {
        if let Some(&id) = self.ids.get(&term) {
            return id;
        }
        let id = WordId(self.terms.len() as u32);
        self.terms.push(term.clone());
        self.ids.insert(term, id);
        id
    }

    /// An argument by its index.
    pub(super) fn argument(&mut self, index: usize) -> WordId {
        self.term(Word::Argument(index))
    }

    /// A number.
    pub(super) fn number(&mut self, number: u32) -> WordId {
        self.term(Word::Sum(Vec::new(), number))
    }

    fn known(&self, id: WordId) -> Option<u32> {
        match &self.terms[id.0 as usize] {
            Word::Sum(terms, number) if terms.is_empty() => Some(*number),
            _ => None,
        }
    }

    /// `a + b`.
    pub(super) fn sum(&mut self, a: WordId, b: WordId) -> WordId {
        if let Some(rotated) = self.rotated(a, b) {
            return rotated;
        }
        let (mut all, mut total) = (Vec::new(), 0u32);
        for id in [a, b] {
            match &self.terms[id.0 as usize] {
                Word::Sum(terms, number) => {
                    all.extend_from_slice(terms);
                    total = total.wrapping_add(*number);
                }
                _ => all.push(id),
            }
        }
        all.sort_unstable();
        match all[..] {
            [only] if total == 0 => only,
            _ => self.term(Word::Sum(all, total)),
        }
    }

    /// `a ^ b`.
    pub(super) fn xor(&mut self, a: WordId, b: WordId) -> WordId {
        if let Some(rotated) = self.rotated(a, b) {
            return rotated;
        }
        let (mut all, mut total) = (Vec::new(), 0u32);
        for id in [a, b] {
            match (self.known(id), &self.terms[id.0 as usize]) {
                (Some(number), _) => total ^= number,
                (None, Word::Xor(terms, number)) => {
                    all.extend_from_slice(terms);
                    total ^= number;
                }
                _ => all.push(id),
            }
        }
        all.sort_unstable();
        // Two equal terms cancel.
        let mut odd: Vec<WordId> = Vec::new();
        for id in all {
            if odd.last() == Some(&id) {
                odd.pop();
            } else {
                odd.push(id);
            }
        }
        match odd[..] {
            [] => self.number(total),
            [only] if total == 0 => only,
            _ => self.term(Word::Xor(odd, total)),
        }
    }

    /// `a | b`, if their bits do not overlap in a known way.
    pub(super) fn or(&mut self, a: WordId, b: WordId) -> Option<WordId> {
        self.rotated(a, b)
    }

    /// The parts of a word that was shifted out to the left and came back on the right.
    fn rotated(&mut self, a: WordId, b: WordId) -> Option<WordId> {
        let pair = (&self.terms[a.0 as usize], &self.terms[b.0 as usize]);
        let ((&Word::Left(word, left), &Word::Right(other, right))
        | (&Word::Right(other, right), &Word::Left(word, left))) = pair
        else {
            return None;
        };
        (word == other && left + right == 32).then(|| self.term(Word::Rotated(word, left)))
    }

    /// The word shifted to the left.
    pub(super) fn left(&mut self, word: WordId, by: u32) -> Option<WordId> {
        (1..32).contains(&by).then(|| self.term(Word::Left(word, by)))
    }

    /// The word shifted to the right.
    pub(super) fn right(&mut self, word: WordId, by: u32) -> Option<WordId> {
        (1..32).contains(&by).then(|| self.term(Word::Right(word, by)))
    }

    /// The results of Threefry-2x32 for two words of a key and two of a counter.
    pub(super) fn threefry2x32(&mut self, [first, second, x, y]: [WordId; 4]) -> [WordId; 2] {
        let parity = self.number(crate::ops::THREEFRY_PARITY);
        let third = self.xor(first, second);
        let keys = [first, second, self.xor(third, parity)];
        let (mut x, mut y) = (self.sum(x, first), self.sum(y, second));
        for group in 0..5 {
            for by in crate::ops::THREEFRY_ROTATIONS[group % 2] {
                x = self.sum(x, y);
                let rotated = self.term(Word::Rotated(y, by));
                y = self.xor(rotated, x);
            }
            x = self.sum(x, keys[(group + 1) % 3]);
            y = self.sum(y, keys[(group + 2) % 3]);
            let number = self.number(group as u32 + 1);
            y = self.sum(y, number);
        }
        [x, y]
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn sums_and_exclusive_ors_have_one_form() {
        let mut words = Words::default();
        let [a, b, c] = [0, 1, 2].map(|index| words.argument(index));
        let one = words.number(1);
        let (left, right) = (words.sum(a, b), words.sum(one, b));
        let (left, right) = (words.sum(left, one), words.sum(a, right));
        assert_eq!(left, right);
        let both = words.xor(a, b);
        let again = words.xor(both, a);
        assert_eq!(again, b);
        let other = words.xor(both, c);
        assert_ne!(other, both);
        let nothing = words.xor(c, c);
        assert_eq!(nothing, words.number(0));
    }

    #[test]
    fn shifts_that_add_up_are_a_rotation() {
        let mut words = Words::default();
        let word = words.argument(0);
        let (left, right) = (words.left(word, 13).unwrap_or(word), words.right(word, 19).unwrap_or(word));
        let rotated = words.or(left, right);
        assert!(rotated.is_some());
        assert_eq!(rotated, Some(words.sum(right, left)));
        let other = words.right(word, 18).unwrap_or(word);
        assert_eq!(words.or(left, other), None);
        assert_eq!(words.left(word, 32), None);
    }
}
