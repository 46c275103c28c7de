//! Tests of the guard itself, over small trees: whatever way a thing is named, its arrow is found.

use std::collections::BTreeSet;

use super::face::Face;
use super::judge;
use super::lines::Lines;
use super::source::{Texts, has_test, has_type, without_verb};
use super::survey::{Inside, Survey};
use super::table::Table;

/// A tree of the files that are given, below a package `root` with a module `b` that defines things
/// in three files, and an empty `a`.
fn tree(files: &[(&str, &str)]) -> Texts {
    let base = [
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n[package]\nname = \"root\"\n[dependencies]\nlow = {}\n"),
        ("src/lib.rs", "pub mod a;\npub mod b;\nuse low::shared;\npub(crate) use low::words;\n"),
        ("src/a.rs", ""),
        (
            "src/b/mod.rs",
            "mod x;\npub mod y;\npub mod n;\npub use x::{Thing, n, thing};\npub use y::Kind as Sort;\npub use y::{inner, y};\n",
        ),
        ("src/b/x.rs", "pub struct Thing;\npub fn thing() {}\npub fn n() {}\npub trait Can { fn can(&self); }\n"),
        ("src/b/n.rs", "pub fn thing() {}\n"),
        (
            "src/b/y.rs",
            "pub enum Kind { One, Two }\npub const MOST: usize = 3;\npub fn y() {}\npub mod inner { pub fn deep() {} }\n\
             made! { /// A thing.\n Made { of: Thing } }\n",
        ),
        ("crates/low/Cargo.toml", "[package]\nname = \"low\"\n"),
        ("crates/low/src/lib.rs", "pub mod words;\npub mod shared;\npub use words::Word as Said;\n"),
        ("crates/low/src/words.rs", "pub struct Word;\n"),
        ("crates/low/src/shared.rs", "pub fn shared() {}\n"),
    ];
    base.iter().chain(files).map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// Returns the files that `from` names.
fn named_by(survey: &Survey, from: &str) -> BTreeSet<String> {
    let arrows = survey.file_arrows().into_keys();
    arrows.filter(|(at, _)| survey.path(*at) == from).map(|(_, to)| survey.path(to).to_owned()).collect()
}

