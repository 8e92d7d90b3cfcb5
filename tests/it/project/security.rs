//! The tests that `docs/SECURITY.md` names as proof exist.

use std::fs;
use std::path::Path;

const DOCUMENT: &str = include_str!("../../../docs/SECURITY.md");

#[test]
fn every_proof_is_a_test() {
    let code = DOCUMENT.split('`').skip(1).step_by(2);
    let proofs: Vec<&str> =
        code.filter(|word| word.contains("::") && !word.contains(' ')).collect();
    assert!(proofs.len() > 20, "{proofs:?}");
    for proof in proofs {
        let (room, name) = proof.rsplit_once("::").expect("it was looked for");
        let path = room.replace("::", "/");
        let homes = [
            format!("tests/it/{path}.rs"),
            format!("src/{path}.rs"),
            format!("src/{}.rs", path.trim_end_matches("/tests")),
        ];
        assert!(homes.iter().any(|home| has_test(home, name)), "there is no test {proof}");
    }
}

/// Whether this file has a test with this name.
fn has_test(file: &str, name: &str) -> bool {
    let source =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_default();
    let Some((before, _)) = source.split_once(&format!("fn {name}()")) else { return false };
    let attributes = before.lines().rev().skip_while(|line| line.trim().is_empty());
    attributes
        .take_while(|line| line.trim_start().starts_with("#["))
        .any(|line| line.trim() == "#[test]")
}
