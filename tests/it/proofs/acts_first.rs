//! The control of the model and the fuzz targets: in a build that acts before it commits (the
//! feature `acts-first`), each of them must fail.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::fuzz;

/// Whether an input of the corpus of `ends` breaks the target. Only inputs with this lowest bit in
/// their first byte are tried.
fn a_kept_input_breaks(bit: u8) -> bool {
    let folder = format!("{}/fuzz/corpus/ends", env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(&folder).expect("the corpus exists");
    let inputs = files.map(|file| fs::read(file.expect("it can be read").path()));
    let inputs = inputs.map(|input| input.expect("it can be read"));
    let of_target = inputs.filter(|input| input.first().is_some_and(|first| first % 2 == bit));
    of_target.into_iter().any(|input| catch_unwind(|| fuzz::ends(&input)).is_err())
}

#[test]
fn acts_first_breaks_the_model() {
    let fails = |seed| {
        let mut seen = super::model::Seen::default();
        catch_unwind(AssertUnwindSafe(|| super::model::play(seed, &mut seen))).is_err()
    };
    assert!((0..1_000).any(fails), "no history of 1,000 failed");
}

#[test]
fn acts_first_breaks_the_desks_fuzz_target() {
    assert!(a_kept_input_breaks(0), "no input of the corpus failed");
}

#[test]
fn acts_first_breaks_the_sessions_fuzz_target() {
    assert!(a_kept_input_breaks(1), "no input of the corpus failed");
}
