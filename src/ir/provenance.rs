//! Finds where an op comes from in the user's program: the Python line and the module path.
//!
//! JAX prints `loc("jit(apply)/Model/Dense_0/dot_general"(#stack))` for an op: a path of names and the Python call
//! stack. The stack is a chain of call sites, innermost first; each frame names a function and a position in a file.
//! Inlining appends the stack of the call to that of the function.

use super::{Location, LocationId, Module, OpId, Symbol};
use crate::diagnostic::{Diagnostic, PythonFrame};

/// Locations form a graph that the input can make deep or cyclic; longer walks stop here.
const MOST_STEPS: usize = 256;

/// Package folders whose frames are not user code.
const LIBRARIES: &[&str] = &[
    "chex",
    "diffrax",
    "distrax",
    "einops",
    "equinox",
    "flax",
    "haiku",
    "hlo2onnx",
    "jax",
    "jaxlib",
    "keras",
    "lineax",
    "numpy",
    "optax",
    "optimistix",
    "orbax",
    "tensorflow_probability",
];

/// The innermost Python line outside of libraries, or else the innermost line.
pub fn python_frame(module: &Module, location: LocationId) -> Option<PythonFrame> {
    let frames = frames(module, location);
    let own = frames.iter().position(|frame| library(&frame.file).is_none()).unwrap_or(0);
    let mut libraries: Vec<String> = Vec::new();
    for name in frames.iter().take(own).filter_map(|frame| library(&frame.file)) {
        if !libraries.contains(&name) {
            libraries.push(name);
        }
    }
    let mut frame = frames.into_iter().nth(own)?;
    (frame.library_frames, frame.libraries) = (own, libraries);
    Some(frame)
}

/// The module path and the primitive, without JAX's leading `jit(...)`: `Model/Dense_0/dot_general`.
///
/// Inside a private function the path is relative; the call's path is prepended.
pub fn scope(module: &Module, location: LocationId) -> Option<String> {
    let mut path: Vec<&str> = Vec::new();
    for (name, _) in call_names(module, location).into_iter().rev() {
        for part in parts(name).filter(|part| !is_transform(part)) {
            if path.last() != Some(&part) {
                path.push(part);
            }
        }
    }
    if path.is_empty() { None } else { Some(path.join("/")) }
}

/// The name in a location itself: for an argument, its path in the argument tree.
pub fn own_name(module: &Module, location: LocationId) -> Option<&str> {
    own_symbol(module, location).map(|name| module.symbols.get(name))
}

fn own_symbol(module: &Module, location: LocationId) -> Option<Symbol> {
    let mut current = location;
    for _ in 0..MOST_STEPS {
        match module.location(current) {
            &Location::Name(name, child) => {
                // JAX wraps the path in the kind of an op: `loc("io_callback:"(loc("jit(f)/M/io_callback"(...))))`.
                if module.symbols.get(name).ends_with(':')
                    && matches!(module.location(child), Location::Name(..))
                {
                    current = child;
                    continue;
                }
                return Some(name);
            }
            Location::CallSite { callee, .. } => current = *callee,
            Location::Fused(_, parts) => current = *parts.first()?,
            _ => return None,
        }
    }
    None
}

/// The name of a weight in the user's own tree, whichever function uses it. `None` for other ops.
pub fn weight_name(module: &Module, op: OpId) -> Option<Symbol> {
    if module.weight_names.is_empty() {
        return None;
    }
    module.op(op).results.first().and_then(|&result| module.constant_of(result))?;
    own_symbol(module, module.op_location(op)).filter(|name| module.weight_names.contains(name))
}

/// Adds the user's line and the module path to a diagnostic.
pub fn complete(module: &Module, location: LocationId, diagnostic: &mut Diagnostic) {
    diagnostic.python = python_frame(module, location);
    diagnostic.module_path =
        scope(module, location).and_then(|path| path.rsplit_once('/').map(|(modules, _)| modules.to_owned()));
}

impl Module {
    /// A diagnostic of an op, with the user's line and the module path.
    pub fn located(&self, op: OpId, diagnostic: impl Into<Diagnostic>) -> Diagnostic {
        let mut diagnostic = diagnostic.into();
        complete(self, self.op_location(op), &mut diagnostic);
        diagnostic
    }
}

