//! The picture of a graph as SVG, without style: the page around it has the style sheet `graph.css`.

use super::layout::{Level, Placed, Route, TITLE, layout};
use super::tree::{Item, Tree};
use super::{Graph, Node};
use crate::diagnostic::grouped;
use crate::report::escape::escape;
use rustc_hash::FxHashSet;
use std::fmt::Write;
use std::iter;

/// Letters of a title or a type.
const LETTERS: usize = 36;

/// A graph as it is drawn.
#[derive(Clone, Debug)]
pub struct Picture {
    /// One `svg` element.
    pub svg: String,
    /// Its width in CSS pixels.
    pub width: f64,
    /// Its height in CSS pixels.
    pub height: f64,
}

/// A picture of a document that cannot fold: that of the whole graph, or of one group that is folded in another picture.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// The path of the group; empty for the whole.
    pub path: String,
    /// The anchor that folded groups lead to.
    pub anchor: String,
    /// The picture.
    pub picture: Picture,
}

impl Graph {
    /// Draws the graph with these modules unfolded, given by their paths, for a page that folds and selects. Unknown paths
    /// change nothing.
    pub fn picture<P: AsRef<str>>(&self, unfolded: &[P]) -> Picture {
        let unfolded: FxHashSet<&str> = unfolded.iter().map(AsRef::as_ref).collect();
        let groups: FxHashSet<usize> = self.tree.groups_at(&unfolded).collect();
        Drawing { graph: self, anchors: None, folded: Vec::new() }.of(Tree::ROOT, &groups)
    }

    /// The sheets of a document. Folded groups are links to the sheets that follow, whose anchors begin with `prefix`.
    pub fn sheets(&self, prefix: &str) -> impl Iterator<Item = Sheet> {
        let mut pending = std::collections::VecDeque::from([Tree::ROOT]);
        iter::from_fn(move || {
            let group = pending.pop_front()?;
            let unfolded: FxHashSet<usize> = self.unfolded_in(group).into_iter().collect();
            let mut drawing = Drawing { graph: self, anchors: Some(prefix), folded: Vec::new() };
            let picture = drawing.of(group, &unfolded);
            pending.extend(drawing.folded);
            let path = self.tree.group(group).path.clone();
            Some(Sheet { path, anchor: anchor(prefix, group), picture })
        })
    }
}

fn anchor(prefix: &str, group: usize) -> String {
    format!("{prefix}-part{group}")
}

/// One picture while it is drawn.
struct Drawing<'g> {
    graph: &'g Graph,
    /// The beginning of anchors, in a document that cannot fold.
    anchors: Option<&'g str>,
    /// The groups that were drawn folded.
    folded: Vec<usize>,
}