#[test]
fn each_way_of_naming_something_is_an_arrow_to_where_it_is_defined() {
    let (x, y) = ("src/b/x.rs", "src/b/y.rs");
    let (words, shared) = ("crates/low/src/words.rs", "crates/low/src/shared.rs");
    let rows: &[(&str, &str, &[&str])] = &[
        ("nothing", "fn f() { let thing = 1; g(thing) }\nfn g(_: usize) {}", &[]),
        ("a use through a re-export", "use crate::b::Thing;", &[x]),
        ("a nested group", "use {crate::{b::{y::{self, MOST}, Thing}}};", &[x, y]),
        ("self in a group names no definition", "use crate::b::{self};", &[]),
        ("super", "use super::b::Thing;", &[x]),
        ("a rename, also by the re-export", "use crate::b::Sort as Mine;", &[y]),
        ("a trait without a name", "use crate::b::y::Kind as _;", &[y]),
        ("a glob, by what is said through it", "use crate::b::*;\nfn f() -> Thing { loop {} }", &[x]),
        ("a glob of an enum", "use crate::b::Sort::*;", &[y]),
        ("an inline path of a call", "fn f() { crate::b::thing() }", &[x]),
        ("an inline path of a type", "fn f(_: &[Option<super::b::Thing>]) {}", &[x]),
        ("an inline path in a pattern", "fn f(k: u8) { match k { crate::b::y::MOST => {} _ => {} } }", &[y]),
        ("a variant", "fn f() { drop(crate::b::Sort::One) }", &[y]),
        ("a module that is imported, then a path", "use crate::b;\nfn f() { b::thing() }", &[x]),
        ("a module that is renamed, then a path", "use crate::b::y as other;\nfn f() { other::y() }", &[y]),
        (
            "a module, where a function has its name too",
            "use crate::b::y::MOST;\nuse crate::b::n::thing;",
            &["src/b/n.rs", y],
        ),
        ("self in a group, where a function has its name too", "use crate::b::n::{self, thing};", &["src/b/n.rs"]),
        ("a function, where a module has its name too", "fn f() { crate::b::n() }", &[x]),
        ("a module within a file", "use crate::b::inner;\nfn f() { inner::deep() }", &[y]),
        ("within a macro", "fn f() { println!(\"{}\", crate::b::y::MOST) }", &[y]),
        ("within a macro, a module that is imported", "use crate::b::y;\nfn f() { vec![y::MOST] }", &[y]),
        ("what a macro defines below its doc comment", "use crate::b::y::Made;", &[y]),
        ("a use within a function", "fn f() { use crate::b::y as z; z::y() }", &[y]),
        ("a bound", "fn f<T: crate::b::x::Can>() {}", &[x]),
        ("an impl", "struct S;\nimpl crate::b::x::Can for S { fn can(&self) {} }", &[x]),
        ("a qualified path", "fn f() { <crate::b::Thing as Clone>::clone() }", &[x]),
        (
            "an attribute",
            "#[derive(Deserialize)]\nstruct S { #[serde(with = \"crate::b::y::inner\", default = \"crate::b::thing\")] f: u8 }",
            &[x],
        ),
        ("an inline module", "mod inner { use super::super::b::Thing; }", &[x]),
        ("a re-export of what is elsewhere", "pub use crate::b::Thing;", &[x]),
        ("code after an inline test module", "#[cfg(test)]\nmod tests {}\nuse crate::b::Thing;", &[x]),
        ("code after a test module with a file", "#[cfg(test)]\nmod tests;\nuse crate::b::Thing;", &[x]),
        ("code that is there without tests", "#[cfg(not(test))]\nuse crate::b::Thing;", &[x]),
        ("code behind a feature or for tests", "#[cfg(any(test, feature = \"x\"))]\nuse crate::b::Thing;", &[x]),
        ("tests", "#[cfg(test)]\nmod tests { use crate::b::Thing; }", &[]),
        ("tests on one system", "#[cfg(all(test, unix))]\nuse crate::b::Thing;", &[]),
        ("a method for tests", "struct S;\nimpl S { #[cfg(test)] fn f() { crate::b::thing() } }", &[]),
        ("a statement for tests", "fn f() { #[cfg(test)] crate::b::thing(); }", &[]),
        ("a visibility", "pub(in crate::a) struct S;", &[]),
        ("a comment and a string", "/// [`crate::b::Thing`]\nfn f() { g(\"crate::b::Thing\") }", &[]),
        ("another package", "use low::words::Word;", &[words]),
        ("another package, through its face", "fn f(_: low::Said) {}", &[words]),
        ("another package, through an alias of our root", "use crate::words::Word;", &[words]),
        ("another package, through a private alias", "fn f() { crate::shared::shared() }", &[shared]),
        ("another package, from the root of all", "fn f() { ::low::shared::shared() }", &[shared]),
    ];
    for (what, text, expected) in rows {
        let survey = Survey::of(&tree(&[("src/a.rs", text), ("src/a/tests.rs", "use crate::b::y::y;")]));
        let expected: BTreeSet<String> = expected.iter().map(|path| (*path).to_owned()).collect();
        assert_eq!(named_by(&survey, "src/a.rs"), expected, "{what}: {text}");
        assert_eq!(survey.unknown(), Vec::<String>::new(), "{what}: {text}");
    }
}

#[test]
fn a_face_that_shows_what_lies_below_is_in_no_ring_with_it() {
    let face = "mod x;\npub use x::Thing;\npub struct Own;\n";
    let below = "pub struct Thing(super::Own);\n";
    let rows = [(face.to_owned(), 0), (format!("{face}fn f(_: Thing) {{}}"), 2), (format!("{face}use x::other;"), 2)];
    for (face, ring) in rows {
        let mut texts = tree(&[("src/b/mod.rs", &face), ("src/b/x.rs", &format!("{below}pub fn other() {{}}\n"))]);
        texts.remove("src/b/y.rs");
        let survey = Survey::of(&texts);
        let inside = Inside::of(&survey, &survey.file_arrows(), "src/b");
        assert_eq!(inside.ring_of_files("src/b", &[]).len(), ring, "{face}");
    }
}

#[test]
fn what_can_not_be_followed_is_said() {
    let rows = [
        ("use crate::b::Nothing;", "src/a.rs:1: no Nothing in src/b/mod.rs"),
        ("mod gone;", "src/a.rs declares mod gone, but there is no src/a/gone.rs and no src/a/gone/mod.rs"),
        ("fn f( {", "src/a.rs can not be parsed"),
    ];
    for (text, expected) in rows {
        let survey = Survey::of(&tree(&[("src/a.rs", text)]));
        let said = [survey.tree.problems.clone(), survey.unknown()].concat();
        assert!(said.iter().any(|line| line.starts_with(expected)), "{said:?}");
    }
    let survey = Survey::of(&tree(&[("src/orphan.rs", "")]));
    assert_eq!(survey.tree.problems, ["src/orphan.rs belongs to no module: declare it, or delete it"]);
}

