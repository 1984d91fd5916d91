//! The layers of the sources: a module names modules of the same layer or a lower one, and there is no cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use resilient_tests::fixture::repository;

/// Layers from the lowest to the highest, each with its modules.
type Layers = &'static [(&'static str, &'static [&'static str])];

const RUNTIME: Layers = &[
    ("ground", &["adjusted", "classify", "clock", "identity", "redact", "retry", "trace"]),
    ("vocabulary", &["answer", "error", "outcomes", "sources"]),
    (
        "mechanisms",
        &[
            "access_token",
            "alerting",
            "breaker",
            "bulkhead",
            "cache",
            "connections",
            "context",
            "deferred",
            "gate",
            "keyed_hash",
            "log_fields",
            "panics",
            "rate_limit",
            "replicas",
            "statistics",
        ],
    ),
    ("record", &["binding", "requested_time", "settings", "site", "telemetry"]),
    ("registry", &["registry"]),
    ("pipeline", &["pipeline"]),
    (
        "faces",
        &[
            "__private",
            "alerts",
            "export",
            "guard",
            "health",
            "http",
            "logging",
            "mcp",
            "operations",
            "otel",
            "series",
            "startup",
            "testing",
            "view",
        ],
    ),
];

const POLICY: Layers = &[
    ("ground", &["bytes", "case", "code", "duration", "name", "problem", "scalar", "secret", "suggest"]),
    ("values", &["effect", "kind", "level", "node", "setting"]),
    ("forms", &["form"]),
    ("schema", &["reader", "schema"]),
    ("keys", &["breaker", "bulkhead", "cache", "deferred", "rate_limit", "retry"]),
    ("policy", &["policy"]),
    ("rules", &["check"]),
    ("uses", &["describe", "file", "tune"]),
];

const CLIENT: Layers = &[
    ("ground", &["command", "fake", "interned", "lines", "message", "server_requests", "target", "variables"]),
    ("configuration", &["config"]),
    ("links", &["failure", "link"]),
    ("supervision", &["supervisor"]),
    ("calls", &["call"]),
    ("one client", &["session"]),
    ("faces", &["connection", "guide", "servers"]),
];

const PROXY: Layers = &[
    ("ground", &["arguments", "service"]),
    ("fronts", &["front"]),
    ("one server", &["bridge"]),
    ("several", &["merge", "per_session"]),
    ("start", &["admin", "setup"]),
    ("entry", &["run"]),
];

const REDIS: Layers = &[
    ("ground", &["address", "clock", "stream"]),
    ("one Redis", &["link", "redis"]),
    ("what is shared", &["deferred", "limit", "news", "sessions", "shared"]),
    ("faces", &["guide", "start"]),
];

const MACROS: Layers =
    &[("shared", &["krate", "latest", "manifest", "parse", "project"]), ("macros", &["mcp_error", "resilient"])];

const ATTRIBUTE: Layers = &[
    ("parse", &["parse"]),
    ("plan", &["plan"]),
    ("check", &["check"]),
    ("expand", &["expand"]),
    ("entry", &["authorize", "block", "handler", "hooked"]),
];

const DERIVE: Layers = &[("parse", &["parse"]), ("plan", &["plan"]), ("check", &["check"]), ("expand", &["expand"])];

#[test]
fn a_module_of_the_runtime_names_no_module_of_a_higher_layer_and_there_is_no_circle() {
    assert_layers("resilient-runtime/src", "crate", RUNTIME);
}

#[test]
fn a_module_of_the_policy_names_no_module_of_a_higher_layer_and_there_is_no_circle() {
    assert_layers("resilient-policy/src", "crate", POLICY);
}