/// The Python call stack, innermost first.
fn frames(module: &Module, location: LocationId) -> Vec<PythonFrame> {
    let (mut frames, mut pending, mut function) = (Vec::new(), vec![location], None);
    for _ in 0..MOST_STEPS {
        let Some(current) = pending.pop() else { break };
        match module.location(current) {
            Location::Name(name, child) => {
                function = Some(module.symbols.get(*name).to_owned());
                pending.push(*child);
                continue;
            }
            Location::CallSite { callee, caller } => pending.extend([*caller, *callee]),
            Location::Fused(_, parts) => pending.extend(parts.first()),
            Location::File { file, start, end } => frames.push(PythonFrame {
                file: module.symbols.get(*file).to_owned(),
                line: start.0,
                // JAX prints Python's columns, which start at 0.
                column: start.1.saturating_add(1),
                end_column: (start.0 == end.0 && end.1 > start.1).then_some(end.1.saturating_add(1)),
                function: function.take(),
                library_frames: 0,
                libraries: Vec::new(),
            }),
            Location::Unknown | Location::Opaque(_) => {}
        }
        function = None;
    }
    frames
}

/// Whether the innermost frame is in a file whose path ends with this.
pub fn is_in_file(module: &Module, location: LocationId, path: &str) -> bool {
    frames(module, location).first().is_some_and(|frame| frame.file.replace('\\', "/").ends_with(path))
}

/// The library that a file belongs to, or `None` for user code.
fn library(file: &str) -> Option<String> {
    let file = file.replace('\\', "/");
    if file.starts_with("<frozen") {
        return Some("python".to_owned());
    }
    let (_, path) = file.rsplit_once("site-packages/").or_else(|| file.rsplit_once("dist-packages/"))?;
    let (package, _) = path.split_once('/')?;
    LIBRARIES.contains(&package).then(|| package.to_owned())
}

/// A module, or a function that JAX calls, around an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'m> {
    /// `Dense_0`, or `silu` of `jit(silu)`.
    pub name: &'m str,
    /// For a function, the location of its call.
    pub call: Option<LocationId>,
}

/// The modules and functions around an op, outermost first, and the name of its primitive.
///
/// Skips parts of the path that are not user scopes: the leading `jit` of the program, what JAX adds for loops,
/// branches and recomputation, and einsum formulas.
pub fn scopes(module: &Module, location: LocationId) -> (Vec<Scope<'_>>, &str) {
    let mut scopes: Vec<Scope> = Vec::new();
    let mut primitive = "";
    let names = call_names(module, location);
    for (index, &(name, location)) in names.iter().enumerate().rev() {
        let outermost = index + 1 == names.len();
        let parts: Vec<&str> = parts(name).collect();
        for (position, &part) in parts.iter().enumerate() {
            let (before, after) =
                (position.checked_sub(1).map(|at| parts[at]), parts.get(position + 1).copied());
            let scope = match (called(part), after) {
                (Some(_), _) if outermost && position == 0 => continue,
                (Some(called), Some(_)) => Scope { name: called, call: Some(LocationId::UNKNOWN) },
                // The path of a call ends with the callee, or with the calling module; a lone name is a primitive.
                (Some(called), None) if index > 0 => Scope { name: called, call: Some(location) },
                (None, None)
                    if index > 0 && before.is_some() && part != "cond" && !is_structure(before, part, "") =>
                {
                    Scope { name: part, call: None }
                }
                (_, None) => {
                    primitive = part;
                    continue;
                }
                (None, Some(after)) if is_structure(before, part, after) => continue,
                (None, Some(_)) => Scope { name: part, call: None },
            };
            if !is_scope_name(scope.name) {
                continue;
            }
            if let Some(last) = scopes.last_mut()
                && last.call.is_none()
                && scope.call.is_none()
                && module_of(last.name) == scope.name
            {
                *last = scope;
                continue;
            }
            scopes.push(scope);
        }
    }
    (scopes, primitive)
}

/// The source position of an op, without those of the calls that lead to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point<'m> {
    /// The path of the outermost call (or of the op), and the innermost Python line under it.
    outermost: (&'m str, &'m Location),
    /// The same, relative to the callee.
    own: Option<(&'m str, &'m Location)>,
}

