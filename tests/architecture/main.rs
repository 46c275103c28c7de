//! The shape of the source, held by a test: which package and which room may name which, where the
//! world outside is touched, and how long a file may grow. What is allowed is one table,
//! `rooms.toml`; this program reads the source as the compiler does, follows every name to where it
//! is defined, and compares.
//!
//! `LAKEFEED_TREE` is the folder that is judged, this workspace by default. Such a folder may be an
//! old checkout, without a table.

#![expect(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests panic to fail")]
#![expect(clippy::disallowed_methods, reason = "this is no part of lakefeed: it reads the tree and writes figures")]

mod cfg;
mod face;
mod graph;
mod judge;
mod lines;
mod modules;
mod names;
mod own_tests;
mod print;
mod resolve;
mod source;
mod survey;
mod table;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::LazyLock;

use face::Face;
use source::{Texts, read_folder};
use survey::Survey;
use table::{Held, RoomRow, Table};

/// How wide a comment may be.
const COMMENT_COLUMNS: usize = 100;

/// What is judged, with its table. It is read once for all tests.
static JUDGED: LazyLock<Judged> = LazyLock::new(|| {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = std::env::var_os("LAKEFEED_TREE").map_or(own, PathBuf::from);
    let texts = read_folder(&root);
    let survey = Survey::of(&texts);
    let table = Table::read(&root);
    Judged { root, texts, survey, table }
});

struct Judged {
    root: PathBuf,
    texts: Texts,
    survey: Survey,
    table: Option<Table>,
}

impl Judged {
    fn table(&self) -> &Table {
        self.table.as_ref().expect("a table")
    }
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n\n"));
}

#[test]
fn every_file_and_every_path_is_understood() {
    assert_none(&JUDGED.survey.tree.problems);
    assert_none(&JUDGED.survey.unknown());
}

#[test]
fn packages_name_only_what_they_may() {
    assert_none(&judge::crates(&JUDGED.survey, JUDGED.table()));
}

#[test]
fn rooms_name_only_what_they_may() {
    assert_none(&judge::modules(&JUDGED.survey, &JUDGED.survey.file_arrows(), JUDGED.table()));
}

/// What may not happen in a room is held by something that is there.
#[test]
fn each_prohibition_is_held() {
    let is_there = |held: &Held| match held {
        Held::Arrows | Held::World => true,
        Held::Test(name) => JUDGED.texts.iter().any(|(_, text)| source::has_test(text, name)),
        Held::Type(name) => {
            let name = name.split("::").next().unwrap_or_default();
            JUDGED.texts.iter().any(|(_, text)| source::has_type(text, name))
        }
    };
    let rows = JUDGED.table().modules.iter().flat_map(|module| module.rooms.iter().map(move |row| (module, row)));
    let is_held = |row: &RoomRow| !row.never.is_empty() && row.held.as_ref().is_some_and(is_there);
    let lost = rows.filter(|(_, row)| !is_held(row)).map(|(module, row)| match &row.held {
        Some(held) if !row.never.is_empty() => {
            format!("{} of {}: {held:?} is not there to hold: {}", row.room, module.name, row.never)
        }
        _ => format!("{} of {}: say what may `never` happen there, and by what that is `held`", row.room, module.name),
    });
    assert_none(&lost.collect::<Vec<_>>());
}

#[test]
fn only_the_places_made_for_it_touch_the_world() {
    assert_none(&judge::world(&JUDGED.survey, JUDGED.table()));
}

#[test]
fn files_stay_readable_in_one_sitting() {
    let most = JUDGED.table().lines_of_a_file;
    let files = JUDGED.survey.files().map(|file| (file, JUDGED.survey.lines[file].code));
    let long = files.filter(|(_, lines)| *lines > most).map(|(file, lines)| {
        format!(
            "{} has {lines} lines of code, {most} are allowed: split it by responsibility",
            JUDGED.survey.path(file)
        )
    });
    assert_none(&long.collect::<Vec<_>>());
}

/// Prose is read in columns of 100. Rows of tables, examples and links cannot be cut.
#[test]
fn comments_are_not_wider_than_prose_is_read() {
    let mut wide = Vec::new();
    for (path, text) in JUDGED.texts.iter().filter(|(path, _)| source::is_rust(path)) {
        let mut is_example = false;
        for (number, line) in text.lines().enumerate() {
            let comment = line.trim_start().trim_start_matches(['/', '!']).trim_start();
            let is_comment = line.trim_start().starts_with("//");
            is_example = is_comment && (is_example != comment.starts_with("```"));
            let is_whole = is_example || comment.starts_with('|') || !comment.contains(' ');
            if is_comment && !is_whole && line.chars().count() > COMMENT_COLUMNS {
                wide.push(format!("{path}:{} has more than {COMMENT_COLUMNS} columns: {comment}", number + 1));
            }
        }
    }
    assert_none(&wide);
}

/// What a function is for is said by a verb: "Returns", "Reads", "Refuses".
#[test]
fn functions_are_described_by_what_they_do() {
    let sources = JUDGED
        .texts
        .iter()
        .filter(|(path, _)| source::is_rust(path) && path.contains("src/") && !path.contains("/tests"));
    let wrong = sources.flat_map(|(path, text)| {
        source::without_verb(text)
            .into_iter()
            .map(move |(line, said)| format!("{path}:{line} begins with no verb: {said}"))
    });
    assert_none(&wrong.collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_unfinished() {
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["todo", "!("].concat(), ["#[", "ignore"].concat()];
    for (path, text) in &JUDGED.texts {
        for word in &words {
            assert!(!text.contains(word.as_str()), "{path} holds {word}");
        }
    }
}

/// A change of what programs see is a change of `docs/public-api.txt`, so that nobody makes it
/// unknowingly.
#[test]
fn the_public_face_is_the_one_that_is_committed() {
    let face = Face::of(&JUDGED.texts, "lakefeed");
    write_out("public-api.txt", &face.text);
    assert_none(&face.nameless);
    assert!(face.root_names <= 25, "{} names at the root do not fit on one screen", face.root_names);
    let committed = JUDGED.root.join("docs/public-api.txt");
    let committed = std::fs::read_to_string(committed).unwrap_or_default();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (was, is) = (lines(&committed), lines(&face.text));
    let gone = was.difference(&is).map(|line| format!("- {line}"));
    let changed: Vec<String> = gone.chain(is.difference(&was).map(|line| format!("+ {line}"))).collect();
    let changed = changed.join("\n");
    let next_step = "if programs are to see this: cp target/tmp/public-api.txt docs/public-api.txt";
    assert!(committed == face.text, "the public face has changed\n{changed}\n{next_step}");
}

/// Writes what `make rooms` shows.
#[test]
fn figures_of_rooms() {
    write_out("rooms.txt", &print::rooms(&JUDGED.survey, JUDGED.table.as_ref()));
}

/// Writes what `make lines` shows.
#[test]
fn figures_of_lines() {
    write_out("lines.txt", &print::lines(&JUDGED.survey, JUDGED.table.as_ref()));
}

fn write_out(name: &str, text: &str) {
    assert!(text.lines().count() > 4, "{text}");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
}
