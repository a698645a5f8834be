//! Paths of arguments and tensors, as lists of components.

use super::super::name_values;
use std::cmp::Ordering;

/// The components of a path separated by `/` or `.`, or in Python's indexing syntax: `['a']['b'][0].c`.
///
/// A key may contain separators (Haiku's `mlp/~/linear_0`), so they always separate, on both sides.
pub(super) fn parts(text: &str) -> Vec<String> {
    let separator = ['/', '.', '[', ']', '\'', '"'];
    text.split(separator).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Drops the trailing `value` that NNX variables have in JAX's paths and may lack in files.
pub(super) fn without_value(parts: &[String]) -> &[String] {
    match parts {
        [rest @ .., last] if last == "value" && !rest.is_empty() => rest,
        all => all,
    }
}

/// The order of JAX's trees: by component, with numbers compared as numbers.
pub(super) fn tree_order(x: &[String], y: &[String]) -> Ordering {
    let part = |(x, y): (&String, &String)| match (x.parse::<u64>(), y.parse::<u64>()) {
        (Ok(x), Ok(y)) => x.cmp(&y),
        _ => x.cmp(y),
    };
    let differing = x.iter().zip(y).map(part).find(|order| order.is_ne());
    differing.unwrap_or_else(|| x.len().cmp(&y.len()))
}

/// The path of an argument in the argument tree.
pub(super) struct ArgumentPath {
    /// For messages and names: `params/Dense_0/kernel`.
    pub(super) short: String,
    /// All components, including the root.
    pub(super) parts: Vec<String>,
    /// How many components identify the argument of the Python function: `variables`, or `args[0]`.
    pub(super) root: usize,
}

impl ArgumentPath {
    /// `None` for a name that is not a path.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let path = name_values::Path::parse(name)?;
        let number = |key: &&&str| key.bytes().all(|byte| byte.is_ascii_digit());
        let root = parts(path.root).len() + path.keys.iter().take_while(number).count();
        let all = parts(path.root).into_iter().chain(path.keys.iter().flat_map(|key| parts(key)));
        Some(Self { short: path.short(), parts: all.collect(), root })
    }

    /// Possible paths in a file, the most specific first: the whole path, without the root, and without the
    /// collection below the root (`params`).
    pub(super) fn forms(&self) -> impl Iterator<Item = &[String]> {
        let parts = without_value(&self.parts);
        (0..=self.root + 1).filter_map(move |from| parts.get(from..)).filter(|form| !form.is_empty())
    }

    /// The argument of the Python function that contains it; `None` if it is the whole argument.
    pub(super) fn tree(&self) -> Option<&[String]> {
        self.parts.split_at_checked(self.root).filter(|(_, below)| !below.is_empty()).map(|(root, _)| root)
    }
}

#[cfg(test)]
mod tests {
    use super::{ArgumentPath, parts, tree_order};

    fn forms(name: &str) -> Vec<String> {
        let path = ArgumentPath::parse(name);
        path.iter().flat_map(|path| path.forms()).map(|form| form.join("/")).collect()
    }

    #[test]
    fn separators_are_slashes_dots_and_indexes() {
        for text in ["layers/0/kernel", "layers.0.kernel", "['layers'][0].kernel", "layers[0]/kernel"] {
            assert_eq!(parts(text), ["layers", "0", "kernel"], "{text}");
        }
    }

    #[test]
    fn forms_lose_the_root_and_the_collection() {
        assert_eq!(
            forms("variables['params']['Dense_0']['kernel']"),
            ["variables/params/Dense_0/kernel", "params/Dense_0/kernel", "Dense_0/kernel"]
        );
        assert_eq!(forms("args[0]['params']['w']"), ["args/0/params/w", "0/params/w", "params/w", "w"]);
        assert_eq!(forms("state['layers'][2]['kernel'].value")[1], "layers/2/kernel");
        assert_eq!(forms("params['mlp/~/linear_0']['w']")[1], "mlp/~/linear_0/w");
        assert_eq!(forms("x"), ["x"]);
        assert_eq!(forms("jit(f)/add").len(), 0);
    }

    #[test]
    fn trees_are_ordered_part_by_part() {
        let order = |x, y| tree_order(&parts(x), &parts(y));
        assert!(order("a/b/c", "a_b/c").is_lt());
        assert!(order("layers/2/w", "layers/10/w").is_lt());
        assert!(order("Dense_10/w", "Dense_2/w").is_lt());
        assert!(order("a", "a/b").is_lt());
    }
}
