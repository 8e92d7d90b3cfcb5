//! `kill -9` of the gateway while customers and their agent talk: every line is there once and in
//! order, at the desk and in the customers' streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crossbeam_channel::unbounded;
use handoff::core::chance::Chance;
use serde_json::json;

use crate::support::setup::Setup;
use crate::support::web::{Customer, gateway};

const CUSTOMERS: usize = 6;
const KILLS: usize = 8;
/// Lines of each customer that meet each kill, and those that meet a gateway that is down.
const LINES_BEFORE: usize = 3;
const LINES_AFTER: usize = 2;
const LINES: usize = KILLS * (LINES_BEFORE + LINES_AFTER);

/// Says a line as a page does: with the same id until there is an answer. Counts how often there
/// was none.
fn say(customer: &Customer, id: &str, text: &str, unanswered: &AtomicUsize) {
    loop {
        match customer.try_post("say", id, json!({ "text": text })) {
            Some(answer) if answer.status == 202 => return,
            Some(answer) => panic!("refused: {answer:?}"),
            None => _ = unanswered.fetch_add(1, Ordering::SeqCst),
        }
        thread::yield_now();
    }
}

#[test]
fn a_gateway_killed_again_and_again_loses_and_doubles_no_line() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept"]);
    let (mut process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let customers: Vec<_> = (0..CUSTOMERS).map(|_| Customer::begin(&address)).collect();
    for customer in &customers {
        let mut stream = customer.stream(None);
        customer.say("human", "a human");
        stream.until_state("active");
    }
    let unanswered = Arc::new(AtomicUsize::new(0));
    let talkers: Vec<_> = (0..CUSTOMERS)
        .map(|at| {
            let (customer, unanswered) = (customers[at].clone(), Arc::clone(&unanswered));
            let (next, lines) = unbounded::<()>();
            let talker = thread::spawn(move || {
                for (line, ()) in lines.iter().enumerate() {
                    let (id, text) = (format!("line-{line}"), format!("{at} says {line}"));
                    say(&customer, &id, &text, &unanswered);
                }
            });
            (next, talker)
        })
        .collect();
    let have_say = |lines: usize| {
        for next in talkers.iter().flat_map(|(next, _)| std::iter::repeat_n(next, lines)) {
            next.send(()).expect("each line is taken");
        }
    };
    let mut chance = Chance::new(1);
    for kill in 0..KILLS {
        // The agent's answers are under way, too, at a moment that differs from kill to kill.
        admin.say(&format!("answer {kill}"));
        have_say(LINES_BEFORE);
        for _ in 0..chance.below(400) {
            thread::yield_now();
        }
        process.kill();
        let before = unanswered.load(Ordering::SeqCst);
        have_say(LINES_AFTER);
        while unanswered.load(Ordering::SeqCst) == before {
            thread::yield_now();
        }
        process = gateway(&setup, &address, &[]).0;
    }
    for (next, talker) in talkers {
        drop(next);
        talker.join().expect("each line is taken");
    }
    let wanted = |at: usize| (0..LINES).map(move |line| format!("{at} says {line}"));
    for at in 0..CUSTOMERS {
        let last = wanted(at).next_back().expect("there are lines");
        if !admin.messages().iter().any(|(_, text)| *text == last) {
            admin.until_text(&last);
        }
    }
    let messages = admin.messages();
    for (at, customer) in customers.iter().enumerate() {
        let of = |text: &&String| text.starts_with(&format!("{at} says "));
        let at_desk: Vec<_> = messages.iter().map(|(_, text)| text).filter(of).collect();
        assert!(at_desk.into_iter().eq(wanted(at).collect::<Vec<_>>().iter()), "at the desk");
        let mut stream = customer.stream(None);
        stream.until_text(&wanted(at).next_back().expect("there are lines"));
        let told = stream.messages();
        let told: Vec<_> = told.iter().map(|(_, text)| text).filter(of).collect();
        assert!(told.into_iter().eq(wanted(at).collect::<Vec<_>>().iter()), "in the stream");
    }
    // All answers went to the one customer in focus, each once.
    let answers: Vec<_> = (0..KILLS).map(|kill| format!("answer {kill}")).collect();
    let focus = &customers[0];
    let mut stream = focus.stream(None);
    stream.until_texts(&answers.iter().map(String::as_str).collect::<Vec<_>>());
    let mut told: Vec<_> = stream.messages().into_iter().map(|(_, text)| text).collect();
    told.retain(|text| text.starts_with("answer "));
    assert_eq!(told, answers);
}
