//! Which room of the source may import which (docs/ARCHITECTURE.md), and that a room imports by
//! name.

use std::fs;
use std::path::{Path, PathBuf};

/// A room: the floor it is on, and its name there.
struct Room<'a> {
    floor: &'a str,
    name: &'a str,
}

/// Why `from` may not import `to`, if it may not.
fn broken_rule(from: &Room, to: &Room) -> Option<&'static str> {
    let is_edge = |room: &Room| matches!(room.floor, "edge" | "net" | "bot");
    let same = from.floor == to.floor && from.name == to.name;
    match from.floor {
        _ if same => None,
        "wire" if to.floor != "wire" => Some("the wire is the ground: it imports nothing above it"),
        "core" if !matches!(to.floor, "wire" | "core") => {
            Some("the core is pure: it imports the wire and the core, no edge and nothing above")
        }
        _ if is_edge(from) && matches!(to.floor, "turn" | "mode") => {
            Some("an edge is below the turn and the modes, and does not import them")
        }
        // The sockets get TLS from `edge/tls`. Every edge may use the failpoints and the clock.
        "net" if to.name == "tls" => None,
        _ if matches!(to.name, "failpoint" | "clock") && is_edge(to) => None,
        _ if is_edge(from) && is_edge(to) => {
            Some("an edge holds one family of system calls, and imports no other edge")
        }
        "turn" if to.floor == "mode" => Some("the turn is below the modes that run it"),
        _ => None,
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the source is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut found = Vec::new();
    for path in paths.filter(|path| path.file_stem().is_none_or(|name| name != "tests")) {
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The names after each `crate::` of a file, without its unit tests.
fn imports(source: &str) -> Vec<Vec<&str>> {
    let paths = code(source).flat_map(|line| line.split("crate::").skip(1));
    let word = |name: &'_ str| name.find(|letter| !is_of_a_name(letter)).unwrap_or(name.len());
    paths.map(|path| path.split("::").take(2).map(|name| &name[..word(name)]).collect()).collect()
}

/// The code of a file, without comments and unit tests.
fn code(source: &str) -> impl Iterator<Item = &str> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    source.lines().filter(|line| !line.trim_start().starts_with("//"))
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[test]
fn no_module_imports_from_a_floor_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut count = 0;
    for path in sources(&root) {
        let place = path.strip_prefix(&root).expect("it is in src").with_extension("");
        let place: Vec<&str> = place.iter().filter_map(|part| part.to_str()).collect();
        let from = Room { floor: place[0], name: place.get(1).copied().unwrap_or_default() };
        let source = fs::read_to_string(&path).expect("it can be read");
        for import in imports(&source) {
            let to = Room { floor: import[0], name: import.get(1).copied().unwrap_or_default() };
            count += 1;
            if let Some(rule) = broken_rule(&from, &to) {
                panic!("{} imports {}: {rule}", path.display(), import.join("::"));
            }
        }
    }
    assert!(count > 50, "the test found {count} imports only, so it does not read them");
}

#[test]
fn no_pure_room_reads_a_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in ["wire", "core"].into_iter().flat_map(|floor| sources(&root.join(floor))) {
        let source = fs::read_to_string(&path).expect("it can be read");
        let reads = |line: &&str| ["Instant::now", "SystemTime"].iter().any(|it| line.contains(it));
        let found = code(&source).find(reads);
        assert_eq!(found, None, "{}: a pure room gets the time as an argument", path.display());
    }
}

/// The paths of one `use` tree: `a::{b, c::*}` has `a::b` and `a::c::*`.
fn paths(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else { return vec![tree.to_owned()] };
    let inside = rest.strip_suffix('}').expect("a brace that opens closes");
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, letter) in inside.char_indices().chain([(inside.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = &inside[from..at];
                found.extend(paths(branch).into_iter().map(|path| format!("{head}{path}")));
                from = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// The imports in the code of a file, without its unit tests, that take all names of a module
/// around this one. `place` is the module's path: `core::desk::queue`.
fn globs_of_ancestors(source: &str, place: &str) -> Vec<String> {
    let without_comment = |line| str::split(line, " //").next().unwrap_or_default();
    let code = code(source).map(without_comment).collect::<Vec<_>>().join(" ");
    let statements = code.split(';').filter_map(|statement| statement.rsplit_once("use "));
    let is_glob = |path: &String| {
        let Some(module) = path.strip_suffix("::*") else { return false };
        let is_above = |name: &str| matches!(name, "super" | "self");
        let is_ancestor = |named: &str| format!("{place}::").starts_with(&format!("{named}::"));
        module == "crate"
            || module.split("::").all(is_above)
            || module.strip_prefix("crate::").is_some_and(is_ancestor)
    };
    // A text in quotes may have the word 'use', too. It is recognized by characters that no path
    // has.
    let is_tree = |tree: &String| tree.chars().all(|it| is_of_a_name(it) || ":{},*".contains(it));
    let trees = statements.map(|(_, tree)| tree.split_whitespace().collect::<String>());
    let trees = trees.filter(is_tree);
    trees.flat_map(|tree| paths(&tree)).filter(is_glob).collect()
}

#[test]
fn every_form_of_importing_all_of_an_ancestor_is_found() {
    for form in [
        "use super::*;",
        "pub use super::*;",
        "    pub(super) use super::super::*;",
        "use super::{Desk, super::*};",
        "use super::{\n    *,\n    room::Room,\n};",
        "use self::super::*;",
        "use crate::core::desk::*;",
        "use crate::core::{clock::Now, desk::*};",
        "use crate::*;",
        "use {std::fs, super::*};",
        "use super::{ // a reason\n    Desk, *};",
    ] {
        assert_eq!(globs_of_ancestors(form, "core::desk::queue").len(), 1, "{form}");
    }
    for form in [
        "use super::room::*;",
        "use std::io::prelude::*;",
        "use crate::core::de::*;",
        "// use super::*;",
        "use super::{Desk, room::{self, Room}};",
    ] {
        assert_eq!(globs_of_ancestors(form, "core::desk::queue"), [""; 0], "{form}");
    }
}

#[test]
fn no_room_imports_all_names_of_a_room_around_it() {
    for folder in ["src", "tests/it", "benches/load", "fuzz/src"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        // This file has the forbidden forms as texts.
        for path in sources(&root).iter().filter(|path| !path.ends_with(file!())) {
            let place = path.strip_prefix(&root).expect("it is in the folder").with_extension("");
            let place: Vec<&str> = place.iter().filter_map(|part| part.to_str()).collect();
            let source = fs::read_to_string(path).expect("it can be read");
            let found = globs_of_ancestors(&source, &place.join("::"));
            assert!(found.is_empty(), "{}: name what you import: {found:?}", path.display());
        }
    }
}
