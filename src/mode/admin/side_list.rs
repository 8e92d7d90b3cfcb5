//! When the desk makes a new list of conversations for an agent's wide window, which shows it
//! beside the conversation. For a window without the list it makes none.

use std::time::{Duration, Instant};

/// The least time between two lists: a burst of events makes one list.
const EVERY: Duration = Duration::from_millis(500);
/// How often a list is made again when nothing happens, for the times in it.
const STEP: Duration = Duration::from_secs(10);
/// The most lines that a window gets.
const ROWS_MAX: u16 = 200;

/// The list at one seat.
#[derive(Default)]
pub(super) struct SideList {
    rows: u16,
    /// When the latest list was made, and when the next one is due.
    made: Option<Instant>,
    due: Option<Instant>,
    lines: Vec<String>,
}

impl SideList {
    /// Sets how many lines the window shows.
    pub(super) fn set_rows(&mut self, rows: u16) {
        *self = SideList { rows: rows.min(ROWS_MAX), ..SideList::default() };
    }

    /// When the next list is due, if the window shows one.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Makes the list again, if [`EVERY`] has passed since the latest one. Returns its lines, if
    /// they have changed. `make` gets the number of lines to make.
    pub(super) fn refreshed(
        &mut self,
        now: Instant,
        make: impl FnOnce(usize) -> Vec<String>,
    ) -> Option<Vec<String>> {
        if self.rows == 0 {
            return None;
        }
        if let Some(next) = self.made.map(|made| made + EVERY).filter(|next| now < *next) {
            self.due = Some(next);
            return None;
        }
        (self.made, self.due) = (Some(now), Some(now + STEP));
        let lines = make(self.rows.into());
        let has_changed = lines != self.lines;
        self.lines.clone_from(&lines);
        has_changed.then_some(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_makes_one_list_and_an_unchanged_list_is_not_sent() {
        let mut side_list = SideList::default();
        let (begun, mut made) = (Instant::now(), 0);
        let after = |millis| begun + Duration::from_millis(millis);
        assert_eq!(side_list.refreshed(begun, |_| unreachable!("nobody looks")), None);
        side_list.set_rows(9);
        let mut refresh = |millis, text: &str| {
            let lines = side_list.refreshed(after(millis), |rows| {
                made += 1;
                vec![format!("{rows} {text}")]
            });
            (lines.map(|lines| lines.concat()), side_list.due())
        };
        assert_eq!(refresh(0, "a"), (Some("9 a".to_owned()), Some(after(10_000))));
        for millis in 1..500 {
            assert_eq!(refresh(millis, "b"), (None, Some(after(500))));
        }
        assert_eq!(refresh(500, "b"), (Some("9 b".to_owned()), Some(after(10_500))));
        assert_eq!(refresh(10_500, "b"), (None, Some(after(20_500))));
        assert_eq!(made, 3);
    }
}
