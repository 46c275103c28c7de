//! All arrows of a tree, between files, rooms and packages.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::Graph;
use super::lines::{Lines, lines_of};
use super::modules::{FileId, ModuleId, Tree};
use super::names::{Found, How, Name, names_of};
use super::resolve::Target;
use super::source::Texts;

/// A tree with the names of every file that ships.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) tree: Tree,
    /// By file; empty for a file of tests.
    pub(crate) found: Vec<Found>,
    /// By file; none for a file of tests.
    pub(crate) lines: Vec<Lines>,
}

/// An arrow between two files, with what is named by it.
pub(crate) type Arrows = BTreeMap<(FileId, FileId), BTreeSet<Said>>;

/// One item that a file names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Said {
    pub(crate) name: String,
    pub(crate) line: usize,
}

impl Survey {
    /// Reads and resolves everything.
    pub(crate) fn of(texts: &Texts) -> Self {
        let (tree, parsed) = Tree::read(texts);
        let (mut found, mut lines) = (Vec::new(), Vec::new());
        for (file, parsed) in parsed.into_iter().enumerate() {
            let is_test = tree.files[file].is_test;
            let names = if is_test { Found::default() } else { names_of(&tree, file, &parsed.ast) };
            lines.push(if is_test {
                Lines::default()
            } else {
                lines_of(&texts[&tree.files[file].path], parsed.tokens, &names.tests)
            });
            found.push(names);
        }
        Self { tree, found, lines }
    }

    /// Returns the files that are not there for tests only.
    pub(crate) fn files(&self) -> impl Iterator<Item = FileId> {
        (0..self.tree.files.len()).filter(|file| !self.tree.files[*file].is_test)
    }

    /// Returns a file's path.
    pub(crate) fn path(&self, file: FileId) -> &str {
        &self.tree.files[file].path
    }

    /// Returns the arrows between files: each leads to where the item that is named is defined. A
    /// re-export of what lies below is no arrow, so that the face of a module is in no ring with
    /// what it shows; one of anything else is.
    pub(crate) fn file_arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for from in self.files() {
            for name in &self.found[from].names {
                let (module, item) = match &name.target {
                    Target::Item(module, item) | Target::Unknown(module, item) => (*module, item.clone()),
                    Target::Module(_) | Target::External(_) => continue,
                };
                let to = self.tree.modules[module].file;
                if from == to || (name.how == How::ReExported && self.is_below(module, name.module)) {
                    continue;
                }
                let said = arrows.entry((from, to)).or_default();
                if !said.iter().any(|said| said.name == item) {
                    said.insert(Said { name: item, line: name.line });
                }
            }
        }
        arrows
    }

    /// Returns the names that lead from one package into another, the latter by its name.
    pub(crate) fn package_arrows(&self) -> Vec<(FileId, usize, usize)> {
        let mut arrows = Vec::new();
        for file in self.files() {
            for name in &self.found[file].names {
                if let Some(to) = self.tree.file_of(&name.target) {
                    let to = self.tree.files[to].package;
                    if to != self.tree.files[file].package {
                        arrows.push((file, to, name.line));
                    }
                }
            }
        }
        arrows
    }

    /// Returns names that lead nowhere, which this resolver then does not understand.
    pub(crate) fn unknown(&self) -> Vec<String> {
        let mut unknown = Vec::new();
        for file in self.files() {
            for name in &self.found[file].names {
                if let Target::Unknown(module, item) = &name.target {
                    let behind = self.path(self.tree.modules[*module].file);
                    unknown.push(format!("{}:{}: no {item} in {behind}", self.path(file), name.line));
                }
            }
        }
        unknown
    }

    /// Returns the names of a file that lead out of the workspace: a path, `macro!` or `.method`.
    pub(crate) fn external(&self, file: FileId) -> impl Iterator<Item = (&str, &Name)> {
        self.found[file].names.iter().filter_map(|name| match &name.target {
            Target::External(path) => Some((path.as_str(), name)),
            _ => None,
        })
    }

    fn is_below(&self, module: ModuleId, ancestor: ModuleId) -> bool {
        self.tree.ancestors(module).any(|at| at == ancestor)
    }
}

