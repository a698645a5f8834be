//! Where each box of a picture is: layers from top to bottom in each unfolded group (Sugiyama, Tagawa and Toda,
//! "Methods for Visual Understanding of Hierarchical System Structures", 1981).
//!
//! A group is laid out on its own, and is one box in the group around it. Each layer is as far down as its edges
//! demand. An edge over several layers goes through a point in each; `rust_sugiyama` orders the layers and finds the
//! horizontal positions.

use super::tree::Item;
use super::{Graph, Node};
use rust_sugiyama::configure::{Config, RankingType};
use rustc_hash::{FxHashMap, FxHashSet};
use std::iter;
use std::ops::Range;

/// Between the layers, and around the contents of a group.
const GAP: f64 = 26.0;
/// Between boxes of a layer, and between parts that no edge connects.
const SPACE: f64 = 22.0;
/// The title of an unfolded group.
pub(super) const TITLE: f64 = 28.0;
/// Width of the room that an edge takes in a layer that it crosses.
const LANE: f64 = 10.0;
/// More points of edges are not placed: further long edges go straight.
const MOST_POINTS: usize = 4_000;
/// Letters of a title or a type that are drawn.
pub(super) const LETTERS: usize = 36;

/// What is drawn of a group.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub width: f64,
    pub height: f64,
    pub boxes: Vec<Placed>,
    pub routes: Vec<Route>,
}

/// A box. Positions are those of its upper left corner in the level that it is in.
#[derive(Debug)]
pub(super) struct Placed {
    pub item: Item,
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    /// The contents, if it is an unfolded group; they begin under the title.
    pub inner: Option<Level>,
}

/// An edge, from its beginning to its end.
#[derive(Debug)]
pub(super) struct Route {
    /// `None` for what is outside of the group.
    pub from: Option<Item>,
    pub to: Option<Item>,
    pub points: Vec<(f64, f64)>,
}

/// The layout of the contents of a group with these groups in it unfolded.
pub(super) fn layout(graph: &Graph, group: usize, unfolded: &FxHashSet<usize>) -> Level {
    let flows = graph.flows.get(&group).map(Vec::as_slice).unwrap_or_default();
    let items = &graph.tree.group(group).children;
    let inner: Vec<Option<Level>> = items
        .iter()
        .map(|item| item.group().filter(|group| unfolded.contains(group)))
        .map(|unfolded_group| unfolded_group.map(|inner| layout(graph, inner, unfolded)))
        .collect();
    let sizes: Vec<(f64, f64)> =
        items.iter().zip(&inner).map(|(&item, inner)| size(graph, item, inner.as_ref())).collect();
    // The first and the last vertex are the borders.
    let count = items.len();
    let index: FxHashMap<Item, usize> = items.iter().enumerate().map(|(at, &item)| (item, at + 1)).collect();
    let mut edges: Vec<(usize, usize)> = flows
        .iter()
        .filter_map(|(from, to)| {
            let from = from.map_or(Some(0), |item| index.get(&item).copied())?;
            Some((from, to.map_or(Some(count + 1), |item| index.get(&item).copied())?))
        })
        .collect();
    edges.sort_unstable();
    let mut all = vec![(0.0, 0.0)];
    all.extend(&sizes);
    all.push((0.0, 0.0));
    let Arranged { centers, bends, tops, width, height } = arrange(&all, &edges);
    let boxes = items
        .iter()
        .zip(inner)
        .enumerate()
        .map(|(at, (&item, inner))| {
            let (width, height) = sizes[at];
            Placed { item, x: centers[at + 1] - width / 2.0, y: tops[at + 1], width, height, inner }
        })
        .collect();
    let item_at = |at: usize| at.checked_sub(1).and_then(|at| items.get(at)).copied();
    let routes = edges
        .iter()
        .zip(bends)
        .map(|(&(from, to), bends)| {
            let start = if from == 0 { 0.0 } else { tops[from] + all[from].1 };
            let end = if to == count + 1 { height } else { tops[to] };
            let x = |at: usize| if at == 0 || at == count + 1 { width / 2.0 } else { centers[at] };
            let mut points = vec![(x(from), start)];
            points.extend(bends);
            points.push((x(to), end));
            Route { from: item_at(from), to: item_at(to), points }
        })
        .collect();
    Level { width, height, boxes, routes }
}

