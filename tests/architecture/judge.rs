//! Compares a tree with its table. Each answer says what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::survey::{Arrows, Inside, Survey, large_modules};
use super::table::{ModuleTable, RoomRow, TABLE, Table, WorldTable};

/// Finds what does not hold between packages.
pub(crate) fn crates(survey: &Survey, table: &Table) -> Vec<String> {
    let mut wrong = Vec::new();
    let packages = &survey.tree.packages;
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut named: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for (file, to, line) in survey.package_arrows() {
        let from = &packages[survey.tree.files[file].package].name;
        named.entry((from, &packages[to].name)).or_insert_with(|| format!("{}:{line}", survey.path(file)));
    }
    let mut above: BTreeSet<&str> = BTreeSet::new();
    for row in &table.crates {
        if !ours.contains(row.name.as_str()) {
            wrong.push(format!("{TABLE}: there is no package {}: delete its [[crate]]", row.name));
        }
        if row.is.trim().is_empty() {
            wrong.push(format!("{TABLE}: package {}: say in `is` what it is, and what may not happen in it", row.name));
        }
        for to in &row.may {
            if !above.contains(to.as_str()) {
                wrong.push(format!("{TABLE}: {} may name {to}, whose [[crate]] must stand above it", row.name));
            } else if !named.contains_key(&(row.name.as_str(), to.as_str())) {
                wrong.push(format!("{TABLE}: {} may name {to}, but does not: delete it from `may`", row.name));
            }
        }
        above.insert(&row.name);
    }
    for package in packages {
        let Some(row) = table.crates.iter().find(|row| row.name == package.name) else {
            wrong.push(format!("{TABLE}: add [[crate]] name = \"{}\", with `may` and `is`", package.name));
            continue;
        };
        for to in package.dependencies.values().filter(|to| ours.contains(to.as_str())) {
            if !row.may.contains(to) {
                let name = &package.name;
                wrong.push(format!(
                    "{}Cargo.toml: {name} must not depend on {to}, or add it to its `may`",
                    package.folder
                ));
            }
        }
    }
    wrong
}

/// Finds what does not hold within the modules that have a table, and those that lack one.
pub(crate) fn modules(survey: &Survey, arrows: &Arrows, table: &Table) -> Vec<String> {
    let mut wrong = Vec::new();
    for at in large_modules(survey, table.large_from_rooms) {
        if table.module(&at).is_none() {
            let inside = Inside::of(survey, arrows, &at);
            wrong.push(format!("{TABLE}: {at} has many rooms and no table: add one\n{}", draft(&at, &inside)));
        }
    }
    for module in &table.modules {
        let inside = Inside::of(survey, arrows, &module.at);
        if inside.rooms.nodes().next().is_none() {
            let at = &module.at;
            wrong.push(format!(
                "{TABLE}: {at} holds no file: write where {} has gone, or delete its [[module]]",
                module.name
            ));
            continue;
        }
        let found = wrong.len();
        rows(module, &inside, &mut wrong);
        arrows_of(module, &inside, &mut wrong);
        exceptions(module, &inside, &mut wrong);
        ring(module, &inside, table, &mut wrong);
        if wrong.len() > found + 12 {
            wrong.truncate(found + 12);
            wrong.push(format!(
                "… and more. {} as it is now, to copy from:\n{}",
                module.at,
                draft(&module.at, &inside)
            ));
        }
    }
    wrong
}

fn rows(module: &ModuleTable, inside: &Inside, wrong: &mut Vec<String>) {
    let at = &module.at;
    for room in inside.rooms.nodes().filter(|room| !inside.is_idle_face(room)) {
        if !module.rooms.iter().any(|row| row.room == *room) {
            let may: Vec<&String> = inside.rooms.named_by(room).collect();
            let users = inside.rooms.arrows().filter(|(_, to)| *to == room).map(|(from, _)| from.as_str());
            let users = users.collect::<Vec<_>>().join(", ");
            wrong.push(format!(
                "{TABLE}: {at} has no row for {room}: add it below what it names and above what names it ({users}):\n    \
                 {{ room = \"{room}\", may = {may:?}, is = \"…\", never = \"…\", held = \"test …\" }},"
            ));
        }
    }
    for row in &module.rooms {
        if !inside.rooms.nodes().any(|room| *room == row.room) {
            wrong.push(format!("{TABLE}: {at} has no room {}: delete its row, or give it its new name", row.room));
        } else if inside.is_idle_face(&row.room) {
            wrong.push(format!("{TABLE}: {at}: {} only shows what lies below: delete its row", row.room));
        }
        if row.is.trim().is_empty() || row.is == "…" {
            wrong.push(format!("{TABLE}: {at}: say in `is` what {} is, and what may not happen there", row.room));
        }
    }
}

fn arrows_of(module: &ModuleTable, inside: &Inside, wrong: &mut Vec<String>) {
    let at = &module.at;
    let place = |room: &str| module.rooms.iter().position(|row| row.room == room);
    let excepted = |from: &str, to: &str| module.exceptions.iter().any(|arrow| arrow.from == from && arrow.to == to);
    for ((from, to), said) in &inside.said {
        let Some(row) = module.rooms.iter().find(|row| row.room == *from) else { continue };
        if row.may.contains(to) || excepted(from, to) {
            continue;
        }
        let what = said.iter().take(5).cloned().collect::<Vec<_>>().join("\n    ");
        let more = if said.len() > 5 { format!("\n    and {} more", said.len() - 5) } else { String::new() };
        let cure = if place(to) < place(from) {
            format!("if it should, add \"{to}\" to the `may` of {from} in {TABLE}")
        } else {
            format!("{to} stands below {from} in {TABLE}: move what is named to {from} or above, or the rows")
        };
        wrong.push(format!("{at}: {from} must not name {to}; {cure}:\n    {what}{more}"));
    }
    for (index, row) in module.rooms.iter().enumerate() {
        let RoomRow { room, may, .. } = row;
        for to in may {
            if place(to).is_none_or(|place| place >= index) {
                wrong.push(format!("{TABLE}: {at}: {room} may name {to}, whose row must stand above that of {room}"));
            } else if !inside.said.contains_key(&(room.clone(), to.clone())) {
                wrong.push(format!("{TABLE}: {at}: {room} may name {to}, but does not: delete it from `may`"));
            }
        }
    }
}

