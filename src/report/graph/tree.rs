//! The tree of modules that the nodes of a graph are in.

use rustc_hash::{FxHashMap, FxHashSet};

/// A group of more children is split into runs, so that each picture stays small and its layout quick.
const MOST_CHILDREN: usize = 150;

/// What most groups have.
pub(super) const NODE: &str = "node";

/// More inputs or outputs are a group.
const MOST_PORTS: usize = 24;

/// Children of a run.
const RUN: usize = 100;

/// Something that has a place in a picture, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Item {
    /// An input of the model.
    Input(usize),
    /// A node.
    Node(usize),
    /// A group.
    Group(usize),
    /// An output of the model.
    Output(usize),
}

impl Item {
    /// The group, if it is one.
    pub fn group(&self) -> Option<usize> {
        if let Self::Group(group) = self { Some(*group) } else { None }
    }
}

/// A module, the body of a loop, a function, many inputs, or a part of one of these.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Its name among its siblings.
    pub title: String,
    /// Its name and those above it.
    pub path: String,
    /// In the order of the model.
    pub children: Vec<Item>,
    /// How many nodes, inputs or outputs are in it and below it.
    pub leaves: usize,
    /// What these are.
    pub noun: &'static str,
}

#[derive(Clone, Debug)]
pub(super) struct Tree {
    groups: Vec<Group>,
    named: FxHashMap<(usize, String), usize>,
    parents: FxHashMap<Item, usize>,
}

impl Tree {
    /// The group of everything.
    pub const ROOT: usize = 0;

    pub fn new() -> Self {
        let (title, path) = (String::new(), String::new());
        let root = Group { title, path, children: Vec::new(), leaves: 0, noun: NODE };
        Self { groups: vec![root], named: FxHashMap::default(), parents: FxHashMap::default() }
    }

    pub fn group(&self, group: usize) -> &Group {
        &self.groups[group]
    }

    /// The group of that name in another one.
    pub fn child(&mut self, parent: usize, name: &str) -> usize {
        if let Some(&known) = self.named.get(&(parent, name.to_owned())) {
            return known;
        }
        let group = self.push(parent, name);
        self.named.insert((parent, name.to_owned()), group);
        self.add(parent, Item::Group(group));
        group
    }

    fn push(&mut self, parent: usize, name: &str) -> usize {
        let path = match self.groups[parent].path.as_str() {
            "" => name.to_owned(),
            above => format!("{above}/{name}"),
        };
        let (title, noun) = (name.to_owned(), self.groups[parent].noun);
        self.groups.push(Group { title, path, children: Vec::new(), leaves: 0, noun });
        self.groups.len() - 1
    }

    /// Puts inputs before the nodes and outputs after them, when the nodes are split; many of them are a group.
    pub fn surround(&mut self, inputs: Vec<Item>, outputs: Vec<Item>) {
        let inputs = self.ports(inputs, "input");
        let outputs = self.ports(outputs, "output");
        let children = &mut self.groups[Self::ROOT].children;
        children.splice(0..0, inputs);
        children.extend(outputs);
    }

    fn ports(&mut self, ports: Vec<Item>, noun: &'static str) -> Vec<Item> {
        if ports.len() <= MOST_PORTS {
            return ports;
        }
        let group = self.push(Self::ROOT, &format!("{noun}s"));
        self.groups[group].noun = noun;
        for port in ports {
            self.add(group, port);
        }
        self.divide(group);
        vec![Item::Group(group)]
    }

    pub fn add(&mut self, group: usize, item: Item) {
        self.groups[group].children.push(item);
        self.parents.insert(item, group);
    }

    /// Splits large groups.
    pub fn split(&mut self) {
        let mut group = 0;
        while group < self.groups.len() {
            self.divide(group);
            group += 1;
        }
    }

    fn divide(&mut self, group: usize) {
        let count = self.groups[group].children.len();
        if count <= MOST_CHILDREN {
            return;
        }
        let mut length = RUN;
        while count.div_ceil(length) > MOST_CHILDREN {
            length *= RUN;
        }
        let children = std::mem::take(&mut self.groups[group].children);
        for (index, run) in children.chunks(length).enumerate() {
            let first = index * length + 1;
            let part = self.push(group, &format!("part {first}–{}", first + run.len() - 1));
            for &item in run {
                self.add(part, item);
            }
            self.add(group, Item::Group(part));
        }
    }

    /// Counts the leaves of all groups.
    pub fn count(&mut self) {
        let mut order = vec![Self::ROOT];
        let mut next = 0;
        while let Some(&group) = order.get(next) {
            order.extend(self.groups[group].children.iter().filter_map(Item::group));
            next += 1;
        }
        for group in order.into_iter().rev() {
            let Group { children, noun, .. } = &self.groups[group];
            let leaves = children.iter().map(|child| match child {
                Item::Group(child) if self.groups[*child].noun == *noun => self.groups[*child].leaves,
                Item::Group(_) => 0,
                Item::Node(_) => 1,
                Item::Input(_) | Item::Output(_) => usize::from(*noun != NODE),
            });
            self.groups[group].leaves = leaves.sum();
        }
    }

    /// The groups with these paths.
    pub fn groups_at(&self, paths: &FxHashSet<&str>) -> impl Iterator<Item = usize> {
        let of_paths = |(_, group): &(usize, &Group)| paths.contains(group.path.as_str());
        self.groups.iter().enumerate().skip(1).filter(of_paths).map(|(index, _)| index)
    }

    /// The groups that an item is in, outermost first, without the root.
    pub fn above(&self, item: Item) -> Vec<usize> {
        let mut above = Vec::new();
        let mut current = item;
        while let Some(&group) = self.parents.get(&current).filter(|&&group| group != Self::ROOT) {
            above.push(group);
            current = Item::Group(group);
        }
        above.reverse();
        above
    }
}