/// Returns the room of a file within the module at a folder: the file or folder directly below it.
pub(crate) fn room_of(path: &str, at: &str) -> Option<String> {
    if path.strip_suffix(".rs") == Some(at) {
        return Some("mod".to_owned());
    }
    let below = path.strip_prefix(at)?.strip_prefix('/')?;
    Some(below.split('/').next().unwrap_or(below).trim_end_matches(".rs").to_owned())
}

/// The inside of a module: arrows between its rooms, and between its files.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) rooms: Graph<String>,
    pub(crate) files: Graph<String>,
    /// What each arrow between rooms consists of: from, to, and what is said where.
    pub(crate) said: BTreeMap<(String, String), Vec<String>>,
}

impl Inside {
    /// Measures the module at a folder.
    pub(crate) fn of(survey: &Survey, arrows: &Arrows, at: &str) -> Self {
        let mut inside = Self { rooms: Graph::default(), files: Graph::default(), said: BTreeMap::new() };
        for file in survey.files() {
            if let Some(room) = room_of(survey.path(file), at) {
                inside.rooms.add_node(room);
                inside.files.add_node(survey.path(file).to_owned());
            }
        }
        for ((from, to), said) in arrows {
            let (from, to) = (survey.path(*from), survey.path(*to));
            let (Some(from_room), Some(to_room)) = (room_of(from, at), room_of(to, at)) else { continue };
            inside.files.add_arrow(from.to_owned(), to.to_owned());
            if from_room != to_room {
                inside.rooms.add_arrow(from_room.clone(), to_room.clone());
                let lines = inside.said.entry((from_room, to_room)).or_default();
                lines.extend(said.iter().map(|said| format!("{from}:{} {} ({to})", said.line, said.name)));
            }
        }
        inside
    }

    /// Returns the largest ring of files, but for those within a module of `others`, which is
    /// measured by itself.
    pub(crate) fn ring_of_files(&self, at: &str, others: &[&str]) -> BTreeSet<String> {
        let within = |ring: &BTreeSet<String>, other: &str| ring.iter().all(|file| room_of(file, other).is_some());
        let inner: Vec<&str> =
            others.iter().copied().filter(|other| other.len() > at.len() && other.starts_with(at)).collect();
        let mut rings = self.files.rings().into_iter();
        rings.find(|ring| !inner.iter().any(|other| within(ring, other))).unwrap_or_default()
    }

    /// Returns whether a room is the module's own file, which only shows what lies below: nobody
    /// names what is in it, and it names nobody.
    pub(crate) fn is_idle_face(&self, room: &str) -> bool {
        is_face(room) && !self.rooms.arrows().any(|(from, to)| from == room || to == room)
    }
}

/// Returns whether a room is a module's own file.
pub(crate) fn is_face(room: &str) -> bool {
    room == "mod" || room == "lib"
}

/// Returns the folders of a tree that are modules, and have as many rooms as to need a table.
pub(crate) fn large_modules(survey: &Survey, rooms: usize) -> Vec<String> {
    let mut below: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in survey.files() {
        let path = survey.path(file);
        let source = format!("{}src", survey.tree.packages[survey.tree.files[file].package].folder);
        let mut at = path;
        while let Some((above, _)) = at.rsplit_once('/') {
            if let Some(room) = room_of(path, above).filter(|room| !is_face(room)) {
                below.entry(above.to_owned()).or_default().insert(room);
            }
            if above == source {
                break;
            }
            at = above;
        }
    }
    let source = |at: &str| at == "src" || at.ends_with("/src");
    below.into_iter().filter(|(at, found)| found.len() >= rooms || source(at)).map(|(at, _)| at).collect()
}