/// Whether a location has a position in the program, in a module or not. Casts at the program's boundary and sizes of
/// inputs have none.
pub fn has_path(module: &Module, location: LocationId) -> bool {
    call_names(module, location).iter().any(|(name, _)| name.contains('/'))
}

/// The source position of an op. Ops that are reached again, such as the first op of a layer applied twice, have
/// equal positions. `None` if the text has no location.
pub fn point(module: &Module, location: LocationId) -> Option<Point<'_>> {
    let (mut outermost, mut own) = (location, location);
    for _ in 0..MOST_STEPS {
        let Location::CallSite { caller, .. } = module.location(outermost) else { break };
        outermost = *caller;
    }
    for _ in 0..MOST_STEPS {
        let Location::CallSite { callee, .. } = module.location(own) else { break };
        own = *callee;
    }
    let outermost = named_line(module, outermost).filter(|(name, line)| {
        // Frames also have names, but no path.
        name.contains('/') && **line != Location::Unknown
    })?;
    Some(Point { outermost, own: named_line(module, own) })
}

/// The name in a location, and the innermost frame under it.
fn named_line(module: &Module, location: LocationId) -> Option<(&str, &Location)> {
    let Location::Name(name, child) = module.location(location) else { return None };
    let frames = std::iter::successors(Some(*child), |&frame| match module.location(frame) {
        Location::CallSite { callee, .. } => Some(*callee),
        _ => None,
    });
    Some((module.symbols.get(*name), module.location(frames.take(MOST_STEPS).last()?)))
}

/// The module of `Embed_0.attend`: Flax appends methods other than `__call__`.
pub fn module_of(name: &str) -> &str {
    name.split_once('.').map_or(name, |(module, _)| module)
}

