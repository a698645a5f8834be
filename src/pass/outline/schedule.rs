//! Orders a block's ops so that the ops of each module are consecutive.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The dependency graph of a block's ops, by index.
pub(super) struct BlockGraph<'a> {
    /// The module of each op, as a number; `None` for an op of the enclosing module itself.
    pub(super) groups: &'a [Option<u32>],
    /// Number of modules.
    pub(super) group_count: usize,
    /// The earlier ops whose results each op uses, once each.
    pub(super) reads: Vec<Vec<u32>>,
}

/// List scheduling that stays within a module while an op of it is ready.
///
/// Ops of no module come as early as possible, because modules may wait for them. Prefers to begin modules that wait
/// for nothing outside, so that they are not interrupted. Ties follow the text. The cost is that of heaps of all ops.
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

/// Ready ops.
struct Queue<'a> {
    groups: &'a [Option<u32>],
    /// Of no module.
    own: BinaryHeap<Reverse<u32>>,
    /// Of modules. An op is in several heaps, and is ignored in the others when it is done.
    ready: BinaryHeap<Reverse<u32>>,
    /// Of modules that wait for nothing outside of them.
    closed: BinaryHeap<Reverse<u32>>,
    /// Of each module.
    members: Vec<BinaryHeap<Reverse<u32>>>,
    /// For each module, how many external results it still waits for.
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

    /// A result that an op of the module uses becomes available.
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
