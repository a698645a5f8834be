//! Matches arguments with tensors.

use super::path::{ArgumentPath, parts, tree_order, without_value};
use super::{Offer, Pairing};
use crate::diagnostic::{Diagnostics, catalog};
use crate::source::Span;
use crate::weights::Weights;
use rustc_hash::{FxHashMap, FxHashSet};

/// Binds the sorted tensors of each file to the first arguments.
pub(super) fn by_order(offers: &[Offer], arguments: usize, diagnostics: &mut Diagnostics) -> Pairing {
    if offers.len() > arguments {
        diagnostics.push(catalog::TooManyWeights { tensors: offers.len(), arguments });
        return Pairing::new();
    }
    let mut order: Vec<usize> = (0..offers.len()).collect();
    // The offers of a file are adjacent.
    for file in order.chunk_by_mut(|&x, &y| std::ptr::eq(offers[x].file, offers[y].file)) {
        file.sort_by(|&x, &y| tree_order(&offers[x].path, &offers[y].path));
    }
    order.into_iter().enumerate().collect()
}

/// An argument that claims a tensor.
struct Claim {
    argument: usize,
    /// Which form of the argument's path equals the tensor's; lower is more specific.
    form: usize,
}

/// Binds arguments to tensors by path, and reports unmatched ones.
pub(super) fn by_path(
    weights: &Weights,
    offers: &[Offer],
    paths: &[Option<ArgumentPath>],
    spans: &[Span],
    diagnostics: &mut Diagnostics,
) -> Pairing {
    if paths.iter().all(Option::is_none) && !paths.is_empty() && !offers.is_empty() {
        diagnostics.push(catalog::NoWeightNames {});
        return Pairing::new();
    }
    let mut by_path: FxHashMap<&[String], Vec<usize>> = FxHashMap::default();
    for (index, offer) in offers.iter().enumerate() {
        by_path.entry(without_value(&offer.path)).or_default().push(index);
    }
    let mut claims: Vec<Vec<Claim>> = offers.iter().map(|_| Vec::new()).collect();
    for (argument, path) in paths.iter().enumerate() {
        let Some(path) = path else { continue };
        let found = path.forms().enumerate().find_map(|(form, parts)| Some((form, by_path.get(parts)?)));
        let Some((form, candidates)) = found else { continue };
        match candidates[..] {
            [offer] => claims[offer].push(Claim { argument, form }),
            _ => {
                let tensor = |&offer: &usize| {
                    let Offer { file, tensor, .. } = &offers[offer];
                    format!("`{}` of `{}`", tensor.name, file.name)
                };
                let candidates: Vec<String> = candidates.iter().map(tensor).collect();
                let why = format!("{} match its path", candidates.join(" and "));
                let (argument, at) = (&*path.short, spans[argument]);
                diagnostics.push(catalog::AmbiguousWeight { argument, why: &why, at });
            }
        }
    }
    let mut plan = Pairing::new();
    for (index, claims) in claims.iter().enumerate() {
        let Some(best) = claims.iter().map(|claim| claim.form).min() else { continue };
        let mut best = claims.iter().filter(|claim| claim.form == best);
        let (Some(first), rest) = (best.next(), best.collect::<Vec<_>>()) else { continue };
        for other in &rest {
            let Some(path) = &paths[other.argument] else { continue };
            let Some(sibling) = &paths[first.argument] else { continue };
            let why = format!("`{}` also fits `{}`", offers[index].tensor.name, sibling.parts.join("/"));
            let (argument, at) = (&*path.parts.join("/"), spans[other.argument]);
            diagnostics.push(catalog::AmbiguousWeight { argument, why: &why, at });
        }
        if rest.is_empty() {
            plan.push((first.argument, index));
        }
    }
    plan.sort_unstable();
    report_left(weights, offers, paths, spans, &plan, diagnostics);
    plan
}

/// The help about `--weights-prefix` if tensor paths do not match arguments: the prefix that matches the most
/// tensors. `None` if there is none, or a tie.
pub(super) fn fitting_prefix(weights: &Weights, paths: &[Option<ArgumentPath>]) -> Option<String> {
    let forms: FxHashSet<&[String]> = paths.iter().flatten().flat_map(ArgumentPath::forms).collect();
    let mut fitting: FxHashMap<Vec<String>, usize> = FxHashMap::default();
    for tensor in weights.files.iter().flat_map(|file| &file.tensors) {
        let path = parts(&tensor.name);
        let path = without_value(&path);
        // The longest rest is the most specific.
        if let Some(split) = (0..path.len()).find(|&split| forms.contains(&path[split..])) {
            *fitting.entry(path[..split].to_vec()).or_default() += 1;
        }
    }
    let most = fitting.values().copied().max()?;
    let mut best = fitting.iter().filter(|&(_, &count)| count == most).map(|(prefix, _)| prefix);
    let (prefix, None) = (best.next()?, best.next()) else { return None };
    match (prefix.is_empty(), &weights.prefix) {
        (true, Some(given)) => {
            Some(format!("remove `--weights-prefix {given}`: without it, the tensors' paths match arguments"))
        }
        (true, None) => None,
        (false, _) => {
            Some(format!("pass `--weights-prefix {}`: the paths below it match arguments", prefix.join("/")))
        }
    }
}

/// Reports unbound tensors, and unbound arguments of trees that are partly bound.
fn report_left(
    weights: &Weights,
    offers: &[Offer],
    paths: &[Option<ArgumentPath>],
    spans: &[Span],
    plan: &Pairing,
    diagnostics: &mut Diagnostics,
) {
    let example = paths.iter().zip(spans).find_map(|(path, &at)| Some((path.as_ref()?, at)));
    if let (true, Some(offer), Some((path, at))) = (plan.is_empty(), offers.first(), example) {
        if !diagnostics.has_errors() {
            let (tensor, argument) = (&*offer.tensor.name, &*path.parts.join("/"));
            let remedy = fitting_prefix(weights, paths);
            diagnostics.push(catalog::NoWeightFits { tensor, argument, remedy: remedy.as_deref(), at });
        }
        return;
    }
    let mut used = vec![false; offers.len()];
    let mut bound = vec![false; paths.len()];
    for &(argument, offer) in plan {
        (bound[argument], used[offer]) = (true, true);
    }
    let trees: FxHashSet<&[String]> =
        plan.iter().filter_map(|&(argument, _)| paths[argument].as_ref()?.tree()).collect();
    for (argument, path) in paths.iter().enumerate().filter(|&(argument, _)| !bound[argument]) {
        let Some(path) = path else { continue };
        if path.tree().is_some_and(|tree| trees.contains(tree)) {
            diagnostics.push(catalog::UnboundWeight { argument: &path.short, at: spans[argument] });
        }
    }
    let left: Vec<usize> = (0..offers.len()).filter(|&offer| !used[offer]).collect();
    for file in left.chunk_by(|&x, &y| std::ptr::eq(offers[x].file, offers[y].file)) {
        let names: Vec<&str> = file.iter().map(|&offer| offers[offer].tensor.name.as_str()).collect();
        let path = &*offers[file[0]].file.name;
        diagnostics.push(catalog::UnusedWeights { path, names: &names });
    }
}