fn exceptions(module: &ModuleTable, inside: &Inside, wrong: &mut Vec<String>) {
    let at = &module.at;
    for arrow in &module.exceptions {
        let names = inside.said.get(&(arrow.from.clone(), arrow.to.clone())).map_or(0, Vec::len);
        let (from, to) = (&arrow.from, &arrow.to);
        if names == 0 {
            wrong.push(format!("{TABLE}: {at}: {from} does not name {to} any more: delete the exception"));
        } else if names < arrow.names {
            wrong.push(format!("{TABLE}: {at}: {from} names {names} items of {to}: write names = {names}"));
        } else if names > arrow.names {
            let what = inside.said[&(from.clone(), to.clone())].join("\n    ");
            wrong.push(format!(
                "{at}: {from} names {names} items of {to}, which is an exception for {}:\n    {what}",
                arrow.names
            ));
        }
    }
}

fn ring(module: &ModuleTable, inside: &Inside, table: &Table, wrong: &mut Vec<String>) {
    let (at, most) = (&module.at, table.files_in_a_ring);
    let others: Vec<&str> = table.modules.iter().map(|module| module.at.as_str()).collect();
    let ring = inside.ring_of_files(at, &others);
    match module.ring {
        Some(excepted) if ring.len() <= most => {
            wrong.push(format!("{TABLE}: {at} has no ring of {excepted} files any more: delete `ring`"));
        }
        Some(excepted) if ring.len() < excepted => {
            wrong.push(format!(
                "{TABLE}: the largest ring of {at} has {} files: write ring = {}",
                ring.len(),
                ring.len()
            ));
        }
        excepted if ring.len() > excepted.unwrap_or(most) => {
            let within = inside.files.arrows().filter(|(from, to)| ring.contains(*from) && ring.contains(*to));
            let within = within.map(|(from, to)| format!("{from} → {to}")).collect::<Vec<_>>().join("\n    ");
            let allowed = excepted.unwrap_or(most);
            wrong.push(format!("{at}: {} files name each other in a ring, {allowed} may:\n    {within}", ring.len()));
        }
        _ => {}
    }
}

/// Returns a table of a module as it is now, to copy from.
pub(crate) fn draft(at: &str, inside: &Inside) -> String {
    let order = inside.rooms.order();
    let back = inside.rooms.against(&order);
    let mut text = format!("[[module]]\nname = \"{at}\"\nat = \"{at}\"\nrooms = [\n");
    for room in order.iter().filter(|room| !inside.is_idle_face(room)) {
        let may: Vec<&String> = inside.rooms.named_by(room).filter(|to| !back.contains(&(room, to))).collect();
        writeln!(text, "    {{ room = \"{room}\", may = {may:?}, is = \"…\", never = \"…\", held = \"test …\" }},")
            .unwrap();
    }
    text.push_str("]\n");
    if !back.is_empty() {
        text.push_str("exceptions = [\n");
        for (from, to) in back {
            let names = inside.said.get(&(from.clone(), to.clone())).map_or(0, Vec::len);
            writeln!(text, "    {{ from = \"{from}\", to = \"{to}\", names = {names} }},").unwrap();
        }
        text.push_str("]\n");
    }
    text
}

/// Finds where the world is touched without a place in the table.
pub(crate) fn world(survey: &Survey, table: &Table) -> Vec<String> {
    let mut wrong = Vec::new();
    for part in &table.world {
        let touched = touched(survey, part);
        for (path, names) in &touched {
            if !part.places.iter().any(|place| is_at(path, &place.at)) {
                let thing = &part.thing;
                wrong.push(format!(
                    "{path} touches the {thing} ({}): pass it in, or add to `places` of that thing in {TABLE}:\n    \
                     {{ at = \"{path}\", why = \"…\" }},",
                    names.iter().take(6).cloned().collect::<Vec<_>>().join(", ")
                ));
            }
        }
        for place in &part.places {
            if !touched.keys().any(|path| is_at(path, &place.at)) {
                wrong.push(format!("{TABLE}: nothing at {} touches the {}: delete that place", place.at, part.thing));
            }
            if place.why.trim().is_empty() || place.why == "…" {
                wrong.push(format!("{TABLE}: say why {} touches the {}", place.at, part.thing));
            }
        }
    }
    wrong
}

/// Returns the files that touch a part of the world, each with the names by which it does.
pub(crate) fn touched(survey: &Survey, part: &WorldTable) -> BTreeMap<String, Vec<String>> {
    let mut touched: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in survey.files() {
        for (path, name) in survey.external(file) {
            if part.names.iter().any(|pattern| is_named(path, pattern)) {
                let names = touched.entry(survey.path(file).to_owned()).or_default();
                if !names.iter().any(|known| known.ends_with(&format!(" {path}"))) {
                    names.push(format!("line {} {path}", name.line));
                }
            }
        }
    }
    touched
}

fn is_named(path: &str, pattern: &str) -> bool {
    path.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn is_at(path: &str, place: &str) -> bool {
    path == place || (place.ends_with('/') && path.starts_with(place))
}
