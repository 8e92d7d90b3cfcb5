//! For any text of a peer: the shown text moves no cursor and its length is limited.

use handoff::core::text::Safe;

pub fn text(data: &[u8]) {
    let raw = String::from_utf8_lossy(data);
    let shown = Safe(&raw).to_string();
    let control = shown.chars().find(|letter| letter.is_control() && *letter != '\n');
    assert_eq!(control, None, "a control character was shown unescaped");
    assert!(shown.len() <= 12 * raw.len() + 64, "{} bytes became {}", raw.len(), shown.len());
}
