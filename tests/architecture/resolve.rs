//! Follows a path to where the item that it names is defined, through imports, renames, globs and
//! re-exports.

use std::collections::HashSet;

use super::modules::{Entry, FileId, ImportPath, ModuleId, Tree};

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Target {
    /// An item of the workspace, by the module that defines it and its name.
    Item(ModuleId, String),
    /// A module of the workspace.
    Module(ModuleId),
    /// What another package than ours defines, as a whole path.
    External(String),
    /// A name that the module does not have, as far as its text says (a macro may define it).
    Unknown(ModuleId, String),
}

/// What kind of name the last segment of a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Type,
    Value,
    Any,
}

/// Where a search has been, so that imports in a circle end.
type Seen = HashSet<(ModuleId, String, Kind)>;

impl Tree {
    /// Resolves a path that stands in `module`. Empty when it is a local name, a type parameter, or
    /// a name of the prelude.
    pub(crate) fn resolve(&self, module: ModuleId, path: &ImportPath, kind: Kind) -> Vec<Target> {
        let found = self.resolve_seen(module, path, kind, &mut Seen::new());
        if kind == Kind::Any || found.iter().any(|target| !matches!(target, Target::Unknown(..))) {
            return found;
        }
        self.resolve_seen(module, path, Kind::Any, &mut Seen::new())
    }

    /// Returns the file in which a target of the workspace is defined.
    pub(crate) fn file_of(&self, target: &Target) -> Option<FileId> {
        match target {
            Target::Item(module, _) | Target::Module(module) | Target::Unknown(module, _) => {
                Some(self.modules[*module].file)
            }
            Target::External(_) => None,
        }
    }

    fn resolve_seen(&self, module: ModuleId, path: &ImportPath, kind: Kind, seen: &mut Seen) -> Vec<Target> {
        let Some((first, rest)) = path.segments.split_first() else { return Vec::new() };
        let kind = match kind {
            Kind::Value if path.is_self => return Vec::new(),
            _ if path.is_self => Kind::Type,
            kind => kind,
        };
        let first_kind = if rest.is_empty() { kind } else { Kind::Type };
        let start = if path.is_global {
            self.package_named(module, first)
        } else {
            match first.as_str() {
                "crate" | "$crate" => self.ancestors(module).last().map(Target::Module).into_iter().collect(),
                "self" => vec![Target::Module(module)],
                "super" => self.modules[module].parent.map(Target::Module).into_iter().collect(),
                "Self" => Vec::new(),
                name => {
                    let found = self.lookup(module, name, first_kind, seen);
                    let is_path = !rest.is_empty() && name.starts_with(|first: char| first.is_ascii_lowercase());
                    if found.is_empty() && (is_path || self.libraries.contains_key(name)) {
                        self.package_named(module, name)
                    } else {
                        found
                    }
                }
            }
        };
        let mut reached = Vec::new();
        for target in start {
            self.descend(target, rest, kind, seen, &mut reached);
        }
        reached.sort();
        reached.dedup();
        reached
    }

    fn descend(&self, from: Target, rest: &[String], kind: Kind, seen: &mut Seen, reached: &mut Vec<Target>) {
        let Some((name, below)) = rest.split_first() else {
            reached.push(from);
            return;
        };
        match from {
            Target::Module(module) if name == "super" => {
                if let Some(parent) = self.modules[module].parent {
                    self.descend(Target::Module(parent), below, kind, seen, reached);
                }
            }
            Target::Module(_) if name == "self" => self.descend(from, below, kind, seen, reached),
            Target::Module(module) => {
                let kind_here = if below.is_empty() { kind } else { Kind::Type };
                let found = self.lookup(module, name, kind_here, seen);
                if found.is_empty() {
                    reached.push(Target::Unknown(module, name.clone()));
                }
                for target in found {
                    self.descend(target, below, kind, seen, reached);
                }
            }
            // Whatever belongs to a type, such as a function or a variant, is the type's.
            Target::Item(..) | Target::Unknown(..) => reached.push(from),
            Target::External(path) => reached.push(Target::External(format!("{path}::{}", rest.join("::")))),
        }
    }

    /// Finds a name in a module: what it declares and imports first, then what its globs bring.
    fn lookup(&self, module: ModuleId, name: &str, kind: Kind, seen: &mut Seen) -> Vec<Target> {
        let key = (module, name.to_owned(), kind);
        if !seen.insert(key.clone()) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for entry in self.modules[module].names.get(name).into_iter().flatten() {
            match entry {
                Entry::Module(child) if kind != Kind::Value => found.push(Target::Module(*child)),
                Entry::Item(spaces) if kind.takes(spaces.is_type, spaces.is_value) => {
                    found.push(Target::Item(module, name.to_owned()));
                }
                Entry::Import(path) => found.extend(self.resolve_seen(module, path, kind, seen)),
                Entry::Module(_) | Entry::Item(_) => {}
            }
        }
        if found.is_empty() {
            for glob in &self.modules[module].globs {
                for target in self.resolve_seen(module, glob, Kind::Type, seen) {
                    if let Target::Module(behind) = target {
                        found.extend(self.lookup(behind, name, kind, seen));
                    }
                }
            }
        }
        seen.remove(&key);
        found.retain(|target| !matches!(target, Target::Unknown(..)) || kind == Kind::Any);
        found
    }

    fn package_named(&self, module: ModuleId, name: &str) -> Vec<Target> {
        let package = &self.packages[self.modules[module].package];
        let renamed = package.dependencies.get(name).map(|package| package.replace('-', "_"));
        let name = renamed.unwrap_or_else(|| name.to_owned());
        vec![self.libraries.get(&name).map_or(Target::External(name), |root| Target::Module(*root))]
    }
}

impl Kind {
    fn takes(self, is_type: bool, is_value: bool) -> bool {
        match self {
            Self::Type => is_type,
            Self::Value => is_value,
            Self::Any => true,
        }
    }
}
