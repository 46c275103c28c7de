//! What stands below us, held by a test: licences, sources, versions that may exist once, known
//! advisories and the oldest compiler, for everything that the lock file has on this platform.
//! `deny.toml` says what is allowed, `advisories.toml` what is known; nothing is asked of a
//! network.

#![expect(clippy::unwrap_used, reason = "tests panic to fail")]
#![expect(clippy::disallowed_methods, reason = "this is no part of lakefeed: it reads the tree")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use semver::{Version, VersionReq};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The registry that cargo asks by default.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// `deny.toml`, as far as it is held here.
#[derive(Deserialize)]
struct Deny {
    advisories: Advisories,
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Advisories {
    ignore: Vec<Ignored>,
}

#[derive(Deserialize)]
struct Ignored {
    id: String,
    reason: String,
}

#[derive(Deserialize)]
struct Licences {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    #[serde(default)]
    deny_multiple_versions: bool,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
}

/// `advisories.toml`.
#[derive(Deserialize)]
struct Known {
    advisories: Vec<Advisory>,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    #[serde(rename = "crate")]
    name: String,
    sound: Vec<VersionReq>,
    title: String,
}

impl Advisory {
    fn is_about(&self, package: &Package) -> bool {
        let is_sound = || self.sound.iter().any(|sound| sound.matches(&package.version));
        self.name == package.name && !is_sound()
    }
}

/// What cargo says of the tree.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: Version,
    license: Option<String>,
    source: Option<String>,
    rust_version: Option<Version>,
    publish: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
    features: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

static DENY: LazyLock<Deny> = LazyLock::new(|| toml::from_str(&read("deny.toml")).unwrap());
static WHOLE: LazyLock<Metadata> = LazyLock::new(|| metadata(&["--all-features"]));

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The tree on this platform, for which the build has fetched everything.
fn metadata(features: &[&str]) -> Metadata {
    let version = output(&std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()), &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let arguments = ["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", host];
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    json(&output(&cargo, &[&arguments[..], features].concat()))
}

fn output(program: &str, arguments: &[&str]) -> String {
    let ran = Command::new(program).args(arguments).current_dir(root()).output().unwrap();
    assert!(ran.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// Reads JSON. A compiler's version may have two parts.
fn json<T: DeserializeOwned>(text: &str) -> T {
    let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
    for package in value["packages"].as_array_mut().unwrap() {
        if let Some(version) = package["rust_version"].as_str() {
            package["rust_version"] = (version.to_owned() + &".0".repeat(2 - version.matches('.').count())).into();
        }
    }
    serde_json::from_value(value).unwrap()
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_licence_is_allowed() {
    let foreign = WHOLE.packages.iter().filter(|package| package.source.is_some());
    let wrong = foreign
        .filter(|package| !package.license.as_ref().is_some_and(|licence| is_allowed(licence, &DENY.licenses.allow)));
    assert_none(&wrong.map(|package| format!("{}: {:?}", package.name, package.license)).collect::<Vec<_>>());
    let own = WHOLE.packages.iter().filter(|package| WHOLE.workspace_members.contains(&package.id));
    let wrong = own.filter(|package| package.license.as_deref() != Some("MIT OR Apache-2.0"));
    assert_none(&wrong.map(|package| package.name.clone()).collect::<Vec<_>>());
}

/// Whether an SPDX expression can be fulfilled by what is allowed. Older packages write `/` for
/// `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "+WITH+");
    let mut words = spaced.split_whitespace().peekable();
    let is_fulfilled = any_of(&mut words, allowed);
    is_fulfilled && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut is_fulfilled = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        is_fulfilled |= all_of(words, allowed);
    }
    is_fulfilled
}

fn all_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut is_fulfilled = true;
    loop {
        is_fulfilled &= match words.next() {
            Some("(") => any_of(words, allowed) & (words.next() == Some(")")),
            Some(licence) => allowed.contains(&licence.replace("+WITH+", " WITH ")),
            None => false,
        };
        if words.next_if_eq(&"AND").is_none() {
            return is_fulfilled;
        }
    }
}

#[test]
fn expressions_of_licences_are_understood() {
    let allowed = ["MIT", "Apache-2.0", "A WITH B"].map(str::to_owned).into();
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT/GPL-3.0", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("MIT AND Apache-2.0", true),
        ("GPL-3.0 OR MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Apache-2.0", true),
        ("((GPL-3.0 OR X) OR (MIT)) AND (Apache-2.0)", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("A WITH B OR X", true),
        ("A", false),
        ("MIT WITH B", false),
        ("", false),
        ("MIT MIT", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn everything_comes_from_the_one_registry() {
    assert_eq!((DENY.sources.unknown_registry.as_str(), DENY.sources.unknown_git.as_str()), ("deny", "deny"));
    let is_ours = |package: &Package| WHOLE.workspace_members.contains(&package.id);
    let wrong =
        WHOLE.packages.iter().filter(|package| !is_ours(package) && package.source.as_deref() != Some(REGISTRY));
    assert_none(&wrong.map(|package| format!("{}: {:?}", package.name, package.source)).collect::<Vec<_>>());
}

#[test]
fn what_is_banned_is_not_there_and_what_may_be_there_once_is() {
    let mut versions: BTreeMap<&str, Vec<&Version>> = BTreeMap::new();
    for package in &WHOLE.packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    let mut wrong = Vec::new();
    for ban in &DENY.bans.deny {
        let found = versions.get(ban.name.as_str()).map_or(0, Vec::len);
        if found > usize::from(ban.deny_multiple_versions) {
            wrong.push(format!("{} is there {found} times: {}", ban.name, ban.reason));
        }
        if ban.deny_multiple_versions && found == 0 {
            wrong.push(format!("{} is not there: its line in deny.toml can go", ban.name));
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_known_advisory_is_fixed_or_ignored_for_a_reason() {
    let known: Known = toml::from_str(&read("tests/architecture/advisories.toml")).unwrap();
    let (mut wrong, mut found) = (Vec::new(), BTreeSet::new());
    for package in &WHOLE.packages {
        for advisory in known.advisories.iter().filter(|advisory| advisory.is_about(package)) {
            found.insert(&advisory.id);
            if !DENY.advisories.ignore.iter().any(|ignored| ignored.id == advisory.id) {
                wrong.push(format!("{} {}: {}: {}", package.name, package.version, advisory.id, advisory.title));
            }
        }
    }
    for ignored in &DENY.advisories.ignore {
        if !found.contains(&ignored.id) || ignored.reason.len() < 20 {
            wrong.push(format!("{} is ignored for nothing, or without a reason", ignored.id));
        }
    }
    assert_none(&wrong);
}

#[test]
fn an_advisory_is_about_the_versions_that_are_not_sound() {
    let advisory: Advisory =
        toml::from_str("id = 'R'\ncrate = 'x'\ntitle = 't'\nsound = ['>= 0.4.1, < 0.5.0', '>= 0.5.2', '< 0.3']")
            .unwrap();
    let package = |name: &str, version: &str| {
        let package = serde_json::json!({"id": "i", "name": name, "version": version});
        serde_json::from_value::<Package>(package).unwrap()
    };
    for (name, version, expected) in [
        ("x", "0.2.9", false),
        ("x", "0.3.0", true),
        ("x", "0.4.0", true),
        ("x", "0.4.1", false),
        ("x", "0.5.1", true),
        ("x", "0.5.2", false),
        ("y", "0.3.0", false),
    ] {
        assert_eq!(advisory.is_about(&package(name, version)), expected, "{name} {version}");
    }
}

/// The compiler that the tree needs is the one that we say we need.
#[test]
fn our_oldest_compiler_is_the_oldest_that_compiles_what_we_stand_on() {
    let packages: BTreeMap<&str, &Package> =
        WHOLE.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let nodes: BTreeMap<&str, &Node> = WHOLE.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let ours = |package: &&Package| WHOLE.workspace_members.contains(&package.id);
    let is_published = |package: &&Package| package.publish.is_none();
    let mut pending: Vec<&str> =
        WHOLE.packages.iter().filter(ours).filter(is_published).map(|package| package.id.as_str()).collect();
    let mut reached = BTreeSet::new();
    while let Some(id) = pending.pop() {
        let is_built =
            |dependency: &&Dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"));
        if reached.insert(id) {
            pending.extend(nodes[id].deps.iter().filter(is_built).map(|dependency| dependency.pkg.as_str()));
        }
    }
    let foreign = reached.iter().map(|id| packages[id]).filter(|package| package.source.is_some());
    let (needed, by) =
        foreign.filter_map(|package| Some((package.rust_version.as_ref()?, &package.name))).max().unwrap();
    for package in WHOLE.packages.iter().filter(ours) {
        assert_eq!(package.rust_version.as_ref(), Some(needed), "{} says so; {by} needs {needed}", package.name);
    }
}

/// `make test` compiles none of the dependencies again that `make demo` has compiled, and
/// `make demo` compiles no polars.
#[test]
fn a_build_without_sql_has_the_features_of_one_with_it() {
    let without = metadata(&["--no-default-features", "--features", "cli,demo"]);
    let features = |metadata: &Metadata| -> BTreeMap<String, BTreeSet<String>> {
        let foreign = metadata.resolve.nodes.iter().filter(|node| !metadata.workspace_members.contains(&node.id));
        foreign.map(|node| (node.id.clone(), node.features.clone())).collect()
    };
    let (without, with) = (features(&without), features(&WHOLE));
    let polars = |features: &BTreeMap<String, BTreeSet<String>>| features.keys().any(|id| id.contains("#polars"));
    assert!(polars(&with) && !polars(&without));
    // `cargo metadata` counts features of other platforms and of build scripts in; these two no
    // compiler sees here.
    let is_counted_only = |id: &str, feature: &str| {
        [("#ahash@", "default"), ("#uuid@", "js")]
            .iter()
            .any(|(name, counted)| id.contains(name) && feature == *counted)
    };
    let wrong = without.iter().filter_map(|(id, features)| {
        let more = with[id].difference(features).filter(|feature| !is_counted_only(id, feature));
        let more: Vec<&String> = more.collect();
        (!more.is_empty()).then(|| format!("{id} lacks {more:?} in the feature shared-builds of Cargo.toml"))
    });
    assert_none(&wrong.collect::<Vec<_>>());
}