#[test]
fn a_module_of_the_policy_imports_by_the_path_of_a_module_and_not_through_the_root() {
    let files = Files::read(&repository().join("resilient-policy/src"), "crate");
    let named = files.all.iter().flat_map(|(path, file)| file.named.iter().map(move |named| (path, named)));
    let through_root = named.filter(|(_, named)| {
        let first = named.split("::").take(2).collect::<Vec<_>>().join("::");
        !files.all.contains_key(&first)
    });
    let wrong: Vec<_> = through_root.map(|(path, named)| format!("{path} imports {named}")).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_module_of_the_client_names_no_module_of_a_higher_layer_and_there_is_no_circle() {
    assert_layers("resilient-client/src", "crate", CLIENT);
}

#[test]
fn a_module_of_the_proxy_names_no_module_of_a_higher_layer_and_there_is_no_circle() {
    assert_layers("resilient-proxy/src", "crate", PROXY);
}

#[test]
fn a_module_for_redis_names_no_module_of_a_higher_layer_and_there_is_no_circle() {
    assert_layers("resilient-redis/src", "crate", REDIS);
}

#[test]
fn a_module_of_the_macros_names_no_module_of_a_higher_layer_and_there_is_no_circle() {
    assert_layers("resilient-macros/src", "crate", MACROS);
    assert_layers("resilient-macros/src/resilient", "crate::resilient", ATTRIBUTE);
    assert_layers("resilient-macros/src/mcp_error", "crate::mcp_error", DERIVE);
}

/// The names that each node uses.
type Graph = BTreeMap<String, BTreeSet<String>>;

fn assert_layers(folder: &str, root: &str, layers: Layers) {
    let files = Files::read(&repository().join(folder), root);
    let (mut by_file, mut by_module) = (Graph::new(), Graph::new());
    let mut wrong = Vec::new();
    let layer = |module: &str| layers.iter().position(|(_, modules)| modules.contains(&module));
    for (from, to) in files.edges() {
        let [upper, lower] = [&from, &to].map(|path| module(&files.root, path));
        match (layer(upper), layer(lower)) {
            (Some(is), Some(names)) if names > is => {
                wrong.push(format!("{from} (layer {}) names {to} (layer {})", layers[is].0, layers[names].0));
            }
            (Some(_), Some(_)) => {}
            _ => wrong.push(format!("{from} or {to} is in no layer")),
        }
        if upper != lower {
            by_module.entry(upper.to_owned()).or_default().insert(lower.to_owned());
        }
        by_file.entry(from).or_default().insert(to);
    }
    wrong.extend(circle(&by_module).or_else(|| circle(&by_file)).map(|names| format!("a circle: {names}")));
    assert!(by_file.len() > 10 && wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns the top-level module of the crate that contains a path.
fn module<'p>(root: &str, path: &'p str) -> &'p str {
    path[root.len() + 2..].split("::").next().unwrap_or_default()
}

/// Finds a cycle. A file and the files in the folder of its name are one unit: in it, the parent may name the children
/// and the children the parent, as long as there is no cycle among the children.
fn circle(graph: &Graph) -> Option<String> {
    let reached = |from: &String| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(node) = next.pop() {
            next.extend(graph.get(node).into_iter().flatten().filter(|node| seen.insert((*node).clone())));
        }
        seen
    };
    let reached: BTreeMap<_, _> = graph.keys().map(|node| (node, reached(node))).collect();
    for (node, others) in reached.iter().filter(|(node, others)| others.contains(**node)) {
        let is_back = |other: &&String| reached.get(other).is_some_and(|back| back.contains(*node));
        let group: BTreeSet<_> = others.iter().filter(is_back).cloned().collect();
        let holds_all =
            |parent: &&String| group.iter().all(|it| it == *parent || it.starts_with(&format!("{parent}::")));
        let Some(parent) = group.iter().find(holds_all) else {
            return Some(group.into_iter().collect::<Vec<_>>().join(", "));
        };
        let named = |of: &String| graph[of].iter().filter(|to| *to != parent && group.contains(*to)).cloned().collect();
        if let Some(found) = circle(&group.iter().map(|from| (from.clone(), named(from))).collect()) {
            return Some(found);
        }
    }
    None
}

struct Files {
    root: String,
    all: BTreeMap<String, File>,
}

struct File {
    /// The paths that the file names, except for re-exports.
    named: Vec<String>,
    /// The names that `use` declares.
    imported: BTreeMap<String, String>,
}

impl Files {
    fn read(folder: &Path, root: &str) -> Self {
        let mut texts = BTreeMap::new();
        collect(folder, root, &mut texts);
        let modules: BTreeSet<String> = texts.keys().cloned().collect();
        let all = texts.iter().map(|(path, text)| (path.clone(), File::parse(path, text, &modules))).collect();
        Self { root: root.to_owned(), all }
    }

    fn edges(&self) -> impl Iterator<Item = (String, String)> {
        let files = self.all.iter().filter(move |(path, _)| **path != self.root);
        let named = files.flat_map(move |(path, file)| file.named.iter().map(move |named| (path, self.file_of(named))));
        named.filter(move |(from, to)| *from != to && *to != self.root).map(|(from, to)| (from.clone(), to))
    }

