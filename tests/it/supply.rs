//! What handoff depends on is what docs/ARCHITECTURE.md says, and none of it is what deny.toml bans.
//!
//! `scripts/audit` checks more (licences, sources, advisories), with a tool that takes minutes to build.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

const DOCUMENT: &str = include_str!("../../docs/ARCHITECTURE.md");
const DENY: &str = include_str!("../../deny.toml");

/// What cargo knows of us and of all that we depend on, for all targets.
fn metadata() -> Value {
    let arguments = ["metadata", "--locked", "--all-features", "--format-version", "1"];
    let output = Command::new(env!("CARGO")).args(arguments).output().expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("'{key}' is a list"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("'{key}' is a text"))
}

/// What Cargo.toml names, for the program or for its tests.
fn direct(metadata: &Value, dev: bool) -> BTreeSet<&str> {
    let root = text(&metadata["resolve"], "root");
    let us = list(metadata, "packages").iter().find(|package| package["id"] == root).expect("we are a package");
    let named = list(us, "dependencies").iter().filter(|dependency| (dependency["kind"] == "dev") == dev);
    named.map(|dependency| text(dependency, "name")).collect()
}

/// Names of all that is part of the program, or builds it, on any target.
fn shipped(metadata: &Value) -> BTreeSet<&str> {
    let nodes = list(&metadata["resolve"], "nodes");
    let mut ids = BTreeSet::new();
    let mut next = vec![text(&metadata["resolve"], "root")];
    while let Some(id) = next.pop() {
        if ids.insert(id) {
            let node = nodes.iter().find(|node| node["id"] == id).expect("every package is resolved");
            let ships = |dep: &&Value| list(dep, "dep_kinds").iter().any(|kind| kind["kind"] != "dev");
            next.extend(list(node, "deps").iter().filter(ships).map(|dep| text(dep, "pkg")));
        }
    }
    let packages = list(metadata, "packages").iter().filter(|package| ids.contains(text(package, "id")));
    packages.map(|package| text(package, "name")).collect()
}

/// The crates in the document's table: those of the program, and those of the tests.
fn documented() -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let table = DOCUMENT.split_once("| crate | why |\n").expect("the table of dependencies").1;
    let cells = table.lines().skip(1).take_while(|line| line.starts_with('|')).filter_map(|row| row.split('|').nth(1));
    let (tests, program): (Vec<&str>, Vec<&str>) = cells.partition(|cell| cell.contains("tests only"));
    let names =
        |cells: Vec<&'static str>| cells.into_iter().flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    (names(program), names(tests))
}

/// The crates that deny.toml bans.
fn banned() -> BTreeSet<&'static str> {
    let list = DENY.split_once("\ndeny = [").and_then(|(_, rest)| rest.split_once("\n]")).expect("the list of bans").0;
    list.lines().filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split('"').next()).collect()
}

#[test]
fn the_table_of_dependencies_names_every_crate_and_no_other() {
    let metadata = metadata();
    let (program, tests) = documented();
    let used = direct(&metadata, false);
    assert_eq!(program, used, "docs/ARCHITECTURE.md | Cargo.toml, dependencies");
    let only_tests: BTreeSet<&str> = &direct(&metadata, true) - &used;
    assert_eq!(tests, only_tests, "docs/ARCHITECTURE.md | Cargo.toml, dev-dependencies");
}

#[test]
fn nothing_banned_is_in_what_ships_on_any_target() {
    let (metadata, banned) = (metadata(), banned());
    let shipped = shipped(&metadata);
    assert!(shipped.len() > 20 && banned.contains("tokio"), "{shipped:?} without {banned:?}");
    let found: BTreeSet<_> = shipped.intersection(&banned).collect();
    assert!(found.is_empty(), "{found:?} is in the tree: cargo tree --locked --target all -i NAME says why");
}

#[test]
fn every_documented_or_scripted_cargo_command_is_locked() {
    let root = env!("CARGO_MANIFEST_DIR");
    let files = |folder: &str| fs::read_dir(format!("{root}/{folder}")).expect("a folder of ours");
    let found = ["scripts", "docs"].into_iter().flat_map(files).map(|file| file.expect("it can be read").path());
    for path in found.chain([format!("{root}/README.md").into()]) {
        let text = fs::read_to_string(&path).expect("it is text");
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let resolves = ["bench", "build", "clippy", "deny", "doc", "fetch", "install", "metadata", "run", "test"];
            let mut calls = line.split("cargo ").skip(1).filter_map(|call| call.split([' ', '`']).next());
            let unlocked = calls.any(|verb| resolves.contains(&verb)) && !line.contains("--locked");
            assert!(!unlocked, "{}: {line}", path.display());
        }
    }
}
