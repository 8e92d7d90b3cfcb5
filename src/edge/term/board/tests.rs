//! The board on an emulated terminal.

use super::*;
use crate::edge::term::words::Reader;
use crossbeam_channel::{Receiver, unbounded};
use std::num::NonZero;

mod side_list;

/// A board on an emulated terminal.
struct Desk {
    board: Board,
    look: Look,
    screen: vt100::Parser,
    typed: Receiver<Typed>,
}

fn desk(columns: usize, rows: usize) -> Desk {
    let (sender, typed) = unbounded();
    let mut board = Board::new(20, sender, true);
    (board.columns, board.rows) = (columns, rows);
    board.prompt("Ann (2)", "Ann (2)");
    let look = Look::new(Reader::Agent, true);
    let size = |size: usize| u16::try_from(size).ok().and_then(NonZero::new).expect("a size");
    let screen = vt100::Parser::new(size(rows), size(columns), 2000);
    Desk { board, look, screen, typed }
}

impl Desk {
    fn press(&mut self, key: Key) {
        let above = self.board.press(&key, &self.look);
        let frame = self.board.frame(&above, &self.look);
        self.screen.process(&frame);
    }

    fn text(&mut self, text: &str) {
        self.press(Key::Text(text.into()));
    }

    fn above(&mut self, rows: &[&str]) {
        let rows = rows
            .iter()
            .flat_map(|row| self.look.aside("", &Shown::line(row), 80))
            .collect::<Vec<_>>();
        let frame = self.board.frame(&rows, &self.look);
        self.screen.process(&frame);
    }

    fn focus(&mut self, conversation: Option<ConversationId>) {
        let above = self.board.focus(conversation, &self.look);
        let frame = self.board.frame(&above, &self.look);
        self.screen.process(&frame);
    }

    fn seen(&self) -> String {
        self.screen.screen().contents()
    }

    fn cursor(&self) -> (u16, u16) {
        self.screen.screen().cursor_position()
    }
}

#[test]
fn a_message_does_not_tear_the_line() {
    let mut desk = desk(30, 10);
    desk.text("a line that is too long for its row");
    desk.press(Key::Home);
    desk.press(Key::Right);
    desk.above(&["bot: one", "bot: two"]);
    assert_eq!(
        desk.seen(),
        "bot: one\nbot: two\nAnn (2)> a line that is too l\n       │ ong for its row"
    );
    assert_eq!(desk.cursor(), (2, 10));
    desk.board.prompt("Bea (3)", "Bea (3)");
    desk.above(&[]);
    assert!(desk.seen().contains("\nBea (3)> a line"), "{}", desk.seen());
}

#[test]
fn a_line_is_a_message_unless_it_is_blank_or_a_command() {
    for (text, is_message) in [(" ", false), ("/li", false), ("//x", true), ("hi", true)] {
        let mut desk = desk(30, 10);
        desk.text(text);
        assert_eq!(desk.board.message().is_some(), is_message, "{text:?}");
    }
}

#[test]
fn enter_takes_the_line_off_the_screen() {
    let mut desk = desk(30, 10);
    desk.text("hi");
    desk.press(Key::Enter);
    assert_eq!(desk.seen(), "Ann (2)> ");
    desk.text("/list");
    desk.press(Key::Enter);
    assert_eq!(desk.seen(), "> /list\nAnn (2)> ");
    desk.press(Key::Enter);
    desk.press(Key::DeleteOrEnd);
    let typed: Vec<Typed> = desk.typed.try_iter().collect();
    let line = |text: &str| Typed::Line(text.into());
    assert_eq!(typed, [line("hi"), line("/list"), Typed::Enter, Typed::End]);
}

#[test]
fn a_draft_stays_with_the_conversation_that_it_was_begun_for() {
    let id = |n| ConversationId::new([n; 16]);
    let mut desk = desk(30, 10);
    desk.focus(Some(id(1)));
    desk.text("to one");
    desk.focus(Some(id(2)));
    desk.above(&[]);
    let seen = desk.seen().replace("\n  │ ", "");
    let told = "!! not sent: to one (your lines go elsewhere now; the Up key brings it back)";
    assert_eq!(seen, format!("{told}\nAnn (2)> "));
    desk.press(Key::Redraw);
    desk.text("to two");
    desk.press(Key::Enter);
    desk.text("/clo");
    desk.focus(Some(id(1)));
    desk.above(&[]);
    assert_eq!(desk.seen(), "Ann (2)> /clo", "a command goes on");
    desk.press(Key::Enter);
    desk.press(Key::Enter);
    let typed: Vec<Typed> = desk.typed.try_iter().collect();
    let to = |n, text: &str| Typed::LineTo(id(n), text.to_owned());
    assert_eq!(typed, [to(2, "to two"), Typed::Line("/clo".to_owned()), to(1, "to one")]);
}

#[test]
fn keys_go_to_another_conversation_and_leave_the_line() {
    let mut desk = desk(30, 10);
    desk.press(Key::Tab);
    desk.text("half");
    desk.press(Key::Go(3));
    desk.press(Key::GoOn);
    assert_eq!(desk.seen(), "> /next\n> /switch *3\n> /next\nAnn (2)> half");
    let typed: Vec<Typed> = desk.typed.try_iter().collect();
    let line = |text: &str| Typed::Line(text.to_owned());
    assert_eq!(typed, [line("/next"), line("/switch *3"), line("/next")]);
}