const TABLE: &str = r#"
lines_of_a_file = 500
files_in_a_ring = 3
large_from_rooms = 8

[[crate]]
name = "low"
is = "words"

[[crate]]
name = "root"
may = ["low"]
is = "all"

[[module]]
name = "low"
at = "crates/low/src"
rooms = [
    { room = "shared", is = "shared" },
    { room = "words", is = "words" },
]

[[module]]
name = "root"
at = "src"
rooms = [
    { room = "b", is = "defines" },
    { room = "a", may = ["b"], is = "names" },
]

[[world]]
thing = "file system"
names = ["std::fs", "tempfile", ".is_dir"]
places = [{ at = "src/b/", why = "it is the disk" }]

[[world]]
thing = "terminal"
names = ["println!", "std::io::stdout"]
places = []
"#;

fn judged(files: &[(&str, &str)], table: &str) -> Vec<String> {
    let survey = Survey::of(&tree(files));
    let table = Table::parse(table);
    let modules = judge::modules(&survey, &survey.file_arrows(), &table);
    [judge::crates(&survey, &table), modules, judge::world(&survey, &table)].concat()
}

const SOUND: [(&str, &str); 2] = [
    ("src/a.rs", "use crate::b::Thing;\n"),
    ("src/b/x.rs", "pub struct Thing;\npub fn thing() { std::fs::read(); }\npub trait Can {}\n"),
];

/// A file and its new text; what changes in the table, and into what; what is said, if anything.
const FAULTS: &[(&str, &str, (&str, &str), &str)] = &[
    (
        "src/b/y.rs",
        "pub enum Kind {}\npub mod inner {}\npub use crate::a::up;",
        ("", ""),
        "src: b must not name a; a stands below b",
    ),
    ("src/a.rs", "", ("", ""), "a may name b, but does not"),
    ("src/a.rs", "", ("may = [\"b\"], is = \"names\"", "is = \"names\""), ""),
    ("", "", ("may = [\"b\"], is", "is"), "src: a must not name b; if it should, add \"b\" to the `may` of a"),
    ("", "", ("{ room = \"b\", is = \"defines\" },", ""), "src has no row for b: add it below what it names"),
    ("", "", ("room = \"b\", is", "room = \"b\", may = [\"a\"], is"), "b may name a, whose row must stand above"),
    ("", "", ("is = \"defines\"", "is = \"\""), "say in `is` what b is"),
    (
        "",
        "",
        ("[[world]]", "[[module]]\nname = \"gone\"\nat = \"src/gone\"\nrooms = []\n[[world]]"),
        "src/gone holds no file",
    ),
    (
        "",
        "",
        ("is = \"defines\" },", "is = \"defines\" },\n{ room = \"c\", is = \"c\" },"),
        "src has no room c: delete its row",
    ),
    ("", "", ("large_from_rooms = 8", "large_from_rooms = 2"), "src/b has many rooms and no table"),
    ("", "", ("may = [\"low\"]", ""), "root must not depend on low"),
    (
        "",
        "",
        ("is = \"words\"\n", "is = \"words\"\nmay = [\"root\"]\n"),
        "low may name root, whose [[crate]] must stand above it",
    ),
    ("", "", ("[[crate]]\nname = \"root\"\nmay = [\"low\"]\nis = \"all\"", ""), "add [[crate]] name = \"root\""),
    (
        "src/a.rs",
        "use crate::b::Thing;\nfn f() { tempfile::tempdir(); }",
        ("", ""),
        "src/a.rs touches the file system (line 2 tempfile::tempdir)",
    ),
    (
        "src/a.rs",
        "use crate::b::Thing;\nuse std::fs as disk;\nfn f() { disk::read(); }",
        ("", ""),
        "line 3 std::fs::read",
    ),
    (
        "src/a.rs",
        "use crate::b::Thing;\nuse std::{fs::{File, self}};",
        ("", ""),
        "line 2 std::fs::File, line 2 std::fs)",
    ),
    ("src/a.rs", "use crate::b::Thing;\nfn f(p: &std::path::Path) { p.is_dir(); }", ("", ""), "line 2 .is_dir"),
    (
        "src/a.rs",
        "use crate::b::Thing;\nfn f() { g(|| println!(\"x\")); }",
        ("", ""),
        "src/a.rs touches the terminal (line 2 println!)",
    ),
    ("src/a.rs", "use crate::b::Thing;\n#[cfg(test)]\nfn f() { std::fs::read(); }", ("", ""), ""),
    (
        "src/b/x.rs",
        "pub struct Thing;\npub fn thing() {}",
        ("", ""),
        "nothing at src/b/ touches the file system: delete that place",
    ),
    ("", "", ("why = \"it is the disk\"", "why = \"\""), "say why src/b/ touches the file system"),
];

