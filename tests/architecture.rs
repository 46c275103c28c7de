//! The shape of the source, held by a test: which module may name which, and how long a file may grow.

#![expect(clippy::unwrap_used, reason = "tests panic to fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which top-level modules each top-level module may name. A module names only what it needs of those above it in the flow;
/// `pipeline` alone knows every stage.
const ALLOWED: &[(&str, &[&str])] = &[
    // Free to all, and without a ring among each other.
    ("error", &[]),
    ("secret", &[]),
    ("clock", &[]),
    ("interrupt", &[]),
    ("reject", &[]),
    // Pure: values and decisions.
    ("schema", &["error"]),
    ("expression", &[]),
    ("spec", &["expression", "schema", "secret"]),
    ("checkpoint", &["spec"]),
    ("event", &["checkpoint", "error", "reject", "spec"]),
    ("paginate", &["spec"]),
    ("config", &["error", "expression", "schema", "secret", "spec"]),
    // The stages.
    ("client", &["clock", "error", "event", "secret", "spec"]),
    ("extract", &["checkpoint", "client", "clock", "error", "event", "paginate", "schema", "secret", "spec"]),
    ("decode", &["error", "paginate", "reject", "schema", "spec"]),
    ("lake", &["checkpoint", "clock", "error", "event", "reject", "schema", "spec"]),
    // The one that knows them all.
    (
        "pipeline",
        &[
            "checkpoint",
            "client",
            "clock",
            "decode",
            "error",
            "event",
            "expression",
            "extract",
            "interrupt",
            "lake",
            "paginate",
            "reject",
            "schema",
            "spec",
        ],
    ),
    // A transport that records and one that gives back.
    ("cassette", &["checkpoint", "client", "config", "error", "secret", "spec"]),
    // Renderings of events.
    ("report", &["checkpoint", "clock", "error", "event", "reject", "spec"]),
    ("telemetry", &["event"]),
    // A server of its own: it shares no code with the client side, so that neither can hide a fault of the other.
    ("demo", &["clock", "error"]),
    ("testing", &[]),
    // The command line.
    (
        "cli",
        &[
            "cassette",
            "checkpoint",
            "client",
            "clock",
            "config",
            "demo",
            "error",
            "event",
            "interrupt",
            "lake",
            "pipeline",
            "report",
            "schema",
            "secret",
            "spec",
            "telemetry",
        ],
    ),
    ("main", &["cli"]),
];

/// Lines of a source file, tests apart: what one sitting can read.
const FILE_LINES_MAX: usize = 560;

#[test]
fn modules_name_only_what_they_may() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ALLOWED.iter().map(|(module, edges)| (*module, edges.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for file in source_files() {
        let module = top_level_module(&file);
        if module == "lib" {
            continue;
        }
        let Some(edges) = allowed.get(module.as_str()) else {
            wrong.push(format!("{}: module {module} has no row in the table", file.display()));
            continue;
        };
        for named in named_modules(&file) {
            if named != module && !edges.contains(named.as_str()) {
                wrong.push(format!("{}: {module} must not name {named}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_no_ring_and_no_idle_row() {
    let mut known = BTreeSet::new();
    for (module, edges) in ALLOWED {
        for edge in *edges {
            assert!(known.contains(edge), "{module} names {edge}, which stands below it");
        }
        known.insert(*module);
    }
    let present: BTreeSet<String> = source_files().iter().map(|file| top_level_module(file)).collect();
    for (module, _) in ALLOWED {
        assert!(present.contains(*module), "the table has a row for {module}, which does not exist");
    }
}

#[test]
fn only_the_places_made_for_it_touch_the_world() {
    let places: &[(&str, &[&str])] = &[
        ("reqwest::", &["crates/source/src/client/transport.rs"]),
        ("std::env::", &["src/config/interpolate.rs", "src/cli/", "src/main.rs"]),
        ("indicatif::", &["src/cli/"]),
        ("polars::", &["src/cli/table/"]),
        ("clap::", &["src/cli/"]),
        ("tracing_subscriber::", &["src/cli/"]),
        ("axum::", &["crates/demo/src/"]),
    ];
    let mut wrong = Vec::new();
    for file in source_files() {
        let path = relative(&file);
        let text = code_of(&file);
        for (name, homes) in places {
            if text.contains(name) && !homes.iter().any(|home| path.starts_with(home)) && !path.contains("tests") {
                wrong.push(format!("{path} names {name}, which belongs to {homes:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_readable_in_one_sitting() {
    let long: Vec<String> = source_files()
        .into_iter()
        .filter(|file| !relative(file).contains("tests"))
        .map(|file| (relative(&file), code_of(&file).lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(path, lines)| format!("{path} has {lines} lines"))
        .collect();
    assert!(long.is_empty(), "split by responsibility: {}", long.join(", "));
}

#[test]
fn nothing_is_left_unfinished() {
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["todo", "!("].concat(), ["#[", "ignore"].concat()];
    for file in source_files().into_iter().chain(files_below(&root().join("tests"))) {
        let text = std::fs::read_to_string(&file).unwrap();
        for word in &words {
            assert!(!text.contains(word.as_str()), "{} holds {word}", relative(&file));
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn relative(file: &Path) -> String {
    file.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/")
}

fn source_files() -> Vec<PathBuf> {
    let crates = std::fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path().join("src"));
    crates.chain([root().join("src")]).flat_map(|folder| files_below(&folder)).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn top_level_module(file: &Path) -> String {
    let path = relative(file);
    let (of_crate, below) =
        path.strip_prefix("crates/").map_or(("", path.as_str()), |rest| rest.split_once('/').unwrap());
    let below = below.strip_prefix("src/").unwrap();
    match of_crate {
        "lake" | "demo" | "testing" => of_crate.to_owned(),
        _ => below.split('/').next().unwrap().trim_end_matches(".rs").to_owned(),
    }
}

/// A file's code: comments and everything from its inline test module on are left out.
fn code_of(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The top-level modules that a file names by `crate::…`, by `lakefeed_model::…` or, in `main.rs`, by `lakefeed::…`.
fn named_modules(file: &Path) -> BTreeSet<String> {
    let of_crate = top_level_module(file);
    let own = if file.ends_with("src/main.rs") { "lakefeed::" } else { "crate::" };
    let prefixes = match of_crate.as_str() {
        "lake" | "demo" | "testing" => vec!["lakefeed_model::", "lakefeed_source::"],
        _ => vec![own, "lakefeed_model::", "lakefeed_source::"],
    };
    prefixes.into_iter().flat_map(|prefix| named_after(prefix, &code_of(file))).collect()
}

fn named_after(prefix: &str, text: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for part in text.split(prefix).skip(1) {
        if let Some(group) = part.strip_prefix('{') {
            let mut depth = 0_usize;
            let mut item = String::new();
            for character in group.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        named.extend(first_word(&item));
                        item.clear();
                        continue;
                    }
                    _ => {}
                }
                item.push(character);
            }
            named.extend(first_word(&item));
        } else {
            named.extend(first_word(part));
        }
    }
    named
}

fn first_word(text: &str) -> Option<String> {
    let word: String =
        text.trim_start().chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
    (word.chars().next().is_some_and(char::is_lowercase)).then_some(word)
}