#[test]
fn a_line_over_the_limit_leaves_the_input_and_comes_back_with_the_up_key() {
    let mut desk = desk(60, 10);
    desk.text("123456789 123456789 1");
    desk.press(Key::Enter);
    assert!(desk.seen().contains("at most 20"), "{}", desk.seen());
    assert!(desk.seen().ends_with("\nAnn (2)> "), "{}", desk.seen());
    assert!(desk.typed.is_empty());
    desk.press(Key::Up);
    assert!(desk.seen().ends_with("> 123456789 123456789 1"), "{}", desk.seen());
}

#[test]
fn a_refusal_is_visible_at_any_size_of_the_window() {
    for (columns, rows) in [(80, 24), (40, 10), (20, 8)] {
        let mut desk = desk(columns, rows);
        desk.press(Key::Paste("0123456789".repeat(1024)));
        desk.press(Key::PasteTooLong);
        let seen = desk.seen().replace('\n', "").replace("  │ ", "");
        assert!(seen.contains("that does not fit"), "{columns}x{rows}: {}", desk.seen());
        desk.press(Key::Enter);
        let seen = desk.seen().replace('\n', "").replace("  │ ", "");
        assert!(seen.contains("this line has 10240 bytes"), "{columns}x{rows}: {}", desk.seen());
    }
}

#[test]
fn a_long_prompt_keeps_its_counts_and_its_mark_in_half_of_the_row() {
    let mut desk = desk(40, 10);
    for (prompt, short, shown) in [
        ("agent Robin ✓✓", "agent Robin ✓✓", "agent Robin ✓✓> "),
        ("desk offline, agent Robin ✓", "desk offline, agent Robin ✓", "desk offline, age… ✓> "),
        ("#6 Maximilian Featherstone", "#6 Maximilian Featherstone", "#6 Maximilian Feath…> "),
        ("#6 Ann · 1 waiting · 2 unread ✓", "#6 Ann · 1w 2u ✓", "#6 Ann · 1w 2u ✓> "),
        ("#6 Maximilian · 1 waiting ✓✓", "#6 Maximilian · 1w ✓✓", "#6 Maximili… · 1w ✓✓> "),
    ] {
        desk.board.prompt(prompt, short);
        desk.above(&[]);
        assert_eq!(desk.seen(), shown);
    }
}

#[test]
fn a_prompt_in_thirty_columns_keeps_its_mark_and_its_counts() {
    let mut desk = desk(30, 10);
    for (prompt, short, shown) in [
        ("#6 Maximilian · 1 waiting (0:40) ✓", "#6 Maximilian · 1w ✓", "#6 Maxi… · 1w ✓> "),
        ("#1234 Ann · 2500 waiting ✓✓", "#1234 Ann · 2500w 340u ✓✓", "#12… · 2500w 340u ✓✓> "),
        ("typing, agent Max ✓✓", "typing, agent Max ✓✓", "typing, age… ✓✓> "),
        ("desk offline, agent Max ✓", "desk offline, agent Max ✓", "desk offline… ✓> "),
        ("nobody · 2500 waiting", "nobody · 2500w", "nobody · 2500w> "),
    ] {
        desk.board.prompt(prompt, short);
        desk.above(&[]);
        assert_eq!(desk.seen(), shown);
    }
}

#[test]
fn a_dropped_line_comes_back_with_the_up_key() {
    let mut desk = desk(40, 10);
    assert!(!desk.board.drop_line());
    desk.text("half a line");
    assert!(desk.board.drop_line());
    desk.above(&[]);
    assert_eq!(desk.seen(), "Ann (2)> ");
    desk.press(Key::Up);
    assert_eq!(desk.seen(), "Ann (2)> half a line");
}

#[test]
fn a_long_block_shows_the_part_with_the_cursor() {
    let mut desk = desk(40, 10);
    let block: Vec<String> = (1..=50).map(|line| format!("line {line}")).collect();
    desk.press(Key::Paste(block.join("\n")));
    assert_eq!(desk.seen().lines().count(), 5);
    assert!(desk.seen().starts_with("Ann (2)> line 46\n"), "{}", desk.seen());
    for _ in 0..49 {
        desk.press(Key::Up);
    }
    assert!(desk.seen().starts_with("Ann (2)> line 1\n"), "{}", desk.seen());
    assert!(desk.seen().ends_with("     ↓ line 5"), "{}", desk.seen());
    desk.above(&["bot: hi"]);
    assert!(desk.seen().starts_with("bot: hi\nAnn (2)> line 1\n"), "{}", desk.seen());
}

#[test]
fn a_tiny_window_and_a_wide_prompt_do_no_harm() {
    let mut desk = desk(4, 2);
    desk.board.prompt("日本語\u{1b}[31m", "");
    desk.text("日本👩‍👩‍👧");
    for key in [Key::Home, Key::Right, Key::End, Key::Enter] {
        desk.press(key);
    }
}
