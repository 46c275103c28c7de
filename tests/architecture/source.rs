//! Reads what is judged: source files and manifests, from a folder or from strings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

/// Text of source files and manifests by path below the root, with `/` between folders.
pub(crate) type Texts = BTreeMap<String, String>;

/// Folders that hold no source of the project.
const PASSED_OVER: &[&str] = &["target", "node_modules"];

/// Reads all `.rs` and `Cargo.toml` files below `root`.
pub(crate) fn read_folder(root: &Path) -> Texts {
    let mut texts = Texts::new();
    read_into(root, "", &mut texts);
    texts
}

fn read_into(folder: &Path, prefix: &str, texts: &mut Texts) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.file_type().unwrap().is_dir() {
            if !name.starts_with('.') && !PASSED_OVER.contains(&name.as_str()) {
                read_into(&entry.path(), &format!("{path}/"), texts);
            }
        } else if is_rust(&name) || name == "Cargo.toml" {
            texts.insert(path, std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

/// Returns whether a file holds source, by its name.
pub(crate) fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// Returns whether a source has a test of that name.
pub(crate) fn has_test(text: &str, name: &str) -> bool {
    let heads = [format!("fn {name}("), format!("async fn {name}(")];
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    lines.iter().enumerate().any(|(at, line)| {
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        let is_test = |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        heads.iter().any(|head| line.starts_with(head.as_str())) && attributes.clone().any(is_test)
    })
}

/// Returns whether a source defines a type or trait of that name.
pub(crate) fn has_type(text: &str, name: &str) -> bool {
    let is_it = |rest: &str| {
        rest.strip_prefix(name).is_some_and(|end| !end.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let word = |line: &str| {
        ["struct ", "enum ", "trait "].iter().any(|word| line.split_once(word).is_some_and(|(_, rest)| is_it(rest)))
    };
    text.lines().any(|line| !line.trim_start().starts_with("//") && word(line))
}

/// Words that look like a verb in the third person.
const NO_VERBS: &[&str] = &[
    "As", "Bytes", "Dates", "Days", "Decimals", "Files", "Headers", "Integers", "Its", "Items", "Keys", "Lines",
    "Objects", "Options", "Pages", "Records", "Rows", "Seconds", "Tables", "Texts", "This", "Ways",
];

/// Returns the descriptions of functions that begin with no verb in the third person, each with its
/// line. Tests are described by what holds, and what stands behind `#[cfg(test)]` is left out.
pub(crate) fn without_verb(text: &str) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let end = text.lines().position(|line| line == "#[cfg(test)]").unwrap_or(lines.len());
    let mut found = Vec::new();
    let mut begins = true;
    for (at, line) in lines.iter().enumerate().take(end) {
        let is_first = std::mem::replace(&mut begins, !line.starts_with("///"));
        let Some(said) = line.strip_prefix("/// ").filter(|_| is_first) else { continue };
        let mut head = lines[at..].iter().skip_while(|line| line.starts_with("///"));
        let is_test = head.clone().take_while(|line| line.starts_with("#[")).any(|line| line.contains("test"));
        let is_function = head.find(|line| !line.starts_with("#[")).is_some_and(|line| is_function(line));
        let word = said.split(' ').next().unwrap_or_default().trim_end_matches([',', '.', ':']);
        let is_verb = word.starts_with(char::is_uppercase) && word.ends_with('s') && !NO_VERBS.contains(&word);
        if is_function && !is_test && !is_verb {
            found.push((at + 1, said));
        }
    }
    found
}

/// Returns whether a line begins a function.
fn is_function(line: &str) -> bool {
    let words = line.split([' ', '(']).filter(|word| !word.is_empty());
    let known = ["pub", "crate)", "super)", "in", "const", "async", "unsafe"];
    words.into_iter().find(|word| !known.contains(word) && !word.contains("::")) == Some("fn")
}

/// A package of the workspace that has source of its own.
#[derive(Debug)]
pub(crate) struct Package {
    /// Name in its manifest.
    pub(crate) name: String,
    /// Folder below the root, empty or with `/` at its end.
    pub(crate) folder: String,
    /// Root files of its targets: the library first, then programs.
    pub(crate) roots: Vec<String>,
    /// Name in code → name of the package, for the dependencies of what ships.
    pub(crate) dependencies: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Manifest {
    package: Option<ManifestPackage>,
    workspace: Option<Workspace>,
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
struct ManifestPackage {
    name: String,
}

#[derive(Deserialize)]
struct Workspace {
    #[serde(default)]
    members: Vec<String>,
}

/// Finds the packages of the workspace: the root's, and its members. Those without `src/` are
/// passed over.
pub(crate) fn packages(texts: &Texts) -> Vec<Package> {
    let root = manifest(texts, "").expect("a Cargo.toml at the root");
    let members = root.workspace.as_ref().map(|workspace| workspace.members.clone()).unwrap_or_default();
    let mut folders: BTreeSet<String> = BTreeSet::from([String::new()]);
    for member in members {
        match member.strip_suffix('*') {
            Some(prefix) => folders.extend(manifests_below(texts, prefix)),
            None => _ = folders.insert(format!("{}/", member.trim_end_matches('/'))),
        }
    }
    folders.into_iter().filter_map(|folder| package(texts, folder)).collect()
}

fn manifests_below(texts: &Texts, prefix: &str) -> Vec<String> {
    let below = texts.keys().filter_map(|path| path.strip_prefix(prefix)?.strip_suffix("/Cargo.toml"));
    below.filter(|name| !name.contains('/')).map(|name| format!("{prefix}{name}/")).collect()
}

fn package(texts: &Texts, folder: String) -> Option<Package> {
    let manifest = manifest(texts, &folder)?;
    let name = manifest.package?.name;
    let files = ["lib.rs", "main.rs"].map(|file| format!("{folder}src/{file}"));
    let mut roots: Vec<String> = files.into_iter().filter(|path| texts.contains_key(path)).collect();
    let programs = format!("{folder}src/bin/");
    roots.extend(texts.keys().filter(|path| path.strip_prefix(&programs).is_some_and(is_program)).cloned());
    let dependencies = manifest.dependencies.into_iter().map(|(key, value)| {
        let package = value.get("package").and_then(toml::Value::as_str).unwrap_or(&key).to_owned();
        (key.replace('-', "_"), package)
    });
    let dependencies = dependencies.collect();
    (!roots.is_empty()).then_some(Package { name, folder, roots, dependencies })
}

fn is_program(below: &str) -> bool {
    match below.split_once('/') {
        None => true,
        Some((_, file)) => file == "main.rs",
    }
}

fn manifest(texts: &Texts, folder: &str) -> Option<Manifest> {
    let path = format!("{folder}Cargo.toml");
    Some(toml::from_str(texts.get(&path)?).unwrap_or_else(|error| panic!("{path}: {error}")))
}
