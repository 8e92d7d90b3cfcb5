//! The real screen and stdin: this test binary runs again as a program, on a pseudo-terminal or on
//! pipes.
//!
//! The program (`program`) gets commands over a control socket, and answers with the events of the
//! terminal. Waits have deadlines; nothing sleeps.

use std::env;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{select, unbounded};
use rustix::termios::{Action, tcflow};

use super::*;
use crate::core::report::Told;
use crate::wire::{ConversationId, TEXT_MAX};
use process::{Terminal, line, piped, resize};

mod process;

const DEADLINE: Duration = Duration::from_secs(20);
const CONTROL: &str = "HANDOFF_TERM_TEST";

/// Not a test: the program that the tests below start.
#[test]
#[ignore = "the program the other tests start"]
fn program() {
    let Ok(control) = env::var(CONTROL) else { return };
    let mut control = TcpStream::connect(control).expect("the test listens");
    if io::stdin().is_terminal() {
        // The program owns its terminal, so that it gets the signals of a resize and of the
        // terminal's end.
        rustix::process::setsid().expect("a child is no leader");
        rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())
            .expect("a fresh session takes a terminal");
        let hung_up = Arc::default();
        signal_hook::flag::register(signal_hook::consts::SIGHUP, hung_up).expect("a handler");
    }
    let (sender, told) = unbounded();
    let commands = BufReader::new(control.try_clone().expect("a socket"));
    thread::spawn(move || {
        commands.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)))
    });

    let json = env::var_os("TEST_JSON").is_some();
    let options = Options {
        json,
        plain: false,
        limit: TEXT_MAX,
        me: Author::User,
        reads_stdin: true,
        may_suspend: true,
    };
    hold_suspension(&options).expect("a signal mask");
    let (screen, typed, events) = start(options).expect("a screen");
    let mut screen = Some(screen);
    writeln!(control, "ready {}", screen.as_ref().is_some_and(Screen::is_interactive))
        .expect("a reader");
    let (mut typed, mut take) = (typed, env::var_os("TEST_SLOW").is_none());
    loop {
        let lines = if take { typed.clone() } else { never() };
        select! {
            recv(told) -> line => {
                let Ok(line) = line else { std::process::exit(1) };
                if line == "take" { take = true }
                else if line == "finish" {
                    screen.take().expect("still there").finish();
                    std::process::exit(0)
                }
                else if line == "panic" { let _screen = screen.take(); panic!("on purpose") }
                else { obey(screen.as_ref().expect("still there"), &line) }
            }
            recv(lines) -> line => match line {
                // Left out, because it comes with each key. The tests of `board` check it.
                Ok(Typed::Draft(_)) => {}
                Ok(line) => writeln!(control, "typed {line:?}").expect("a reader"),
                Err(_) => typed = never(),
            },
            recv(events) -> event => match event {
                Ok(Event::Gone(_)) => writeln!(control, "Gone").expect("a reader"),
                Ok(event) => writeln!(control, "{event:?}").expect("a reader"),
                Err(_) => std::process::exit(2),
            },
        }
    }
}

fn obey(screen: &Screen, line: &str) {
    let (command, text) = line.split_once(' ').unwrap_or((line, ""));
    match command {
        "say" => {
            screen.show(Report::Message(said(text)));
        }
        "flood" => {
            for _ in 0..100_000 {
                screen.show(Report::Message(said(text)));
            }
        }
        "notice" => {
            screen.show(Report::Notice { text: text.into() });
        }
        "prompt" => screen.prompt(text.into(), text.into(), None),
        "refuse" => screen.refuse("that cannot be", text),
        "log" => drop(log_writer().write_all(format!("{text}\n").as_bytes())),
        _ => panic!("an unknown command: {line}"),
    }
    screen.flush();
}

fn said(text: &str) -> Told {
    Told {
        conversation: ConversationId::new([7; 16]),
        ordinal: None,
        elsewhere: false,
        own: false,
        author: Author::Bot,
        name: None,
        agent: None,
        text: text.into(),
        number: 1,
        at: 0,
        buttons: Vec::new(),
        image: None,
        custom: None,
        history: false,
    }
}

