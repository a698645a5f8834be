//! The random bits of known keys and counters.

use super::Tensor;
use crate::ir::Element;
use crate::ops::random::{PARITY, ROTATIONS};
use ndarray::Zip;

/// What one element costs, in elements that are read or written.
pub(super) const WORK: usize = 8;

/// The two words of each element of `hlo2onnx.threefry2x32`, whose operands are the words of the key, and those of the
/// counters. Each may be a scalar.
pub(super) fn threefry2x32(operands: &[Tensor], largest: usize) -> Option<[Tensor; 2]> {
    let [first, second, x, y] = operands else { return None };
    let sizes = &operands.iter().max_by_key(|operand| operand.sizes.len())?.sizes;
    if sizes.iter().try_fold(1usize, |count, &size| count.checked_mul(size))? > largest {
        return None;
    }
    let [first, second, x, y] =
        [first.broadcast(sizes)?, second.broadcast(sizes)?, x.broadcast(sizes)?, y.broadcast(sizes)?];
    let mut words = [x.to_owned(), y.to_owned()];
    let [low, high] = &mut words;
    Zip::from(low).and(high).and(first).and(second).for_each(|x, y, &first, &second| {
        [*x, *y] = word_pair([first as u32, second as u32], [*x as u32, *y as u32]).map(i64::from);
    });
    Some(words.map(|word| Tensor::from_array(Element::U32, word)))
}

/// Threefry-2x32 of a key and a counter.
fn word_pair(key: [u32; 2], [x, y]: [u32; 2]) -> [u32; 2] {
    let keys = [key[0], key[1], key[0] ^ key[1] ^ PARITY];
    let (mut x, mut y) = (x.wrapping_add(keys[0]), y.wrapping_add(keys[1]));
    for group in 0..5 {
        for by in ROTATIONS[group % 2] {
            x = x.wrapping_add(y);
            y = y.rotate_left(by) ^ x;
        }
        x = x.wrapping_add(keys[(group + 1) % 3]);
        y = y.wrapping_add(keys[(group + 2) % 3]).wrapping_add(group as u32 + 1);
    }
    [x, y]
}

#[cfg(test)]
mod tests {
    use super::word_pair;

    /// The test vectors of the authors of the generator (Random123, `kat_vectors`).
    #[test]
    fn known_answers() {
        assert_eq!(word_pair([0, 0], [0, 0]), [0x6b20_0159, 0x99ba_4efe]);
        assert_eq!(word_pair([u32::MAX; 2], [u32::MAX; 2]), [0x1cb9_96fc, 0xbb00_2be7]);
        let (key, counter) = ([0x1319_8a2e, 0x0370_7344], [0x243f_6a88, 0x85a3_08d3]);
        assert_eq!(word_pair(key, counter), [0xc492_3a9c, 0x483d_f7a0]);
    }
}
