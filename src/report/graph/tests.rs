use super::layout::{Level, layout};
use super::tree::{Item, Tree};
use super::{Graph, Node, flows};
use crate::Options;
use crate::report::convert;
use crate::source::{Source, Span};
use proptest::prelude::*;
use rustc_hash::FxHashSet;

/// A text with two modules, of which one has the other's result, and a line beside them.
const TEXT: &str = r#"#loc1 = loc("jit(apply)/Model/Dense_0/dot_general")
#loc2 = loc("jit(apply)/Model/Dense_0/abs")
#loc3 = loc("jit(apply)/Model/Act/tanh")
#loc4 = loc("jit(apply)/Model/mul")
func.func @main(%x: tensor<4x4xf32>, %b: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = stablehlo.dot_general %x, %b, contracting_dims = [1] x [0] : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32> loc(#loc1)
  %1 = stablehlo.abs %0 : tensor<4x4xf32> loc(#loc2)
  %2 = stablehlo.tanh %1 : tensor<4x4xf32> loc(#loc3)
  %3 = stablehlo.multiply %2, %x : tensor<4x4xf32> loc(#loc4)
  return %3 : tensor<4x4xf32>
}
"#;

fn graph(text: &str) -> Graph {
    let source = Source::from_bytes("text.mlir", text.into());
    convert(&source, &Options::default()).0.graph.expect("the text converts")
}

#[test]
fn nodes_know_their_module_and_op() {
    let graph = graph(TEXT);
    let nodes: Vec<(&str, &str, &str, &str)> = graph
        .nodes
        .iter()
        .map(|node| (node.op.as_str(), node.module.as_str(), node.source.as_str(), node.ty.as_str()))
        .collect();
    assert_eq!(
        nodes,
        [
            ("Gemm", "Model/Dense_0", "stablehlo.dot_general", "f32[4, 4]"),
            ("Abs", "Model/Dense_0", "stablehlo.abs", "f32[4, 4]"),
            ("Tanh", "Model/Act", "stablehlo.tanh", "f32[4, 4]"),
            ("Mul", "Model", "stablehlo.multiply", "f32[4, 4]"),
        ]
    );
    assert_eq!(graph.groups_of(0), ["Model", "Model/Dense_0"]);
    assert_eq!(graph.unfolded_at_first(), ["Model", "Model/Dense_0", "Model/Act"]);
}

#[test]
fn a_folded_module_is_one_box() {
    let graph = graph(TEXT);
    let folded = graph.picture(&["Model"]).svg;
    assert!(folded.contains("data-module=\"Model/Dense_0\""), "{folded}");
    assert!(folded.contains("aria-expanded=\"false\" aria-label=\"Dense_0, 2 nodes\""), "{folded}");
    assert!(!folded.contains("data-node=\"0\"") && folded.contains("data-node=\"3\""), "{folded}");
    // The edge from the folded module to the one that uses it.
    assert!(folded.contains("data-from=\"module Model/Dense_0\" data-to=\"module Model/Act\""), "{folded}");
    let unfolded = graph.picture(&graph.unfolded_at_first()).svg;
    assert!(unfolded.contains("data-from=\"node 0\" data-to=\"node 1\""), "{unfolded}");
}

#[test]
fn a_document_has_a_sheet_for_each_folded_module() {
    let stages: String = (0..60)
        .map(|index| {
            format!(
                "  %{} = stablehlo.tanh %{index} : tensor<4xf32> loc(\"jit(f)/Model/Part_{}/tanh\")\n",
                index + 1,
                index / 15
            )
        })
        .collect();
    let text = format!(
        "func.func @main(%0: tensor<4xf32>) -> tensor<4xf32> {{\n{stages}  return %60 : tensor<4xf32>\n}}\n"
    );
    let graph = graph(&text);
    let (sheets, has_more) = graph.sheets("file0", 1 << 20);
    let paths: Vec<&str> = sheets.iter().map(|sheet| sheet.path.as_str()).collect();
    assert_eq!((paths, has_more), (vec!["", "Model/Part_2", "Model/Part_3"], false));
    for sheet in &sheets[1..] {
        assert!(
            sheets[0].picture.svg.contains(&format!("<a href=\"#{}\"", sheet.anchor)),
            "{}",
            sheet.anchor
        );
    }
    // What has no sheet is not a link.
    let (sheets, has_more) = graph.sheets("file0", 100);
    assert_eq!((sheets.len(), has_more), (1, true));
    assert!(!sheets[0].picture.svg.contains("<a "), "{}", sheets[0].picture.svg);
}

#[test]
fn the_body_of_a_loop_is_a_group() {
    let graph = graph(
        r#"func.func @main(%x: tensor<4xf32>, %n: tensor<i32>) -> tensor<4xf32> {
           %zero = stablehlo.constant dense<0> : tensor<i32>
           %r:2 = stablehlo.while(%i = %zero, %v = %x) : tensor<i32>, tensor<4xf32>
             cond { %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
               stablehlo.return %c : tensor<i1> }
             do { %one = stablehlo.constant dense<1> : tensor<i32>
               %next = stablehlo.add %i, %one : tensor<i32>
               %w = stablehlo.tanh %v : tensor<4xf32> loc("jit(f)/while/body/tanh")
               stablehlo.return %next, %w : tensor<i32>, tensor<4xf32> } loc("jit(f)/while")
           return %r#1 : tensor<4xf32>
         }"#,
    );
    let inside = graph.nodes.iter().position(|node| node.op == "Tanh").expect("the loop has a Tanh");
    let groups = graph.groups_of(inside);
    // The parts of the path that JAX names for the loop are not groups of their own.
    assert!(groups.len() == 1 && groups[0].starts_with("body of "), "{groups:?}");
}

/// A graph of nodes in groups, and of edges between nodes.
fn of(groups: &[usize], edges: &[(usize, usize)]) -> Graph {
    let mut tree = Tree::new();
    let node = |op: usize| Node {
        op: format!("Op{op}"),
        name: String::new(),
        module: String::new(),
        ty: String::new(),
        span: Span::NONE,
        source: String::new(),
        python: None,
    };
    for (index, &group) in groups.iter().enumerate() {
        let parent = if group == 0 { Tree::ROOT } else { tree.child(Tree::ROOT, &format!("g{}", group % 7)) };
        let parent = if group > 6 { tree.child(parent, &format!("h{group}")) } else { parent };
        tree.add(parent, Item::Node(index));
    }
    tree.split();
    tree.count();
    let edges: Vec<(Item, Item)> = edges
        .iter()
        .map(|&(from, to)| (from % groups.len(), to % groups.len()))
        .filter(|(from, to)| from != to)
        .map(|(from, to)| (Item::Node(from), Item::Node(to)))
        .collect();
    let flows = flows::flows(&tree, &edges);
    Graph {
        nodes: (0..groups.len()).map(node).collect(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        tree,
        flows,
    }
}

/// Boxes of a level must be inside of it and apart.
fn assert_apart(level: &Level) {
    for (index, placed) in level.boxes.iter().enumerate() {
        assert!(placed.x >= -0.01 && placed.x + placed.width <= level.width + 0.01, "{placed:?}");
        assert!(placed.y >= -0.01 && placed.y + placed.height <= level.height + 0.01, "{placed:?}");
        for other in &level.boxes[..index] {
            let beside =
                placed.x + placed.width <= other.x + 0.01 || other.x + other.width <= placed.x + 0.01;
            let above =
                placed.y + placed.height <= other.y + 0.01 || other.y + other.height <= placed.y + 0.01;
            assert!(beside || above, "{placed:?} is on {other:?}");
        }
        if let Some(inner) = &placed.inner {
            assert_apart(inner);
        }
    }
    for route in &level.routes {
        for (item, point) in [(route.from, route.points.first()), (route.to, route.points.last())] {
            let (Some(item), Some(&(x, y))) = (item, point) else { continue };
            let placed =
                level.boxes.iter().find(|placed| placed.item == item).expect("an edge is between boxes");
            let (within, height) = (placed.x..=placed.x + placed.width, placed.y + placed.height);
            assert!(within.contains(&x) && (y == placed.y || y == height), "{route:?} and {placed:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]
    #[test]
    fn boxes_are_apart_in_every_graph(
        groups in prop::collection::vec(0_usize..15, 1..60),
        edges in prop::collection::vec((0_usize..60, 0_usize..60), 0..120),
        folded in prop::collection::hash_set(1_usize..20, 0..4),
    ) {
        let graph = of(&groups, &edges);
        let all: FxHashSet<usize> = (1..30).filter(|group| !folded.contains(group)).collect();
        let level = layout(&graph, Tree::ROOT, &all);
        assert_apart(&level);
        let again = layout(&graph, Tree::ROOT, &all);
        prop_assert_eq!(format!("{:?}", level), format!("{:?}", again));
    }
}

#[test]
fn a_large_group_is_split() {
    let chain: Vec<(usize, usize)> = (1..20_000).map(|index| (index - 1, index)).collect();
    let (sheets, _) = of(&vec![0; 20_000], &chain).sheets("x", usize::MAX);
    let boxes = |what: &str| -> Vec<usize> {
        sheets.iter().map(|sheet| sheet.picture.svg.matches(what).count()).collect()
    };
    assert!(boxes("<rect").iter().all(|&count| count <= 200));
    assert_eq!(boxes("class=\"node\"").iter().sum::<usize>(), 20_000);
}

#[test]
fn many_inputs_are_a_group() {
    let arguments: Vec<String> = (0..1500).map(|index| format!("%a{index}: tensor<4xf32>")).collect();
    let sums: String = (1..1500)
        .map(|index| {
            format!(
                "  %s{index} = stablehlo.add %{}, %a{index} : tensor<4xf32>\n",
                if index == 1 { "a0".into() } else { format!("s{}", index - 1) }
            )
        })
        .collect();
    let text = format!(
        "func.func @main({}) -> tensor<4xf32> {{\n{sums}  return %s1499 : tensor<4xf32>\n}}\n",
        arguments.join(", ")
    );
    let (sheets, _) = graph(&text).sheets("x", usize::MAX);
    assert!(sheets[0].picture.svg.contains("1 500 inputs"), "{}", sheets[0].picture.svg);
    assert!(sheets.iter().all(|sheet| sheet.picture.svg.matches("<rect").count() <= 200));
}

#[test]
fn weights_are_not_drawn() {
    let text = r#"func.func @main(%w: tensor<4xf32> loc("variables['params']['Dense_0']['bias']"), %x: tensor<4xf32> loc("x")) -> tensor<4xf32> {
  %0 = stablehlo.add %x, %w : tensor<4xf32>
  return %0 : tensor<4xf32>
}
"#;
    let graph = graph(text);
    let ports: Vec<&str> = graph.inputs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(ports, ["x"]);
}

#[test]
fn deep_modules_are_drawn_with_those_above_them() {
    let path: String = (0..20_000).map(|index| format!("m{index}/")).collect();
    let text = format!(
        "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {{\n  %0 = stablehlo.tanh %x : tensor<4xf32> loc(\"jit(f)/{path}tanh\")\n  return %0 : tensor<4xf32>\n}}\n"
    );
    let graph = graph(&text);
    assert_eq!(graph.groups_of(0).len(), 32);
    assert!(graph.picture(&graph.unfolded_at_first()).svg.contains("data-node=\"0\""));
}
