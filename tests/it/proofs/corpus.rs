//! Runs each input in `fuzz/corpus` through its fuzz target, so that every test run repeats what
//! `scripts/fuzz` once found.

use std::fs;
use std::panic::catch_unwind;

use crate::fuzz;

type Target = (&'static str, fn(&[u8]));

#[test]
fn no_input_of_the_corpus_breaks_a_property() {
    let targets: [Target; 7] = [
        ("frames", fuzz::frames),
        ("ends", fuzz::ends),
        ("reply", fuzz::reply),
        ("text", fuzz::text),
        ("command", fuzz::command),
        ("http", fuzz::http),
        ("gateway", fuzz::gateway),
    ];
    for (name, target) in targets {
        let folder = format!("{}/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder}: {e}"));
        let files: Vec<_> = files.map(|file| file.expect("it can be read").path()).collect();
        assert!(files.len() > 5, "{folder} holds {} inputs only", files.len());
        for file in files {
            let input = fs::read(&file).expect("it can be read");
            assert!(
                catch_unwind(|| target(&input)).is_ok(),
                "{} breaks '{name}', see above",
                file.display()
            );
        }
    }
}
