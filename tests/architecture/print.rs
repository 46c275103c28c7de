//! What `make rooms` and `make lines` print.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::lines::Lines;
use super::survey::{Inside, Survey, large_modules, room_of};
use super::table::Table;

/// Rooms from which on a module of a tree without a table is shown.
const ROOMS_WORTH_SHOWING: usize = 8;

/// Returns the figures of each module, then what may not happen in each room.
pub(crate) fn rooms(survey: &Survey, table: Option<&Table>) -> String {
    let arrows = survey.file_arrows();
    let mut text = format!(
        "{:<28} {:>6} {:>7} {:>7} {:>13} {:>13} {:>5}\n",
        "module", "rooms", "arrows", "floors", "ring of rooms", "ring of files", "back"
    );
    let modules = shown(survey, table);
    let others: Vec<&str> = modules.iter().map(|(at, _)| at.as_str()).collect();
    for (at, name) in &modules {
        let inside = Inside::of(survey, &arrows, at);
        let rows = table.and_then(|table| table.module(at));
        let order: Vec<String> = match rows {
            Some(module) => module.rooms.iter().map(|row| row.room.clone()).collect(),
            None => inside.rooms.order(),
        };
        let rooms = inside.rooms.nodes().filter(|room| !inside.is_idle_face(room)).count();
        let figures = [inside.rooms.arrows().count(), inside.rooms.floors(&order)];
        let ring_of_rooms = inside.rooms.rings().first().map_or(0, BTreeSet::len);
        let ring_of_files = inside.ring_of_files(at, &others).len();
        let back = inside.rooms.against(&order).len();
        let [arrows, floors] = figures;
        writeln!(
            text,
            "{name:<28} {rooms:>6} {arrows:>7} {floors:>7} {ring_of_rooms:>13} {ring_of_files:>13} {back:>5}"
        )
        .unwrap();
    }
    text.push_str(
        "\nAn arrow leads from a room to one that defines what it names, re-exports seen through. Arrows that run\n\
         back run against the order of the table, or a good order where there is none; floors are rooms on the longest way along the others.\n",
    );
    for row in table.iter().flat_map(|table| &table.crates) {
        write!(text, "\npackage {}: {}", row.name, row.is).unwrap();
    }
    for module in table.iter().flat_map(|table| &table.modules) {
        write!(text, "\n\n{} ({})", module.name, module.at).unwrap();
        for row in &module.rooms {
            write!(text, "\n  {:<18} {}. {}.", row.room, row.is, row.never).unwrap();
        }
    }
    text.push('\n');
    text
}

/// Returns the lines of each room and their sums.
pub(crate) fn lines(survey: &Survey, table: Option<&Table>) -> String {
    let counted: Vec<(&str, Lines)> = survey.files().map(|file| (survey.path(file), survey.lines[file])).collect();
    let mut text = format!("{:<44} {:>6} {:>8} {:>9}\n", "lines without tests", "files", "code", "comments");
    let mut row = |name: &str, lines: Lines| {
        writeln!(text, "{name:<44} {:>6} {:>8} {:>9}", lines.files, lines.code, lines.comments).unwrap();
    };
    let shown: Vec<String> = shown(survey, table).into_iter().map(|(at, _)| at).collect();
    let (mut total, mut for_tests) = (Lines::default(), Lines::default());
    for package in &survey.tree.packages {
        let source = format!("{}src", package.folder);
        let here: Vec<_> =
            counted.iter().filter(|(path, _)| path.starts_with(&format!("{source}/"))).copied().collect();
        let sum = sum(&here);
        let is_for_tests =
            table.is_some_and(|table| table.crates.iter().any(|row| row.for_tests && row.name == package.name));
        *(if is_for_tests { &mut for_tests } else { &mut total }) += sum;
        row(&format!("package {}", package.name), sum);
        rooms_below(&here, &source, 1, &shown, &mut row);
    }
    row("in all", total);
    if for_tests.files > 0 {
        row("packages for tests, not in it", for_tests);
    }
    text.push_str(
        "\nA line of code has a token on it; doc comments, and what is compiled for tests only, are left out. A line of comments\n\
         has nothing else.\n",
    );
    text
}

fn rooms_below(files: &[(&str, Lines)], at: &str, depth: usize, shown: &[String], row: &mut impl FnMut(&str, Lines)) {
    let mut rooms: BTreeMap<String, Vec<(&str, Lines)>> = BTreeMap::new();
    for (path, lines) in files {
        if let Some(room) = room_of(path, at) {
            rooms.entry(room).or_default().push((path, *lines));
        }
    }
    for (room, files) in rooms {
        row(&format!("{}{room}", "  ".repeat(depth)), sum(&files));
        let below = format!("{at}/{room}");
        if shown.contains(&below) {
            rooms_below(&files, &below, depth + 1, shown, row);
        }
    }
}

fn sum(files: &[(&str, Lines)]) -> Lines {
    let mut sum = Lines::default();
    for (_, lines) in files {
        sum += *lines;
    }
    sum
}

/// Returns folder and name of each module to show: those of the table, or the large ones.
fn shown(survey: &Survey, table: Option<&Table>) -> Vec<(String, String)> {
    match table {
        Some(table) => table.modules.iter().map(|module| (module.at.clone(), module.name.clone())).collect(),
        None => large_modules(survey, ROOMS_WORTH_SHOWING).into_iter().map(|at| (at.clone(), at)).collect(),
    }
}
