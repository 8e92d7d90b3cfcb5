//! The units for systemd in `docs`.

/// The one value of this name in a unit.
#[track_caller]
pub fn value<'a>(unit: &'a str, name: &str) -> &'a str {
    let lines: Vec<&str> =
        unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect();
    let [value] = lines[..] else { panic!("one {name}: {lines:?}") };
    value
}
