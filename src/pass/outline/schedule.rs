//! An order of a block's ops in which those of a module follow each other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The ops of a block, by their positions in it.
pub(super) struct BlockGraph<'a> {
    /// The module that each op is in, by a number of its own; `None` for an op of the enclosing module itself.
    pub(super) groups: &'a [Option<u32>],
    /// Number of modules.
    pub(super) group_count: usize,
    /// The earlier ops that each op reads results of, once each.
    pub(super) reads: Vec<Vec<u32>>,
}

/// A list scheduling that goes on within a module as long as an op of it is ready.
///
/// Ops of no module come as early as they can, since those of modules may wait for them. A module is begun whose ops
/// wait for no other one, if there is such a module, so that it is not left before its end. Among equals the first of
/// the text comes first. The time is that of heaps of all ops.
pub(super) fn schedule(graph: &BlockGraph) -> Vec<u32> {
    let count = graph.groups.len();
    let mut queue = Queue {
        groups: graph.groups,
        own: BinaryHeap::new(),
        ready: BinaryHeap::new(),
        closed: BinaryHeap::new(),
        members: vec![BinaryHeap::new(); graph.group_count],
        waits: vec![0; graph.group_count],
        done: vec![false; count],
    };
    let mut pending: Vec<usize> = graph.reads.iter().map(Vec::len).collect();
    let mut readers: Vec<Vec<u32>> = vec![Vec::new(); count];
    for (op, reads) in graph.reads.iter().enumerate() {
        for &read in reads {
            readers[read as usize].push(op as u32);
            if let Some(group) = graph.groups[op]
                && graph.groups[read as usize] != Some(group)
            {
                queue.waits[group as usize] += 1;
            }
        }
    }
    for (op, &reads) in pending.iter().enumerate() {
        if reads == 0 {
            queue.push(op as u32);
        }
    }
    let (mut order, mut current) = (Vec::with_capacity(count), None);
    while let Some(op) = queue.pop(current) {
        order.push(op);
        current = graph.groups[op as usize];
        for &reader in &readers[op as usize] {
            if let Some(group) = graph.groups[reader as usize]
                && Some(group) != current
            {
                queue.arrived(group);
            }
            pending[reader as usize] -= 1;
            if pending[reader as usize] == 0 {
                queue.push(reader);
            }
        }
    }
    order
}

/// Ops that could come next.
struct Queue<'a> {
    groups: &'a [Option<u32>],
    /// Those of no module.
    own: BinaryHeap<Reverse<u32>>,
    /// Those of modules. An op is in several heaps, and counts in none any more when it is done.
    ready: BinaryHeap<Reverse<u32>>,
    /// Those of modules that wait for nothing outside of them.
    closed: BinaryHeap<Reverse<u32>>,
    /// Those of each module.
    members: Vec<BinaryHeap<Reverse<u32>>>,
    /// How often ops of each module read a result from outside that is not there yet.
    waits: Vec<usize>,
    done: Vec<bool>,
}

impl Queue<'_> {
    fn push(&mut self, op: u32) {
        let Some(group) = self.groups[op as usize] else {
            self.own.push(Reverse(op));
            return;
        };
        self.ready.push(Reverse(op));
        self.members[group as usize].push(Reverse(op));
        if self.waits[group as usize] == 0 {
            self.closed.push(Reverse(op));
        }
    }

    /// A result that an op of the module reads is there.
    fn arrived(&mut self, group: u32) {
        self.waits[group as usize] -= 1;
        if self.waits[group as usize] == 0
            && let Some(&first) = self.members[group as usize].peek()
        {
            self.closed.push(first);
        }
    }

    /// The next op after one of the module `current`.
    fn pop(&mut self, current: Option<u32>) -> Option<u32> {
        let next = current
            .and_then(|group| take(&mut self.members[group as usize], &self.done))
            .or_else(|| take(&mut self.own, &self.done))
            .or_else(|| take(&mut self.closed, &self.done))
            .or_else(|| take(&mut self.ready, &self.done))?;
        self.done[next as usize] = true;
        Some(next)
    }
}

/// The first op of a heap that is not done.
fn take(heap: &mut BinaryHeap<Reverse<u32>>, done: &[bool]) -> Option<u32> {
    loop {
        let Reverse(op) = heap.pop()?;
        if !done[op as usize] {
            return Some(op);
        }
    }
}