#[test]
fn whatever_the_table_does_not_hold_is_said_with_its_cure() {
    assert_eq!(judged(&SOUND, TABLE), Vec::<String>::new());
    for (path, text, (from, to), expected) in FAULTS {
        assert!(TABLE.contains(from), "{from}");
        let said = judged(&[SOUND[0], SOUND[1], (path, text)], &TABLE.replacen(from, to, 1));
        let is_as_expected = if expected.is_empty() { said.is_empty() } else { said.concat().contains(expected) };
        assert!(is_as_expected, "{path} {text} {from}: {said:?}, not {expected}");
    }
}

#[test]
fn an_exception_can_only_shrink() {
    let up = ("src/b/y.rs", "use crate::a::{up, upper};\npub enum Kind {}\npub mod inner {}\n");
    let a = ("src/a.rs", "use crate::b::Thing;\npub fn up() {}\npub fn upper() {}\n");
    let with =
        |exceptions: &str| TABLE.replacen("is = \"names\" },\n]", &format!("is = \"names\" }},\n]\n{exceptions}"), 1);
    let rows = [
        ("exceptions = [{ from = \"b\", to = \"a\", names = 2 }]", ""),
        ("exceptions = [{ from = \"b\", to = \"a\", names = 3 }]", "write names = 2"),
        ("exceptions = [{ from = \"b\", to = \"a\", names = 1 }]", "b names 2 items of a, which is an exception for 1"),
        (
            "exceptions = [{ from = \"b\", to = \"a\", names = 2 }, { from = \"a\", to = \"c\", names = 1 }]",
            "a does not name c any more",
        ),
        ("exceptions = [{ from = \"b\", to = \"a\", names = 2 }]\nring = 4", "no ring of 4 files any more"),
    ];
    for (exceptions, expected) in rows {
        let said = judged(&[SOUND[1], a, up], &with(exceptions)).concat();
        assert!(if expected.is_empty() { said.is_empty() } else { said.contains(expected) }, "{exceptions}: {said}");
    }
}

#[test]
fn a_ring_of_more_files_than_may_be_is_shown() {
    let ring: Vec<(String, String)> = (0..4)
        .map(|at| {
            (format!("src/b/r{at}.rs"), format!("pub struct R{at}(super::r{}::R{});", (at + 1) % 4, (at + 1) % 4))
        })
        .collect();
    let face = "mod x;\nmod r0;\nmod r1;\nmod r2;\nmod r3;\npub use x::Thing;\n";
    let mut files: Vec<(&str, &str)> = ring.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.extend([SOUND[0], SOUND[1], ("src/b/mod.rs", face), ("src/b/y.rs", "")]);
    let survey = Survey::of(&tree(&files));
    let said = judge::modules(&survey, &survey.file_arrows(), &Table::parse(TABLE)).concat();
    assert!(said.contains("src: 4 files name each other in a ring, 3 may"), "{said}");
    let excepted = TABLE.replacen("at = \"src\"", "at = \"src\"\nring = 4", 1);
    assert_eq!(judge::modules(&survey, &survey.file_arrows(), &Table::parse(&excepted)), Vec::<String>::new());
}

#[test]
fn lines_are_counted_without_tests_comments_and_blanks() {
    let rows = [
        ("", 0, 0),
        ("//! Doc.\n\n// Why.\nfn f() {}\n", 1, 2),
        ("/// Doc.\n#[inline]\nfn f(\n    x: u8, // that\n) {\n\n    g(\"a\n\nb\");\n}\n", 8, 1),
        ("fn f() {}\n\n/// Doc.\n#[cfg(test)]\nmod tests {\n    // Why.\n    fn t() {}\n}\nfn g() {}\n", 2, 0),
        ("#[cfg(test)]\nmod tests;\nfn g() {}\n", 1, 0),
    ];
    for (text, code, comments) in rows {
        let texts = tree(&[("src/a.rs", text), ("src/a/tests.rs", "fn t() {}\n")]);
        let survey = Survey::of(&texts);
        let file = survey.files().find(|file| survey.path(*file) == "src/a.rs").unwrap();
        assert_eq!(survey.lines[file], Lines { files: 1, code, comments }, "{text}");
    }
}

