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