#[test]
fn messages_and_logs_come_above_the_line_being_typed() {
    let mut terminal = Terminal::start(&[("NO_COLOR", "1")]);
    terminal.program.tell("prompt bot");
    terminal.press("half a l");
    terminal.ends_with("\nbot> half a l");
    terminal.program.tell("say 日本語 👩‍👩‍👧 שלום");
    terminal.until(|seen| seen.contains(" bot: 日本語") && seen.ends_with("\nbot> half a l"));
    terminal.program.tell("log [INFO] linked");
    terminal.ends_with("\n[INFO] linked\nbot> half a l");
    terminal.program.tell("prompt Ann");
    terminal.ends_with("\nAnn> half a l");
    terminal.press("ine\x01\x1b[Cx\r");
    terminal.program.expect(r#"typed Line("hxalf a line")"#);
    terminal.ends_with("\n[INFO] linked\nAnn> ");
    terminal.press("what comes next");
    terminal.program.tell("refuse hxalf a line");
    terminal.until(|seen| {
        seen.contains("!! that cannot be (not sent") && seen.ends_with("\nAnn> what comes next")
    });
    terminal.press("\x1b[A");
    terminal.ends_with("\nAnn> hxalf a line");
    terminal.press("\x1b[B");
    terminal.ends_with("\nAnn> what comes next");
}

#[test]
fn a_pasted_block_is_one_message() {
    let mut terminal = Terminal::start(&[]);
    let block: Vec<String> = (1..=50).map(|line| format!("line {line}")).collect();
    terminal.press(&format!("\x1b[200~{}\r\x1b[201~", block.join("\r")));
    terminal.ends_with("│ line 50");
    terminal.press("\r");
    terminal.program.expect(&format!("typed {:?}", Typed::Line(block.join("\n"))));
}

#[test]
fn a_line_over_the_limit_comes_back_and_can_be_cut() {
    let mut terminal = Terminal::start(&[]);
    terminal.press(&"x".repeat(10 * 1024));
    terminal.press("\r");
    terminal.until(|seen| seen.contains("this line has 10240 bytes, at most 8192 can be sent"));
    terminal.ends_with("\n> ");
    terminal.press("\x1b[A");
    terminal.press(&"\x7f".repeat(2048));
    terminal.press("\r");
    terminal.program.expect(&format!("typed {:?}", Typed::Line("x".repeat(TEXT_MAX))));
}

#[test]
fn a_resized_window_wraps_anew() {
    let mut terminal = Terminal::start(&[]);
    terminal.press(&"0123456789".repeat(5));
    terminal.ends_with("\n> 01234567890123456789012345678901234567890123456789");
    resize(&terminal.master, 30, 24);
    terminal.ends_with("> 012345678901234567890123456\n│ 78901234567890123456789");
}

#[test]
fn ctrl_c_and_ctrl_d_tell_the_loop() {
    let mut terminal = Terminal::start(&[]);
    terminal.press("text");
    terminal.ends_with("\n> text");
    terminal.press("\x03");
    terminal.ends_with("\n> ");
    terminal.press("\x03");
    terminal.program.expect("Interrupt { again: false }");
    terminal.press("\x03");
    terminal.program.expect("Interrupt { again: true }");
    terminal.press("x\x7f\x03");
    terminal.program.expect("Interrupt { again: false }");
    terminal.press("\x04");
    terminal.program.expect("typed End");
}

#[test]
fn ctrl_c_reaches_the_loop_although_the_terminal_takes_no_output() {
    let mut terminal = Terminal::start(&[]);
    let slave = format!("/proc/{}/fd/0", terminal.program.child.id());
    let slave =
        OpenOptions::new().read(true).write(true).open(slave).expect("the program's terminal");
    // Stops the terminal's output, as Ctrl-S does when the terminal is not raw.
    tcflow(&slave, Action::OOff).expect("a terminal");
    terminal.press("x");
    terminal.program.tell("say something to write");
    terminal.press("\x03\x03\x03\x03");
    while terminal.program.answer() != "Interrupt { again: true }" {}
    tcflow(&slave, Action::OOn).expect("a terminal");
}

#[test]
fn ctrl_z_goes_on_at_once_where_no_shell_could_continue_the_program() {
    // The program leads a session of its own.
    let mut terminal = Terminal::start(&[]);
    terminal.press("half");
    terminal.ends_with("\n> half");
    terminal.press("\x1a a line\r");
    terminal.program.expect(r#"typed Line("half a line")"#);
    assert!(!terminal.is_cooked());
}

#[test]
fn the_terminal_is_as_it_was_after_finish_and_after_a_panic() {
    for end in ["finish", "panic"] {
        let mut terminal = Terminal::start(&[]);
        assert!(!terminal.is_cooked());
        terminal.program.tell("say the last word");
        terminal.program.tell(end);
        terminal.until(|seen| seen.contains("the last word"));
        let _ = terminal.program.child.wait();
        assert!(terminal.is_cooked(), "after {end}");
        terminal.until_off(vt100::Screen::bracketed_paste);
    }
}

#[test]
fn the_end_of_the_terminal_is_reported() {
    let Terminal { program, master, output, .. } = Terminal::start(&[]);
    // The reader of the master must leave its read, so that both descriptors of the master close: a
    // last output wakes it.
    drop(output);
    let mut program = program;
    program.tell("say bye");
    drop(master);
    program.tell("say bye");
    program.expect("Gone");
}

#[test]
fn a_dumb_terminal_gets_lines() {
    let mut terminal = Terminal::open(&[("TERM", "dumb")]);
    terminal.program.tell("say hi");
    terminal.until(|seen| seen.contains("bot: hi"));
    assert!(terminal.is_cooked());
    terminal.press("typed\n");
    terminal.program.expect(r#"typed Line("typed")"#);
}

#[test]
fn on_pipes_stdout_is_the_conversation() {
    let (mut program, mut stdout) = piped(&[]);
    let mut stderr = BufReader::new(program.child.stderr.take().expect("a pipe"));
    program.tell("notice one thing");
    program.tell("say Hello");
    assert_eq!(line(&mut stdout), "bot: Hello\n");
    assert_eq!(line(&mut stderr), "handoff: one thing\n");
    program.tell("log [WARN] \u{1b}]0;x");
    assert_eq!(line(&mut stderr), "[WARN] \\u{1b}]0;x\n");
    program
        .child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(b"one\n\ntwo")
        .expect("the program reads");
    program.expect(r#"typed Line("one")"#);
    program.expect(r#"typed Line("two")"#);
    program.expect("typed End");
}

#[test]
fn json_is_one_object_a_line() {
    let (mut program, mut stdout) = piped(&[("TEST_JSON", "1")]);
    program.tell("notice one thing");
    assert_eq!(line(&mut stdout), "{\"event\":\"notice\",\"text\":\"one thing\"}\n");
}

#[test]
fn a_pipe_is_not_read_ahead() {
    let (mut program, _stdout) = piped(&[("TEST_SLOW", "1")]);
    let mut stdin = program.child.stdin.take().expect("a pipe");
    // More than the pipe holds: it can only be written while the program reads.
    let (sender, written) = unbounded();
    thread::spawn(move || {
        for _ in 0..10_000 {
            stdin
                .write_all(b"a line of a script that is not due yet\n")
                .expect("the program reads");
        }
        sender.send(()).expect("the test waits");
    });
    program.tell("say the loop lives");
    assert!(written.try_recv().is_err());
    program.tell("take");
    written.recv_timeout(DEADLINE).expect("all lines are read once they are taken");
}

#[test]
fn a_closed_pipe_is_reported_without_a_message() {
    let (mut program, stdout) = piped(&[]);
    drop(stdout);
    // A process that another test has forked may hold the pipe until it has started its program.
    let since = Instant::now();
    while !program
        .answers
        .recv_timeout(Duration::from_millis(200))
        .is_ok_and(|answer| answer.starts_with("Gone"))
    {
        assert!(
            since.elapsed() < DEADLINE,
            "nobody reads the output, and the loop has no report of it"
        );
        program.tell("say nobody hears it");
    }
    let mut stderr = program.child.stderr.take().expect("a pipe");
    program.tell("finish");
    let mut said = String::new();
    stderr.read_to_string(&mut said).expect("a pipe");
    assert_eq!(said, "");
}

#[test]
fn an_output_that_nobody_reads_blocks_only_the_screen() {
    let (mut program, mut stdout) = piped(&[]);
    program
        .child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(b"still read\n")
        .expect("the program reads");
    program.expect(r#"typed Line("still read")"#);
    program.tell("flood a line");
    program.expect("typed End");
    program.tell("finish");
    let lines =
        stdout.by_ref().lines().map_while(Result::ok).filter(|line| line == "bot: a line").count();
    assert_eq!(lines, 100_000);
}