/// Letters are about this wide.
const LETTER: f64 = 7.4;

fn size(graph: &Graph, item: Item, inner: Option<&Level>) -> (f64, f64) {
    let wide = |letters: usize| letters as f64 * LETTER + 24.0;
    let letters = |text: &str| text.chars().count().min(LETTERS);
    match (item, inner) {
        (Item::Group(group), Some(level)) => {
            let title = wide(letters(&graph.tree.group(group).title)) + 40.0;
            (level.width.max(title), level.height + TITLE)
        }
        (Item::Group(group), None) => (wide(letters(&graph.tree.group(group).title)).max(120.0), 44.0),
        (Item::Node(node), _) => {
            let Node { op, ty, .. } = &graph.nodes[node];
            // The type is smaller.
            (wide(letters(op).max(letters(ty) * 6 / 7)).clamp(72.0, 280.0), 42.0)
        }
        (Item::Input(port), _) => port_size(&graph.inputs[port]),
        (Item::Output(port), _) => port_size(&graph.outputs[port]),
    }
}

fn port_size((name, ty): &(String, String)) -> (f64, f64) {
    let letters = name.chars().count().max(ty.chars().count() * 6 / 7);
    ((letters as f64 * LETTER + 28.0).clamp(64.0, 280.0), 40.0)
}

struct Arranged {
    /// The horizontal middle of each vertex.
    centers: Vec<f64>,
    /// The points of each edge between its ends.
    bends: Vec<Vec<(f64, f64)>>,
    tops: Vec<f64>,
    width: f64,
    height: f64,
}

/// Places vertices of these sizes, of which the first is the upper border and the last the lower. The vertices are in
/// the order of the model, so edges to earlier ones are rare and go up.
fn arrange(sizes: &[(f64, f64)], edges: &[(usize, usize)]) -> Arranged {
    let last = sizes.len() - 1;
    let down: Vec<(usize, usize)> = edges.iter().map(|&(from, to)| (from.min(to), from.max(to))).collect();
    let layers = layers(last, &down);
    let depth = layers[1..last].iter().max().map_or(0, |deepest| deepest + 1);
    let mut heights = vec![0.0_f64; depth];
    for (layer, (_, height)) in layers[1..last].iter().zip(&sizes[1..last]) {
        heights[*layer] = heights[*layer].max(*height);
    }
    let mut layer_tops = Vec::with_capacity(depth);
    let mut y = GAP;
    for height in &heights {
        layer_tops.push(y);
        y += height + GAP;
    }
    let mut tops = vec![0.0; sizes.len()];
    for vertex in 1..last {
        let layer = layers[vertex];
        tops[vertex] = layer_tops[layer] + (heights[layer] - sizes[vertex].1) / 2.0;
    }
    let mut points_left = MOST_POINTS;
    let crossed = down.iter().map(|&(from, to)| -> Option<Range<usize>> {
        let first = if from == 0 { 0 } else { layers[from] + 1 };
        let end = if to == last { depth } else { layers[to] };
        let crossed = first..end.max(first);
        points_left = points_left.checked_sub(crossed.len())?;
        Some(crossed)
    });
    let crossed: Vec<Option<Range<usize>>> = crossed.collect();
    let Columns { centers, lanes, width } = columns(&sizes[1..last], &down, &crossed);
    let bends = edges.iter().zip(&crossed).zip(lanes).map(|((&(from, to), crossed), lanes)| {
        let points = crossed.clone().unwrap_or(0..0).zip(lanes).flat_map(|(layer, x)| {
            let (top, x) = (layer_tops[layer], x + GAP);
            [(x, top), (x, top + heights[layer])]
        });
        let mut points: Vec<(f64, f64)> = points.collect();
        if from > to {
            points.reverse();
        }
        points
    });
    let bends = bends.collect();
    let centers = iter::once(0.0).chain(centers.into_iter().map(|x| x + GAP)).chain([0.0]).collect();
    Arranged { centers, bends, tops, width: width + 2.0 * GAP, height: y }
}

