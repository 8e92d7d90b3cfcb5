//! How a terminal calls the person in front of it: by its bell, its title and, if it can, a
//! notification.

use std::env;

use super::layout::Shown;

/// The bell.
const BELL: &str = "\x07";

/// The sequence by which a terminal takes a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notification {
    /// OSC 9: iTerm2, WezTerm, Ghostty.
    Osc9,
    /// OSC 777: foot, urxvt.
    Osc777,
    /// OSC 99: kitty.
    Osc99,
}

/// The bytes that call the person. The text is one line of ours.
pub(super) fn ring(text: &Shown) -> String {
    let set = |name: &str| env::var(name).unwrap_or_default();
    let is_kitty = env::var_os("KITTY_WINDOW_ID").is_some();
    let notification = notification(&set("TERM"), &set("TERM_PROGRAM"), is_kitty);
    format!("{BELL}{}", notification.map(|it| written(it, text.as_str())).unwrap_or_default())
}

/// The bytes that set the title. It counts the customers who need an answer, if any do.
pub(super) fn title(count: u32) -> String {
    let count = if count > 0 { format!("({count}) ") } else { String::new() };
    format!("\x1b]2;{count}handoff\x1b\\")
}

fn notification(term: &str, program: &str, is_kitty: bool) -> Option<Notification> {
    match (term, program) {
        // A multiplexer does not pass it on.
        (term, _) if term.starts_with("tmux") || term.starts_with("screen") => None,
        _ if is_kitty => Some(Notification::Osc99),
        (_, "iTerm.app" | "WezTerm" | "ghostty") => Some(Notification::Osc9),
        (term, _) if term.starts_with("foot") || term.starts_with("rxvt") => {
            Some(Notification::Osc777)
        }
        _ => None,
    }
}

fn written(notification: Notification, text: &str) -> String {
    match notification {
        Notification::Osc9 => format!("\x1b]9;{text}\x1b\\"),
        Notification::Osc777 => format!("\x1b]777;notify;handoff;{text}\x1b\\"),
        Notification::Osc99 => format!("\x1b]99;;{text}\x1b\\"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Notification, notification, title, written};

    #[test]
    fn a_terminal_gets_the_notification_that_it_has() {
        let of = |term, program| notification(term, program, false);
        assert_eq!(of("xterm-256color", ""), None);
        assert_eq!(of("xterm-256color", "WezTerm"), Some(Notification::Osc9));
        assert_eq!(of("foot", ""), Some(Notification::Osc777));
        assert_eq!(of("tmux-256color", "WezTerm"), None);
        assert_eq!(notification("xterm-kitty", "", true), Some(Notification::Osc99));
        assert_eq!(written(Notification::Osc99, "1 waits"), "\x1b]99;;1 waits\x1b\\");
    }

    #[test]
    fn the_title_counts_the_customers_who_need_an_answer() {
        assert_eq!([title(0), title(2)], ["\x1b]2;handoff\x1b\\", "\x1b]2;(2) handoff\x1b\\"]);
    }
}
