//! All files of a run together.

use super::{FileReport, NodeCount, SeverityCounts, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

/// All files together.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// The number of files.
    pub files: usize,
    /// How many convert exactly.
    pub exact: usize,
    /// How many convert with named differences.
    pub approximate: usize,
    /// How many do not convert.
    pub refused: usize,
    /// The diagnostics of all files.
    pub counts: SeverityCounts,
    /// The elements of all weights.
    pub parameters: u64,
    /// The bytes of all weights.
    pub weight_bytes: u64,
    /// The ops of all texts, most frequent first.
    pub source_ops: Vec<OpTotal>,
    /// The nodes of all models, most frequent first.
    pub nodes: Vec<NodeCount>,
}

/// The ops of one name in all texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpTotal {
    /// The name with its dialect.
    pub op: String,
    /// How often it is there.
    pub count: usize,
    /// In how many files.
    pub files: usize,
    /// Whether it is supported, at least in some form.
    pub supported: bool,
}

impl Summary {
    /// The sums over files.
    pub fn of(files: &[FileReport]) -> Self {
        let mut summary = Summary { files: files.len(), ..Summary::default() };
        let (mut ops, mut nodes) = (BTreeMap::new(), BTreeMap::new());
        for file in files {
            match file.verdict {
                Verdict::Exact => summary.exact += 1,
                Verdict::Approximate => summary.approximate += 1,
                Verdict::Refused => summary.refused += 1,
            }
            summary.counts.error += file.counts.error;
            summary.counts.warning += file.counts.warning;
            summary.counts.advice += file.counts.advice;
            summary.parameters = summary.parameters.saturating_add(file.parameters);
            summary.weight_bytes = summary.weight_bytes.saturating_add(file.weight_bytes);
            for op in &file.source_ops {
                let total = ops.entry(&op.op).or_insert((0, 0, op.supported));
                *total = (total.0 + op.count, total.1 + 1, op.supported);
            }
            for node in &file.nodes {
                *nodes.entry(&node.op).or_insert(0) += node.count;
            }
        }
        summary.source_ops = ops
            .into_iter()
            .map(|(op, (count, files, supported))| OpTotal { op: op.clone(), count, files, supported })
            .collect();
        summary.nodes = nodes.into_iter().map(|(op, count)| NodeCount { op: op.clone(), count }).collect();
        summary
            .source_ops
            .sort_by(|left, right| right.count.cmp(&left.count).then_with(|| left.op.cmp(&right.op)));
        summary
            .nodes
            .sort_by(|left, right| right.count.cmp(&left.count).then_with(|| left.op.cmp(&right.op)));
        summary
    }
}