/// The layer of each vertex: as far up as its edges allow.
fn layers(last: usize, down: &[(usize, usize)]) -> Vec<usize> {
    let mut layers = vec![0; last + 1];
    // Each edge leads to a later vertex, so the layer of its start is final.
    let mut by_start: Vec<(usize, usize)> =
        down.iter().copied().filter(|&(from, to)| from > 0 && to < last).collect();
    by_start.sort_unstable();
    for (from, to) in by_start {
        layers[to] = layers[to].max(layers[from] + 1);
    }
    layers
}

struct Columns {
    /// The horizontal middle of each vertex.
    centers: Vec<f64>,
    /// For each edge, its position in each layer that it crosses.
    lanes: Vec<Vec<f64>>,
    width: f64,
}

/// The horizontal positions of vertices of these sizes, without borders. Edges count the upper border as 0, and lead
/// down over the layers that they cross. Edges without these do not count: none of them decides a layer, because an edge
/// that does crosses none.
fn columns(sizes: &[(f64, f64)], down: &[(usize, usize)], crossed: &[Option<Range<usize>>]) -> Columns {
    let count = sizes.len();
    let mut vertices: Vec<(u32, (f64, f64))> =
        sizes.iter().enumerate().map(|(at, &size)| (at as u32, size)).collect();
    let mut links = Vec::new();
    let mut first_lanes = Vec::with_capacity(down.len());
    for (&(from, to), crossed) in down.iter().zip(crossed) {
        let first = vertices.len() as u32;
        first_lanes.push(first);
        let Some(crossed) = crossed else { continue };
        vertices.extend((first..).take(crossed.len()).map(|lane| (lane, (LANE, LANE))));
        let end = vertices.len() as u32;
        let start = (from > 0).then(|| from as u32 - 1);
        let stop = (to <= count).then(|| to as u32 - 1);
        let chain: Vec<u32> = start.into_iter().chain(first..end).chain(stop).collect();
        links.extend(chain.windows(2).map(|pair| (pair[0], pair[1])));
    }
    links.sort_unstable();
    links.dedup();
    let config = Config {
        vertex_spacing: SPACE,
        dummy_vertices: true,
        ranking_type: RankingType::Up,
        transpose: false,
        ..Config::default()
    };
    let mut middles = vec![0.0; vertices.len()];
    let mut width = 0.0;
    for (component, ..) in rust_sugiyama::from_vertices_and_edges(&vertices, &links, &config) {
        let half = |at: usize| vertices.get(at).map_or(0.0, |(_, (width, _))| width / 2.0);
        let edges = component.iter().map(|&(at, (x, _))| (x - half(at), x + half(at)));
        let (left, right) =
            edges.fold((f64::MAX, f64::MIN), |(left, right), (from, to)| (left.min(from), right.max(to)));
        let start = if width > 0.0 { width + SPACE } else { 0.0 };
        for (at, (x, _)) in component {
            middles[at] = start + x - left;
        }
        width = start + right - left;
    }
    let lanes = first_lanes.iter().zip(crossed);
    let lanes = lanes.map(|(&first, crossed)| {
        let count = crossed.as_ref().map_or(0, ExactSizeIterator::len);
        middles[first as usize..][..count].to_vec()
    });
    let lanes = lanes.collect();
    middles.truncate(count);
    Columns { centers: middles, lanes, width }
}
