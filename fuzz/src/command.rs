//! For any typed line: only a line that does not begin with a single slash is sent, and it is sent
//! completely.

use std::fmt::Debug;

use handoff::core::command::{Admin, User};

pub fn command(data: &[u8]) {
    let line = String::from_utf8_lossy(data);
    let user = User::parse(&line);
    check(&line, &user, |command| if let User::Say(text) = command { Some(text) } else { None });
    let admin = Admin::parse(&line);
    check(&line, &admin, |command| if let Admin::Say(text) = command { Some(text) } else { None });
    if let Ok(Admin::Accept(Some(who)) | Admin::History(Some(who)) | Admin::Switch(who)) = admin {
        assert!(!who.0.is_empty() && line.contains(&who.0), "{line:?} means {who:?}");
        let digits = who.number().map(|number| number.to_string()).unwrap_or_default();
        assert!(who.0.contains(&digits), "{line:?} means number {digits}");
    }
}

fn check<T: Debug>(line: &str, parsed: &Result<T, String>, said: impl Fn(&T) -> Option<&String>) {
    let line = line.trim();
    let expected = match line.strip_prefix('/') {
        None => Some(line),
        Some(text) if text.starts_with('/') => Some(text),
        Some(_) => None,
    };
    let is_said = parsed.as_ref().ok().and_then(said).map(String::as_str);
    assert_eq!(is_said, expected, "{line:?} was read as {parsed:?}");
    if let Err(why) = parsed {
        assert!(!why.is_empty() && !why.contains('\n'), "{why:?} is not one line");
    }
}
