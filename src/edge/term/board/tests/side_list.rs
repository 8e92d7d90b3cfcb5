//! The list of conversations beside the conversation, and the scrollback of an emulated terminal.

use proptest::prelude::*;

use super::*;

/// Something that happens at a terminal.
#[derive(Clone, Debug)]
enum Step {
    /// This many lines arrive at once.
    Arrive(usize),
    /// The list has this many lines.
    List(usize),
    Type(&'static str),
    Newline,
    DropLine,
    Redraw,
    /// The window gets this many columns and rows.
    Resize(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..4usize).prop_map(Step::Arrive),
        1 => (1..90usize).prop_map(Step::Arrive),
        2 => (0..40usize).prop_map(Step::List),
        2 => prop::sample::select(vec!["日本語", "👩\u{200d}👩\u{200d}👧", "مرحبا", "x"])
            .prop_map(Step::Type),
        1 => Just(Step::Newline),
        1 => Just(Step::DropLine),
        1 => Just(Step::Redraw),
        2 => (prop::sample::select(vec![110, 159, 160, 200, 300]), 12..30usize)
            .prop_map(|(columns, rows)| Step::Resize(columns, rows)),
    ]
}

impl Desk {
    fn take(&mut self, step: &Step, arrived: &mut usize) {
        let mut above = Vec::new();
        match step {
            Step::Arrive(count) => {
                for _ in 0..*count {
                    *arrived += 1;
                    let line = format!("line {arrived} 👩\u{200d}👧 日本 مرحبا ☀\u{fe0f}");
                    let columns = self.board.columns();
                    above.extend(self.look.aside("", &Shown::line(&line), columns));
                }
            }
            Step::List(count) => {
                let line = |at| format!("listed {at} 日本 👩\u{200d}👧");
                self.board.list(&(0..*count).map(line).collect::<Vec<_>>());
            }
            // A narrower window breaks a long row. The emulator does not break it.
            Step::Type(_) if self.board.editor.text().len() > 20 => {}
            Step::Type(text) => drop(self.board.press(&Key::Text((*text).into()), &self.look)),
            Step::Newline => drop(self.board.press(&Key::Newline, &self.look)),
            Step::DropLine => _ = self.board.drop_line(),
            // Without the list, Ctrl-L drops what is in the window.
            Step::Redraw if !self.board.has_list() => {}
            Step::Redraw => drop(self.board.press(&Key::Redraw, &self.look)),
            Step::Resize(columns, rows) => self.resize(*columns, *rows),
        }
        let frame = self.board.frame(&above, &self.look);
        self.screen.process(&frame);
    }

    fn resize(&mut self, columns: usize, rows: usize) {
        (self.board.columns, self.board.rows) = (columns, rows);
        let size = |size: usize| u16::try_from(size).ok().and_then(NonZero::new).expect("a size");
        self.screen.screen_mut().set_size(size(rows), size(columns));
        self.board.fit();
    }

    /// The rows above the window, the oldest first.
    fn scrollback(&mut self) -> Vec<String> {
        let screen = self.screen.screen_mut();
        screen.set_scrollback(usize::MAX);
        let past = screen.scrollback();
        let mut rows = Vec::new();
        for back in (1..=past).rev() {
            screen.set_scrollback(back);
            rows.extend(screen.rows(0, u16::MAX).next());
        }
        screen.set_scrollback(0);
        rows
    }
}

/// The numbers of the lines in these rows.
fn numbers(rows: &[String]) -> Vec<usize> {
    let behind = rows.iter().filter_map(|row| row.split_once("line ")?.1.split(' ').next());
    behind.filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn a_window_that_becomes_narrower_and_taller_keeps_what_comes_back_from_the_scrollback() {
    let mut desk = desk(300, 20);
    desk.take(&Step::Arrive(30), &mut 0);
    desk.take(&Step::Resize(200, 25), &mut 30);
    let rows: Vec<String> = desk.screen.screen().rows(0, u16::MAX).collect();
    assert_eq!(numbers(&[desk.scrollback(), rows].concat()), (1..=30).collect::<Vec<_>>());
}

#[test]
fn a_window_that_becomes_shorter_and_wide_at_once_shows_no_line_twice() {
    let mut desk = desk(100, 30);
    desk.take(&Step::Arrive(30), &mut 0);
    desk.take(&Step::Resize(200, 15), &mut 30);
    let rows: Vec<String> = desk.screen.screen().rows(0, u16::MAX).collect();
    assert_eq!(numbers(&[desk.scrollback(), rows].concat()), (1..=30).collect::<Vec<_>>());
}

#[test]
fn a_window_that_becomes_narrow_keeps_nothing_of_the_list_after_a_broken_row() {
    let mut desk = desk(200, 20);
    desk.take(&Step::List(15), &mut 0);
    desk.above(&[&"long ".repeat(15), "short"]);
    desk.take(&Step::Resize(60, 20), &mut 0);
    let rows: Vec<String> = desk.screen.screen().rows(0, u16::MAX).take(5).collect();
    let long = "long ".repeat(12);
    assert_eq!(rows, [&long, "long long long ", "short", "Ann (2)> ", ""]);
}

#[test]
fn ctrl_l_draws_a_wide_window_anew_and_never_clears_all_of_it_at_once() {
    let mut desk = desk(200, 20);
    desk.take(&Step::List(15), &mut 0);
    desk.take(&Step::Arrive(30), &mut 0);
    let seen = desk.seen();
    desk.screen.process("\x1b[Hanother program's words\r\n\n\nand more of them".as_bytes());
    assert_ne!(desk.seen(), seen);
    desk.board.press(&Key::Redraw, &desk.look);
    let frame = desk.board.frame(&[], &desk.look);
    assert!(!String::from_utf8_lossy(&frame).contains("\x1b[2J"), "a copy in the scrollback");
    desk.screen.process(&frame);
    assert_eq!(desk.seen(), seen);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_line_is_shown_once_and_the_list_is_never_in_the_scrollback(
        steps in prop::collection::vec(step(), 1..40),
        columns in prop::sample::select(vec![110, 160, 200]),
    ) {
        let mut desk = desk(columns, 20);
        let (mut arrived, mut has_copies) = (0, false);
        for step in &steps {
            // A window that is made smaller has pushed the list into the scrollback.
            has_copies |= matches!(step, Step::Resize(_, rows) if *rows < desk.board.rows)
                && desk.board.side_list.is_drawn();
            desk.take(step, &mut arrived);
            let is_copy = |row: &String| has_copies && row.contains('│');
            let mut past = desk.scrollback();
            let mut rows: Vec<String> = desk.screen.screen().rows(0, u16::MAX).collect();
            past.retain(|row| !is_copy(row));
            if !desk.board.has_list() {
                rows.retain(|row| !is_copy(row));
            }
            let all = [past.clone(), rows.clone()].concat();
            prop_assert_eq!(numbers(&all), (1..=arrived).collect::<Vec<_>>(), "{:#?}", all);
            let is_ours = |row: &String| {
                row.is_empty() || row.starts_with("line ") && !row.contains('│')
            };
            prop_assert!(past.iter().all(is_ours), "{past:#?}");
            let has_title = rows.iter().any(|row| row.contains("conversations (/list)"));
            prop_assert_eq!(has_title, desk.board.has_list(), "{:#?}", rows);
            prop_assert!(rows.iter().any(|row| row.contains("Ann (2)> ")), "{rows:#?}");
        }
    }
}