    /// Returns the file that declares a path, following a small number of re-exports.
    fn file_of(&self, path: &str) -> String {
        let (mut path, mut found) = (path.to_owned(), self.root.clone());
        for _ in 0..8 {
            let ends = path.match_indices("::").map(|(at, _)| at).chain([path.len()]);
            let known = ends.map(|end| path.split_at(end)).filter(|(file, _)| self.all.contains_key(*file)).last();
            let Some((file, behind)) = known else { return self.root.clone() };
            file.clone_into(&mut found);
            let name = behind.split("::").nth(1).unwrap_or_default();
            let Some(other) = self.all[file].imported.get(name) else { break };
            path = format!("{other}{}", &behind[2 + name.len()..]);
        }
        found
    }
}

/// Returns the texts of all files below a folder, without comments and tests, by the paths of their modules.
fn collect(folder: &Path, path: &str, texts: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("the sources") {
        let file = entry.expect("an entry").path();
        let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let inner = if ["mod", "lib"].contains(&name) { path.to_owned() } else { format!("{path}::{name}") };
        if ["tests", "guide", "fuzz"].contains(&name) {
        } else if file.is_dir() {
            collect(&file, &inner, texts);
        } else if file.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&file).expect("a source file");
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let text = text.replace("#[cfg(test)]\nmod tests;", "");
            let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
            texts.insert(inner, lines.collect::<Vec<_>>().join("\n"));
        }
    }
}

impl File {
    fn parse(path: &str, text: &str, modules: &BTreeSet<String>) -> Self {
        let mut file = Self { named: Vec::new(), imported: BTreeMap::new() };
        let mut others = String::new();
        let mut rest = text;
        while let Some((before, after)) = next_use(rest) {
            let (tree, after) = after.split_once(';').unwrap_or((after, ""));
            let is_shown = before.trim_end().ends_with("pub") || before.trim_end().ends_with(')');
            for (named, alias) in flat("", tree) {
                if let Some(named) = absolute(path, &named, modules) {
                    file.imported.insert(alias, named.clone());
                    if !is_shown {
                        file.named.push(named);
                    }
                }
            }
            others.push_str(before);
            rest = after;
        }
        others.push_str(rest);
        for word in
            others.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).filter(|it| it.contains("::"))
        {
            let (first, behind) = word.split_once("::").unwrap_or_default();
            let imported = file.imported.get(first).map(|first| format!("{first}::{behind}"));
            file.named.extend(imported.or_else(|| absolute(path, word, modules)));
        }
        file
    }
}

/// Splits the text at the next `use` that begins an item.
fn next_use(text: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find("use ")?;
        let before = text[..at].trim_end_matches(' ');
        if before.is_empty() || before.ends_with(['\n', ')']) || before.ends_with("pub") {
            return Some((&text[..at], &text[at + 4..]));
        }
        from = at + 4;
    }
}

/// Returns the paths of a tree of `use`, each with its local name.
fn flat(prefix: &str, tree: &str) -> Vec<(String, String)> {
    let tree = tree.trim();
    if let Some((head, group)) = tree.split_once('{') {
        let group = group.trim().trim_end_matches(|c: char| c.is_whitespace()).strip_suffix('}').unwrap_or(group);
        let mut depth = 0;
        let parts = group.split(move |c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            c == ',' && depth == 0
        });
        let prefix = format!("{prefix}{}", head.trim());
        return parts.filter(|part| !part.trim().is_empty()).flat_map(|part| flat(&prefix, part)).collect();
    }
    let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
    let path = format!("{prefix}{path}");
    let path = path.strip_suffix("::self").unwrap_or(&path);
    let alias = if alias.is_empty() { path.rsplit("::").next().unwrap_or_default() } else { alias };
    vec![(path.to_owned(), alias.to_owned())]
}

/// Returns the path from the root of the crate, if it begins there or at a known module.
fn absolute(module: &str, path: &str, modules: &BTreeSet<String>) -> Option<String> {
    let (mut module, mut rest) = (module, path);
    while let Some(behind) = rest.strip_prefix("super::") {
        (module, rest) = (module.rsplit_once("::")?.0, behind);
    }
    match rest.split("::").next()? {
        "crate" => Some(rest.to_owned()),
        "self" => Some(format!("{module}{}", rest.strip_prefix("self")?)),
        first if rest != path || modules.contains(&format!("{module}::{first}")) => Some(format!("{module}::{rest}")),
        _ => None,
    }
}