/// Whether a name can be a module or function: dotted identifiers, unlike einsum formulas.
fn is_scope_name(name: &str) -> bool {
    name.split('.').all(|word| {
        word.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// Whether a path component is generated by JAX: `while/body`, `cond/branch_0_fun`, `checkpoint`.
fn is_structure(before: Option<&str>, part: &str, after: &str) -> bool {
    const STRUCTURE: &[&str] = &[
        "checkpoint",
        "closed_call",
        "core_call",
        "custom_jvp_call",
        "custom_vjp_call",
        "eval_jaxpr",
        "jit",
        "pjit",
        "remat",
        "rematted_computation",
        "while",
    ];
    let is_branch = |part: &str| part.starts_with("branch_") && part.ends_with("_fun");
    match part {
        "body" => before == Some("while"),
        "cond" => before == Some("while") || is_branch(after),
        _ => STRUCTURE.contains(&part) || (is_branch(part) && before == Some("cond")),
    }
}

/// The names along the calls that lead to an op, with their locations, outermost last.
fn call_names(module: &Module, location: LocationId) -> Vec<(&str, LocationId)> {
    let (mut names, mut pending) = (Vec::new(), vec![location]);
    for _ in 0..MOST_STEPS {
        let Some(current) = pending.pop() else { break };
        match module.location(current) {
            Location::CallSite { callee, caller } => pending.extend([*caller, *callee]),
            Location::Fused(_, parts) => pending.extend(parts.first()),
            _ => names.extend(own_name(module, current).map(|name| (name, current))),
        }
    }
    names
}

/// The components of a path. Old JAX releases print the parameters of primitives, which may contain slashes:
/// `jit(f)/M/dot_general[precision=None]`. They are dropped, except for `pjit`, whose parameters name the callee.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    let between = move |symbol: char| {
        match symbol {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        symbol == '/' && depth == 0
    };
    let plain = |part| match part {
        call if str::starts_with(call, "pjit[") => call,
        primitive => primitive.split('[').next().unwrap_or(primitive),
    };
    path.split(between).map(plain).filter(|part| !part.is_empty())
}

/// `jit(f)`, `jvp(f)`, `vmap(...)`: a transformation, not a user module.
fn is_transform(part: &str) -> bool {
    transformed(part).is_some() || part.starts_with("pjit[")
}

/// A transformation and its argument.
fn transformed(part: &str) -> Option<(&str, &str)> {
    const TRANSFORMS: &[&str] = &["jit", "pjit", "jvp", "vmap", "transpose", "remat", "checkpoint", "pmap"];
    let (name, rest) = part.split_once('(')?;
    Some((name, rest.strip_suffix(')')?)).filter(|_| TRANSFORMS.contains(&name))
}

/// The function in `jit(silu)`, `transpose(jvp(jit(silu)))`, or `pjit[... name=silu ...]`.
fn called(part: &str) -> Option<&str> {
    if let Some(parameters) = part.strip_prefix("pjit[") {
        return parameters.split_ascii_whitespace().find_map(|parameter| parameter.strip_prefix("name="));
    }
    let (mut name, mut inner) = transformed(part)?;
    while name != "jit" {
        (name, inner) = transformed(inner)?;
    }
    Some(inner)
}

#[cfg(test)]
mod tests {
    use super::{Location, LocationId, Module, scopes};

    fn named(module: &mut Module, name: &str) -> LocationId {
        let name = module.symbols.intern(name);
        module.add_location(Location::Name(name, LocationId::UNKNOWN))
    }

    /// The scopes of an op in the innermost of some functions, each of which calls the previous one.
    fn path(names: &[&str]) -> String {
        let mut module = Module::new();
        let mut location = named(&mut module, names[0]);
        for name in &names[1..] {
            let caller = named(&mut module, name);
            location = module.add_location(Location::CallSite { callee: location, caller });
        }
        let (scopes, primitive) = scopes(&module, location);
        let names: Vec<&str> = scopes.iter().map(|scope| scope.name).collect();
        format!("{} {primitive}", names.join("/")).trim_start().to_owned()
    }

    #[test]
    fn modules_differ_from_jax_scopes() {
        assert_eq!(path(&["jit(apply)/M/Dense_0/dot_general"]), "M/Dense_0 dot_general");
        assert_eq!(path(&["jit(apply)/M/attn_0/attn_0/add"]), "M/attn_0 add");
        assert_eq!(path(&["jit(apply)/M/...qhd,...khd->...hqk/dot_general"]), "M dot_general");
        assert_eq!(path(&["jit(apply)/M/while/body/closed_call/Cell_0/if/add"]), "M/Cell_0/if add");
        assert_eq!(path(&["jit(f)/M/cond/branch_1_fun/body/mul"]), "M/body mul");
        assert_eq!(path(&["jit(f)/M.<lambda>/M/Cell_0.scan_fn/Cell_0/add"]), "M/Cell_0 add");
        assert_eq!(path(&["jit(f)/M/wte.attend/dot_general"]), "M/wte.attend dot_general");
        assert_eq!(path(&["jit(f)/transpose(jvp(M))/Dense_0/mul"]), "Dense_0 mul");
        assert_eq!(path(&["jit(f)/sin"]), "sin");
        assert_eq!(path(&["dot"]), "dot");
        assert_eq!(path(&["jit(f)/M/Dense_0/dot_general[dims=((1,), [0]) f=a/b]"]), "M/Dense_0 dot_general");
        assert_eq!(path(&["jit(f)/M/pjit[in=(a/b,) name=silu inline=False]/neg"]), "M/silu neg");
    }

    #[test]
    fn calls_precede_callees() {
        assert_eq!(path(&["neg", "jit(f)/M/jit(silu)"]), "M/silu neg");
        assert_eq!(path(&["select_n", "jit(_where)", "jit(f)/M/jit(_take)"]), "M/_take/_where select_n");
        assert_eq!(path(&["max", "jit(f)/M/vmap(jit(relu))"]), "M/relu max");
        assert_eq!(path(&["mul", "jit(f)/M/transpose(jvp(jit(silu)))"]), "M/silu mul");
        // JAX's own functions, such as `argmax`, are called from the module.
        assert_eq!(path(&["reduce", "jit(f)/M"]), "M reduce");
        assert_eq!(path(&["reduce", "jit(f)/M/while/body"]), "M reduce");
        assert_eq!(path(&["while", "cholesky", "jit(f)/M/jit(cholesky)"]), "M/cholesky while");
        assert_eq!(
            path(&["layer/Dense_0/add", "while/body/closed_call", "jit(f)/M/while"]),
            "M/layer/Dense_0 add"
        );
    }
}
