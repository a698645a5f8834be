//! The tree of modules that the nodes of a graph are in.

use rustc_hash::{FxHashMap, FxHashSet};

/// A group of more children is split into runs, so that each picture stays small and its layout quick.
const MOST_CHILDREN: usize = 150;

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

/// A module, the body of a loop, or a run of nodes.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Its name among its siblings.
    pub title: String,
    /// Its name and those above it.
    pub path: String,
    /// In the order of the model.
    pub children: Vec<Item>,
    /// How many nodes are in it and below it.
    pub nodes: usize,
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
        let root = Group { title: String::new(), path: String::new(), children: Vec::new(), nodes: 0 };
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
        self.groups.push(Group { title: name.to_owned(), path, children: Vec::new(), nodes: 0 });
        self.groups.len() - 1
    }

    pub fn add(&mut self, group: usize, item: Item) {
        self.groups[group].children.push(item);
        self.parents.insert(item, group);
    }

    /// Splits large groups, and counts nodes.
    pub fn split(&mut self) {
        let mut group = 0;
        while group < self.groups.len() {
            let count = self.groups[group].children.len();
            if count > MOST_CHILDREN {
                let mut length = RUN;
                while count.div_ceil(length) > MOST_CHILDREN {
                    length *= RUN;
                }
                let children = std::mem::take(&mut self.groups[group].children);
                for (index, run) in children.chunks(length).enumerate() {
                    let first = index * length + 1;
                    let title = format!("part {}–{}", first, first + run.len() - 1);
                    let part = self.push(group, &title);
                    for &item in run {
                        self.add(part, item);
                    }
                    self.add(group, Item::Group(part));
                }
            }
            group += 1;
        }
        let mut order = vec![Self::ROOT];
        let mut next = 0;
        while let Some(&group) = order.get(next) {
            order.extend(self.groups[group].children.iter().filter_map(Item::group));
            next += 1;
        }
        for group in order.into_iter().rev() {
            let nodes = self.groups[group].children.iter().map(|child| match child {
                Item::Group(child) => self.groups[*child].nodes,
                _ => 1,
            });
            self.groups[group].nodes = nodes.sum();
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
