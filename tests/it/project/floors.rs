//! Which room of the source may import which (docs/ARCHITECTURE.md), and how it names its imports.

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
        // Sockets have their TLS from the keys' room. Failpoints are for tests, in any room.
        "net" if to.name == "tls" => None,
        _ if is_edge(from) && is_edge(to) && to.name != "failpoint" => {
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

/// The names behind each `crate::` of a file, without its unit tests.
fn imports(source: &str) -> Vec<Vec<&str>> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let paths = code.flat_map(|line| line.split("crate::").skip(1));
    let word = |name: &'_ str| name.find(|letter| !is_of_a_name(letter)).unwrap_or(name.len());
    paths.map(|path| path.split("::").take(2).map(|name| &name[..word(name)]).collect()).collect()
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
    assert!(count > 50, "only {count} imports were found: the test reads them no more");
}

/// Whether the code of a file, without its unit tests, imports all names of its parent module.
fn has_glob_of_super(source: &str) -> bool {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().any(|line| line.trim() == "use super::*;")
}

#[test]
fn no_room_imports_all_names_of_the_room_around_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let named = sources(&root)
        .into_iter()
        .filter(|path| has_glob_of_super(&fs::read_to_string(path).expect("it can be read")));
    let named: Vec<_> = named.collect();
    assert!(named.is_empty(), "outside tests, name what you import from `super`: {named:?}");
}
