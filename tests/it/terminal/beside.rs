//! The list of conversations beside the conversation, in a window of 200 columns.

use crate::support::setup::Setup;
use crate::support::terminal::Terminal;

/// Waits until the list has a row that begins with `left`, and `right` stands beside the list.
#[track_caller]
fn beside(end: &mut Terminal, left: &str, right: &str) {
    end.until_rows(
        |rows| {
            let parts = rows.iter().filter_map(|row| row.split_once('│'));
            let (lefts, rights): (Vec<_>, Vec<_>) = parts.unzip();
            lefts.iter().any(|part| part.starts_with(left))
                && rights.iter().any(|part| part.contains(right))
        },
        &format!("{left} │ {right}"),
    );
}

/// Whether the list is in the window.
fn has_list(rows: &[String]) -> bool {
    rows.iter().any(|row| row.contains("conversations (/list)"))
}

#[test]
fn a_wide_window_has_the_list_beside_the_conversation_at_the_desk_and_at_attached_terminals() {
    let setup = Setup::new();
    let mut desk = setup.desk_in_a_window(200, &[]);
    let mut robin = setup.agent_at_a_terminal("robin", 200);
    beside(&mut desk, "nobody is talking, nobody is waiting", "listening on");
    let mut cleo = setup.queued("Cleo");
    for end in [&mut desk, &mut robin] {
        beside(end, "  #1 Cleo · waits 0:0", "Hey! Cleo wants to talk to you");
    }
    robin.press("/accept\r");
    beside(&mut robin, "▸ #1 Cleo", "#1 Cleo> ");
    beside(&mut desk, "  #1 Cleo · with robin", "robin has #1 Cleo");
    robin.press("hello");
    robin.prompts("#1 Cleo> hello");
    beside(
        &mut desk,
        "  #1 Cleo · with robin · heard nothing yet · types \"hello\"",
        "robin has #1 Cleo",
    );
    cleo.say("are you there?");
    beside(&mut robin, "▸ #1 Cleo · 1 new, 0:0", "#1 user Cleo: are you there?");
    robin.prompts("> hello");
    robin.press("\r");
    cleo.until_text("hello");
    beside(&mut robin, "▸ #1 Cleo", "admin robin: hello");
    robin.press("/close\r");
    beside(&mut robin, "nobody is talking, nobody is waiting", "closed (by an agent)");
    // After the program ends, the window has the conversation without the list.
    robin.press("/quit\r");
    assert_eq!(robin.program.exit_code(), 0);
    robin.until_rows(
        |rows| !has_list(rows) && rows.iter().any(|row| row.contains("admin robin: hello")),
        "the conversation, and no list any more",
    );
}

#[test]
fn the_scrollback_has_each_line_once_and_never_the_list() {
    let setup = Setup::new();
    let mut desk = setup.desk_in_a_window(200, &[]);
    let mut cleo = setup.queued("Cleo");
    desk.sees("Hey! Cleo");
    desk.press("/accept\r");
    desk.sees("#1 Cleo> ");
    for number in 1..=90 {
        cleo.say(&format!("line {number} of many"));
    }
    // The list shows the last line, too, maybe before the conversation does.
    desk.sees("user Cleo: line 90 of many");
    let past = desk.scrollback();
    let all = [past.clone(), desk.rows()].concat();
    for number in 1..=90 {
        let line = format!("user Cleo: line {number} of many");
        let count = all.iter().filter(|row| row.contains(&line)).count();
        assert_eq!(count, 1, "{line}: {all:#?}");
    }
    assert!(past.iter().all(|row| !row.contains('│')), "{past:#?}");
}

#[test]
fn the_list_comes_and_goes_with_the_width_of_the_window() {
    let setup = Setup::new();
    let mut desk = setup.desk_in_a_window(100, &[]);
    let mut cleo = setup.queued("Cleo");
    desk.sees("Hey! Cleo");
    desk.press("/accept\r");
    desk.last_row("#1 Cleo> ");
    cleo.say("my parcel is lost");
    desk.sees("my parcel is lost");
    assert!(!has_list(&desk.rows()));
    for columns in [200, 100, 160] {
        desk.resize(columns, 40);
        desk.until_rows(|rows| has_list(rows) == (columns > 100), "the list, where it has room");
        desk.press(&format!("{columns}"));
        desk.sees(&format!("#1 Cleo> {columns}"));
        let seen = desk.rows().join("\n");
        assert_eq!(seen.matches("user Cleo: my parcel is lost").count(), 1, "{seen}");
        desk.press("\x15");
    }
    desk.press("/quit\r/quit\r");
    assert_eq!(desk.program.exit_code(), 0);
}

#[test]
fn customers_who_do_not_fit_into_the_list_are_counted() {
    let setup = Setup::new();
    let mut desk = setup.desk_in_a_window(200, &[]);
    let _customers: Vec<_> = (1..=45).map(|number| setup.queued(&format!("C{number}"))).collect();
    // One row has the title, and the last one the count.
    beside(&mut desk, "  and 7 more", "nobody");
    beside(&mut desk, "  #38 C38 · waits", "nobody");
}

#[test]
fn customers_and_plain_terminals_have_no_list() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let arguments = ["user", "--admin", &setup.desk, "--bot", setup.bot.url()];
    let mut ann = Terminal::sized(&arguments, 200);
    ann.press("a human\r");
    ann.sees("you are number 1 in the queue");
    desk.until_state("queued");
    assert!(!has_list(&ann.rows()));
    let code = setup.add_agent("al", &[]);
    let profile = ["--state", setup.state(), "--profile", "al", "--code-file", &code, "--plain"];
    let mut al = Terminal::sized(&[&["attach", "--desk", &setup.desk], &profile[..]].concat(), 200);
    al.sees("handoff: 1 waiting");
    assert!(!has_list(&al.rows()));
}
