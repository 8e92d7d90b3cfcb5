//! The dependencies are those in docs/ARCHITECTURE.md, and none of them is banned by deny.toml.
//!
//! `scripts/audit` checks more (licences, sources, advisories), with a tool that takes minutes to
//! build.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../docs/ARCHITECTURE.md");
const DENY: &str = include_str!("../../../deny.toml");
const FUZZED: &str = include_str!("../../../fuzz/Cargo.lock");

/// The output of this cargo command for the project.
fn cargo(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO")).args(arguments).arg("--locked").output().expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("it is text")
}

/// The crates in Cargo.toml: those of the program, and those of its tests.
fn direct() -> (BTreeSet<String>, BTreeSet<String>) {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("it is JSON");
    let named = metadata["packages"][0]["dependencies"].as_array().expect("a list").iter();
    let (tests, program): (Vec<_>, Vec<_>) =
        named.partition(|dependency| dependency["kind"] == "dev");
    let names = |list: Vec<&Value>| {
        list.iter().filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
    };
    (names(program), names(tests))
}

/// Names and versions of all crates that are part of the program or build it, on any target.
fn shipped() -> BTreeSet<(String, String)> {
    let tree = cargo(&[
        "tree",
        "--target",
        "all",
        "--edges",
        "no-dev",
        "--all-features",
        "--prefix",
        "none",
    ]);
    let package =
        |line: &str| line.split_once(" v").map(|(name, rest)| (name.to_owned(), rest.to_owned()));
    let version = |(name, rest): (String, String)| {
        (name, rest.split(' ').next().unwrap_or_default().to_owned())
    };
    tree.lines().filter_map(package).map(version).collect()
}

/// The crates in the document's table: those of the program, and those of the tests.
fn documented() -> (BTreeSet<String>, BTreeSet<String>) {
    let table = DOCUMENT.split_once("| crate | why |\n").expect("the table of dependencies").1;
    let cells = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .filter_map(|row| row.split('|').nth(1));
    let (tests, program): (Vec<&str>, Vec<&str>) =
        cells.partition(|cell| cell.contains("tests only"));
    let names = |cells: Vec<&'static str>| {
        cells
            .into_iter()
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .map(str::to_owned)
            .collect()
    };
    (names(program), names(tests))
}

/// The crates that deny.toml bans.
fn banned() -> Vec<&'static str> {
    let list = DENY
        .split_once("\ndeny = [")
        .and_then(|(_, rest)| rest.split_once("\n]"))
        .expect("the list of bans")
        .0;
    list.lines()
        .filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split('"').next())
        .collect()
}

#[test]
fn the_table_of_dependencies_names_every_crate_and_no_other() {
    let (program, tests) = documented();
    let (used, used_by_tests) = direct();
    assert_eq!(program, used, "docs/ARCHITECTURE.md | Cargo.toml, dependencies");
    assert_eq!(
        tests,
        &used_by_tests - &used,
        "docs/ARCHITECTURE.md | Cargo.toml, dev-dependencies"
    );
}

#[test]
fn nothing_banned_is_in_what_ships_on_any_target() {
    let (shipped, banned) = (shipped(), banned());
    assert!(shipped.len() > 20 && banned.contains(&"tokio"), "{shipped:?} without {banned:?}");
    let found: Vec<_> =
        shipped.iter().filter(|(name, _)| banned.contains(&name.as_str())).collect();
    assert!(
        found.is_empty(),
        "{found:?} is in the tree: cargo tree --locked --target all -i NAME says why"
    );
}

#[test]
fn the_fuzz_targets_are_built_of_what_ships() {
    let is_locked = |(name, version): &(String, String)| {
        FUZZED.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n"))
    };
    let lacking: Vec<_> = shipped().into_iter().filter(|package| !is_locked(package)).collect();
    let hint = "cp Cargo.lock fuzz/ && cargo update --workspace --manifest-path fuzz/Cargo.toml";
    assert!(lacking.is_empty(), "fuzz/Cargo.lock lacks {lacking:?}; {hint}");
}

#[test]
fn every_documented_or_scripted_cargo_command_is_locked() {
    let root = env!("CARGO_MANIFEST_DIR");
    let files = |folder: &str| fs::read_dir(format!("{root}/{folder}")).expect("a folder of ours");
    let found = ["scripts", "docs"]
        .into_iter()
        .flat_map(files)
        .map(|file| file.expect("it can be read").path())
        .filter(|path| path.is_file());
    for path in found.chain([format!("{root}/README.md").into()]) {
        let text = fs::read_to_string(&path).expect("it is text");
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let resolves = [
                "bench", "build", "clippy", "deny", "doc", "fetch", "install", "metadata", "run",
                "test",
            ];
            let mut calls =
                line.split("cargo ").skip(1).filter_map(|call| call.split([' ', '`']).next());
            let unlocked = calls.any(|verb| resolves.contains(&verb)) && !line.contains("--locked");
            assert!(!unlocked, "{}: {line}", path.display());
        }
    }
}
