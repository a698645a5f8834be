//! The picture of a graph as SVG, without style: the page around it has the style sheet `graph.css`.

use super::layout::{LETTERS, Level, Placed, Route, TITLE, layout};
use super::tree::{Group, Item, Tree};
use super::{Graph, Node};
use crate::diagnostic::grouped;
use crate::report::escape::{escape, markup};
use rustc_hash::FxHashSet;
use std::fmt::Write;

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
        Drawing { graph: self, links: None, folded: Vec::new() }.of(Tree::ROOT, &groups)
    }

    /// The sheets of a document, the whole graph first, as many as fit into `bytes`. Returns also whether there are more.
    /// Groups that are folded in one sheet and have another are links to it; anchors begin with `prefix`.
    pub fn sheets(&self, prefix: &str, bytes: usize) -> (Vec<Sheet>, bool) {
        let draw = |group: usize, links: &FxHashSet<usize>| {
            let unfolded: FxHashSet<usize> = self.unfolded_in(group).into_iter().collect();
            let mut drawing = Drawing { graph: self, links: Some((prefix, links)), folded: Vec::new() };
            (drawing.of(group, &unfolded), drawing.folded)
        };
        let (mut groups, mut left, mut next) = (vec![Tree::ROOT], bytes, 0);
        while let Some(&group) = groups.get(next) {
            let (picture, folded) = draw(group, &FxHashSet::default());
            let length = picture.svg.len() + folded.len() * LINK;
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None if next > 0 => break,
                None => left = 0,
            }
            groups.extend(folded);
            next += 1;
        }
        let has_more = next < groups.len();
        groups.truncate(next);
        let links: FxHashSet<usize> = groups.iter().copied().collect();
        let sheets = groups.into_iter().map(|group| Sheet {
            path: self.tree.group(group).path.clone(),
            anchor: anchor(prefix, group),
            picture: draw(group, &links).0,
        });
        (sheets.collect(), has_more)
    }
}

fn anchor(prefix: &str, group: usize) -> String {
    format!("{prefix}-part{group}")
}

/// About the bytes of a link.
const LINK: usize = 80;

/// One picture while it is drawn.
struct Drawing<'g> {
    graph: &'g Graph,
    /// The beginning of anchors and the groups that have one, in a document that cannot fold.
    links: Option<(&'g str, &'g FxHashSet<usize>)>,
    /// The groups that were drawn folded.
    folded: Vec<usize>,
}

impl Drawing<'_> {
    fn of(&mut self, group: usize, unfolded: &FxHashSet<usize>) -> Picture {
        let level = layout(self.graph, group, unfolded);
        let (width, height) = (level.width.ceil(), level.height.ceil());
        let mut svg = String::new();
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "<svg class=\"graph\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"group\" \
             aria-label=\"Graph of {}\">",
            count(self.graph.tree.group(group))
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
                let path = markup(&group.path);
                let label = format!("{}, {}", escape(&group.title, 200), count(group));
                let class = if placed.inner.is_some() { "module open" } else { "module" };
                let state = match self.links {
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
                        let link = self.links.filter(|(_, linked)| linked.contains(&index));
                        if let Some((prefix, _)) = link {
                            let _ =
                                write!(out, "<a href=\"#{}\" aria-label=\"{label}\">", anchor(prefix, index));
                        }
                        out.push_str(&open);
                        out.push_str(&line("title", &group.title, middle, y + 19.0));
                        out.push_str(&line("detail", &count(group), middle, y + 34.0));
                        out.push_str("</g>");
                        if link.is_some() {
                            out.push_str("</a>");
                        }
                        self.folded.push(index);
                    }
                }
            }
            Item::Node(index) => {
                let Node { op, ty, name, python, .. } = &self.graph.nodes[index];
                let role = match self.links {
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
            Item::Input(index) => {
                let port = Port { item: placed.item, kind: "input", tensor: &self.graph.inputs[index] };
                self.port(out, &port, &rect(20.0), middle, y);
            }
            Item::Output(index) => {
                let port = Port { item: placed.item, kind: "output", tensor: &self.graph.outputs[index] };
                self.port(out, &port, &rect(20.0), middle, y);
            }
        }
    }

    fn port(&self, out: &mut String, port: &Port, rect: &str, middle: f64, y: f64) {
        let (name, ty) = (escape(&port.tensor.0, LETTERS), escape(&port.tensor.1, LETTERS));
        let _ = write!(
            out,
            "<g class=\"port {}\" data-port=\"{}\">{rect}<text class=\"title\" x=\"{middle:.1}\" y=\"{:.1}\">{name}</text>\
             <text class=\"detail\" x=\"{middle:.1}\" y=\"{:.1}\">{ty}</text></g>",
            port.kind,
            self.key(port.item),
            y + 17.0,
            y + 31.0
        );
    }

    /// How an edge refers to a box.
    fn key(&self, item: Item) -> String {
        match item {
            Item::Input(port) => format!("input {port}"),
            Item::Output(port) => format!("output {port}"),
            Item::Node(node) => format!("node {node}"),
            Item::Group(group) => format!("module {}", markup(&self.graph.tree.group(group).path)),
        }
    }
}

/// An input or output with its name and type.
struct Port<'g> {
    item: Item,
    kind: &'static str,
    tensor: &'g (String, String),
}

fn count(group: &Group) -> String {
    let plural = if group.leaves == 1 { "" } else { "s" };
    format!("{} {}{plural}", grouped(group.leaves), group.noun)
}