impl Drawing<'_> {
    fn of(&mut self, group: usize, unfolded: &FxHashSet<usize>) -> Picture {
        let level = layout(self.graph, group, unfolded);
        let (width, height) = (level.width.ceil(), level.height.ceil());
        let mut svg = String::new();
        let nodes = self.graph.tree.group(group).nodes;
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "<svg class=\"graph\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"group\" \
             aria-label=\"Graph of {}\">",
            count(nodes)
        );
        self.level(&mut svg, &level, 0.0, 0.0);
        svg.push_str("</svg>");
        Picture { svg, width, height }
    }

    fn level(&mut self, out: &mut String, level: &Level, x: f64, y: f64) {
        for route in &level.routes {
            self.route(out, route, x, y);
        }
        for placed in &level.boxes {
            self.placed(out, placed, x + placed.x, y + placed.y);
        }
    }

    /// A curve through the points of an edge, and its tip.
    fn route(&self, out: &mut String, route: &Route, x: f64, y: f64) {
        let Some(&(mut at_x, mut at_y)) = route.points.first() else { return };
        out.push_str("<path class=\"edge\"");
        for (name, item) in [("from", route.from), ("to", route.to)] {
            if let Some(item) = item {
                let _ = write!(out, " data-{name}=\"{}\"", self.key(item));
            }
        }
        let _ = write!(out, " d=\"M{:.1} {:.1}", at_x + x, at_y + y);
        for &(to_x, to_y) in &route.points[1..] {
            let middle = (at_y + to_y) / 2.0 + y;
            let (to, from) = (to_x + x, at_x + x);
            let _ = match (to_x - at_x).abs() < 0.5 {
                true => write!(out, "L{to:.1} {:.1}", to_y + y),
                false => write!(out, "C{from:.1} {middle:.1} {to:.1} {middle:.1} {to:.1} {:.1}", to_y + y),
            };
            (at_x, at_y) = (to_x, to_y);
        }
        if route.to.is_some() {
            let (tip_x, tip_y) = (at_x + x, at_y + y);
            let _ = write!(
                out,
                "M{:.1} {:.1}L{tip_x:.1} {tip_y:.1}L{:.1} {:.1}",
                tip_x - 3.5,
                tip_y - 5.5,
                tip_x + 3.5,
                tip_y - 5.5
            );
        }
        out.push_str("\"/>");
    }

    fn placed(&mut self, out: &mut String, placed: &Placed, x: f64, y: f64) {
        let (width, height, middle) = (placed.width, placed.height, x + placed.width / 2.0);
        let rect = |radius: f64| {
            format!(
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius}\"/>"
            )
        };
        let line = |class: &str, text: &str, x: f64, y: f64| {
            format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(text, LETTERS))
        };
        match placed.item {
            Item::Group(index) => {
                let graph = self.graph;
                let group = graph.tree.group(index);
                let path = escape(&group.path, 600);
                let label = format!("{}, {}", escape(&group.title, 200), count(group.nodes));
                let class = if placed.inner.is_some() { "module open" } else { "module" };
                let state = match self.anchors {
                    Some(_) => String::new(),
                    None => format!(
                        " data-module=\"{path}\" tabindex=\"0\" role=\"button\" aria-expanded=\"{}\" aria-label=\"{label}\"",
                        placed.inner.is_some()
                    ),
                };
                let open = format!("<g class=\"{class}\"{state}>{}", rect(7.0));
                match &placed.inner {
                    Some(inner) => {
                        out.push_str(&open);
                        out.push_str(&line("title", &group.title, x + 12.0, y + 19.0));
                        out.push_str("</g>");
                        let shift = (placed.width - inner.width) / 2.0;
                        self.level(out, inner, x + shift, y + TITLE);
                    }
                    None => {
                        if let Some(prefix) = self.anchors {
                            let _ =
                                write!(out, "<a href=\"#{}\" aria-label=\"{label}\">", anchor(prefix, index));
                        }
                        out.push_str(&open);
                        out.push_str(&line("title", &group.title, middle, y + 19.0));
                        out.push_str(&line("detail", &count(group.nodes), middle, y + 34.0));
                        out.push_str("</g>");
                        if self.anchors.is_some() {
                            out.push_str("</a>");
                        }
                        self.folded.push(index);
                    }
                }
            }
            Item::Node(index) => {
                let Node { op, ty, name, python, .. } = &self.graph.nodes[index];
                let role = match self.anchors {
                    Some(_) => String::new(),
                    None => format!(
                        " data-node=\"{index}\" tabindex=\"0\" role=\"button\" aria-label=\"{} {}\"",
                        escape(op, 100),
                        escape(ty, 100)
                    ),
                };
                let python = python.as_ref().map_or_else(String::new, |frame| format!(", {frame}"));
                let _ = write!(
                    out,
                    "<g class=\"node\"{role}><title>{}{}</title>{}{}{}</g>",
                    escape(name, 200),
                    escape(&python, 200),
                    rect(5.0),
                    line("title", op, middle, y + 18.0),
                    line("detail", ty, middle, y + 33.0)
                );
            }
            Item::Input(port) => self.port(out, "input", &self.graph.inputs[port], &rect(20.0), middle, y),
            Item::Output(port) => self.port(out, "output", &self.graph.outputs[port], &rect(20.0), middle, y),
        }
    }

    fn port(
        &self,
        out: &mut String,
        kind: &str,
        (name, ty): &(String, String),
        rect: &str,
        middle: f64,
        y: f64,
    ) {
        let (key, name, ty) = (escape(name, 600), escape(name, LETTERS), escape(ty, LETTERS));
        let _ = write!(
            out,
            "<g class=\"port {kind}\" data-port=\"{key}\">{rect}<text class=\"title\" x=\"{middle:.1}\" y=\"{:.1}\">{name}</text>\
             <text class=\"detail\" x=\"{middle:.1}\" y=\"{:.1}\">{ty}</text></g>",
            y + 17.0,
            y + 31.0
        );
    }

    /// How an edge refers to a box.
    fn key(&self, item: Item) -> String {
        match item {
            Item::Input(port) => format!("input {}", escape(&self.graph.inputs[port].0, 600)),
            Item::Output(port) => format!("output {}", escape(&self.graph.outputs[port].0, 600)),
            Item::Node(node) => format!("node {node}"),
            Item::Group(group) => format!("module {}", escape(&self.graph.tree.group(group).path, 600)),
        }
    }
}

fn count(nodes: usize) -> String {
    match nodes {
        1 => "1 node".to_owned(),
        nodes => format!("{} nodes", grouped(nodes)),
    }
}