/// The fault that the guard before this one had: it read each file up to the first test module, and
/// in four files that stands before the imports.
#[test]
fn a_face_that_declares_its_tests_first_is_read_to_its_end() {
    let face =
        "mod x;\n#[cfg(test)]\nmod tests;\npub mod y;\n\nuse crate::a::up;\nuse std::env::var;\npub use x::Thing;\n";
    let files = [
        ("src/b/mod.rs", face),
        ("src/b/tests.rs", ""),
        ("src/a.rs", "use crate::b::Thing;\npub fn up() {}\n"),
        SOUND[1],
    ];
    let said = judged(&files, &TABLE.replacen("\"println!\"", "\"std::env\"", 1)).concat();
    assert!(said.contains("src: b must not name a"), "{said}");
    assert!(said.contains("src/b/mod.rs touches the terminal (line 7 std::env::var)"), "{said}");
}

#[test]
fn the_public_face_has_what_programs_can_name_and_nothing_else() {
    let texts = tree(&[
        (
            "src/lib.rs",
            "mod a;\nmod b;\npub mod shown;\n#[doc(hidden)]\npub mod hidden { pub fn f() {} }\n\
             pub use b::Thing;\npub use b::Sort;\npub use low::Said;\npub use bytes;\n#[cfg(test)]\npub mod tests {}\n",
        ),
        (
            "src/a.rs",
            "use crate::b::Thing;\n\
             impl Thing {\n    /// Says.\n    pub fn say(\n        &self,\n        what: &bytes::Bytes,\n    ) -> Option<Own> { None }\n    \
             fn own(&self) {}\n}\nimpl std::fmt::Display for Thing {}\npub struct Own { pub x: arrow::Array, y: u8 }\n",
        ),
        (
            "src/shown.rs",
            "pub use crate::a::Own;\npub use crate::b::Sort;\n#[cfg(feature = \"f\")]\npub fn g() -> crate::b::n::Lost {}\n",
        ),
        ("src/b/n.rs", "pub struct Lost;\npub fn thing() {}\n"),
    ]);
    let face = Face::of(&texts, "root");
    let text = "root::Said: struct\nroot::Sort: enum\n    variant One\n    variant Two\n\
                root::Thing: struct\n    fn say(&self, what: &bytes::Bytes) -> Option<Own>\n    impl std::fmt::Display\n\
                root::bytes: use bytes\nroot::shown: mod\n\
                root::shown::Own: struct\n    field x: arrow::Array\n    private fields\n\
                root::shown::Sort = root::Sort\n#[cfg(feature = \"f\")] root::shown::g: fn g() -> crate::b::n::Lost\n";
    assert_eq!(face.text, text);
    assert_eq!(face.root_names, 5);
    let nameless = [
        "root::shown::Own says arrow::Array, which has no public name",
        "root::shown::g says crate::b::n::Lost, which has no public name",
    ];
    assert_eq!(face.nameless, nameless);
}

#[test]
fn a_description_without_a_verb_is_found() {
    const TEXT: &str = "/// Reads it.\nfn a() {}\n    /// The rows.\n    /// All of them.\n    #[must_use]\n    pub(in crate::x) async fn b(\n/// Rows.\npub const fn c() {}\n/// The count.\ncount: u64,\n/// It holds.\n#[test]\nfn d() {}\n#[cfg(test)]\n/// The end.\nfn e() {}\n";
    assert_eq!(without_verb(TEXT), [(3, "The rows."), (7, "Rows.")]);
}

#[test]
fn a_test_and_a_type_are_found_by_name() {
    const TEXT: &str = "/// struct Told\npub(crate) enum Whole<T> {}\n    #[test]\n    #[cfg(unix)]\n    fn it_holds() {}\nfn helps() {}\n#[tokio::test(flavor = \"x\")]\nasync fn it_waits() {}\n";
    for (name, is_there) in [("it_holds", true), ("it_waits", true), ("it_hold", false), ("helps", false)] {
        assert_eq!(has_test(TEXT, name), is_there, "{name}");
    }
    for (name, is_there) in [("Whole", true), ("Who", false), ("Told", false)] {
        assert_eq!(has_type(TEXT, name), is_there, "{name}");
    }
}
