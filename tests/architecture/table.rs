//! `rooms.toml`: what is allowed, and why.

use std::path::Path;

use serde::Deserialize;

/// Where the table lies below the root.
pub(crate) const TABLE: &str = "tests/architecture/rooms.toml";

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    /// Lines of code that a file may have, tests left out.
    #[serde(default)]
    pub(crate) lines_of_a_file: usize,
    /// Files of a module that may name each other in a ring.
    #[serde(default)]
    pub(crate) files_in_a_ring: usize,
    /// Rooms from which on a module needs a table.
    #[serde(default)]
    pub(crate) large_from_rooms: usize,
    #[serde(default, rename = "crate")]
    pub(crate) crates: Vec<CrateRow>,
    #[serde(default, rename = "module")]
    pub(crate) modules: Vec<ModuleTable>,
    #[serde(default)]
    pub(crate) world: Vec<WorldTable>,
}

/// One package, after those that it may name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CrateRow {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) may: Vec<String>,
    pub(crate) is: String,
    /// Whether it is there for tests, and not counted as code.
    #[serde(default)]
    pub(crate) for_tests: bool,
}

/// The inside of one module.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModuleTable {
    pub(crate) name: String,
    /// Its folder, such as `src/lake`.
    pub(crate) at: String,
    /// Size of its largest ring of files, where that is larger than any should be.
    pub(crate) ring: Option<usize>,
    /// Its rooms, each after those that it may name.
    pub(crate) rooms: Vec<RoomRow>,
    /// Arrows against the order, which shall go.
    #[serde(default)]
    pub(crate) exceptions: Vec<Exception>,
}

/// A file or folder directly below a module.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomRow {
    pub(crate) room: String,
    #[serde(default)]
    pub(crate) may: Vec<String>,
    /// What it is.
    pub(crate) is: String,
    /// What may not happen there.
    #[serde(default)]
    pub(crate) never: String,
    /// What holds that.
    pub(crate) held: Option<Held>,
}

/// What holds a prohibition.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Held {
    /// A test of that name.
    Test(String),
    /// A type of that name, which leaves no other way.
    Type(String),
    /// What a room cannot name, it cannot do.
    Arrows,
    /// The places that may touch the world.
    World,
}

impl TryFrom<String> for Held {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(' ') {
            None if text == "arrows" => Ok(Self::Arrows),
            None if text == "world" => Ok(Self::World),
            Some(("test", name)) => Ok(Self::Test(name.to_owned())),
            Some(("type", name)) => Ok(Self::Type(name.to_owned())),
            _ => Err(format!("{text:?} holds nothing (accepted: test NAME, type NAME, arrows, world)")),
        }
    }
}

/// An arrow between rooms that the order forbids, and that is still there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    pub(crate) from: String,
    pub(crate) to: String,
    /// How many items are named by it, counted per file. It may only become less.
    pub(crate) names: usize,
}

/// One part of the world outside.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorldTable {
    pub(crate) thing: String,
    /// Paths, each with all below it; macros end in `!`, methods begin with a dot.
    pub(crate) names: Vec<String>,
    pub(crate) places: Vec<Place>,
}

/// Where it may be touched.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// A file, or a folder with `/` at its end.
    pub(crate) at: String,
    pub(crate) why: String,
}

impl Table {
    /// Reads the table of a tree; `None` when it has none.
    pub(crate) fn read(root: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(root.join(TABLE)).ok()?;
        Some(Self::parse(&text))
    }

    /// Reads a table.
    pub(crate) fn parse(text: &str) -> Self {
        toml::from_str(text).unwrap_or_else(|error| panic!("{TABLE}: {error}"))
    }

    /// Returns the table of a folder.
    pub(crate) fn module(&self, at: &str) -> Option<&ModuleTable> {
        self.modules.iter().find(|module| module.at == at)
    }
}
