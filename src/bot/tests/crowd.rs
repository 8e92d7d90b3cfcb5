//! Many conversations at one bot: whose turn it is, and which of them fail when the bot is down.

use std::collections::BTreeMap;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::*;

/// The way to a bot, and the answers that came.
struct Crowd {
    bot: Bot,
    answers: Receiver<Answer>,
}

impl Crowd {
    fn new(config: Config) -> Crowd {
        let (sender, answers) = unbounded();
        Crowd { bot: Bot::start(config, sender), answers }
    }

    /// Sends a message whose text is the ticket and these words.
    fn ask(&self, ticket: u64, sender: &str, words: &str) {
        let (sender, text) = (sender.to_owned(), format!("{ticket} {words}"));
        self.bot.send(ticket, Request::Ask { sender, text, metadata: None });
    }

    fn give_back(&self, ticket: u64, sender: &str) {
        self.bot.send(ticket, Request::Return { sender: sender.to_owned(), said: vec![] });
    }

    fn next(&self) -> (u64, Result<(), Fault>) {
        let answer = self.answers.recv_timeout(Duration::from_secs(20)).unwrap();
        let result = match answer.outcome {
            Outcome::Said(said) => said.map(drop),
            Outcome::Returned(taken) => taken.map(drop),
        };
        (answer.ticket, result)
    }

    /// The next answers, by ticket. Fails if a ticket is answered twice.
    fn take(&self, count: usize) -> BTreeMap<u64, Result<(), Fault>> {
        let answers: BTreeMap<_, _> = (0..count).map(|_| self.next()).collect();
        assert_eq!(answers.len(), count);
        answers
    }
}

/// A bot that answers every request, except those that contain "hang" or whose sender's name does.
fn fake() -> Fake {
    Fake::new(serve)
}

fn serve(request: &str, stream: &mut TcpStream) {
    if request.contains("hang") {
        // Hangs until the asking side goes away.
        let _ = stream.read(&mut [0]);
        return;
    }
    let body: &[u8] =
        if request.contains("/tracker/events") { br#"{"paused":false}"# } else { b"[]" };
    let _ = stream.write_all(&http("200 OK", body));
}

fn patient(mut config: Config, ask: Duration) -> Config {
    config.times.ask = ask;
    config.times.give_back = ask;
    config
}

fn is_down(result: &Result<(), Fault>) -> bool {
    matches!(result, Err(Fault::Down { .. }))
}

fn sentence(result: Result<(), Fault>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn three_hung_questions_do_not_stop_a_fourth_conversation() {
    let fake = fake();
    let crowd = Crowd::new(fake.config());
    for ticket in 1..=3 {
        crowd.ask(ticket, &format!("c{ticket}"), "hang");
    }
    crowd.ask(4, "c4", "hello");
    assert_eq!(crowd.next(), (4, Ok(())));
    assert_eq!(crowd.bot.pool.askers(), 4, "as many threads as are needed");
    crowd.ask(5, "c5", "hello");
    assert_eq!(crowd.next(), (5, Ok(())));
    assert_eq!(crowd.bot.pool.askers(), 4, "an idle thread is used again");
}

#[test]
fn hung_questions_and_handbacks_do_not_stop_a_handback() {
    let fake = fake();
    let crowd = Crowd::new(fake.config().with_askers(Askers(2)));
    (1..=5).for_each(|ticket| crowd.ask(ticket, &format!("c{ticket}"), "hang"));
    (6..=8).for_each(|ticket| crowd.give_back(ticket, &format!("hang{ticket}")));
    crowd.give_back(9, "c9");
    assert_eq!(crowd.next(), (9, Ok(())));
    assert_eq!(crowd.bot.pool.askers(), 2);
}

#[test]
fn a_conversation_with_100_messages_delays_another_by_one_answer() {
    let (open, gate) = unbounded::<()>();
    let fake = Fake::new(move |request, stream| {
        if request.contains("first") {
            gate.recv().unwrap();
        }
        serve(request, stream);
    });
    let crowd = Crowd::new(fake.config().with_askers(Askers(1)));
    crowd.ask(1, "many", "first");
    (2..=100).for_each(|ticket| crowd.ask(ticket, "many", "hello"));
    crowd.ask(101, "one", "hello");
    open.send(()).unwrap();
    crowd.take(101);
    let asked: Vec<u64> = fake.requests.lock().unwrap().iter().map(|it| ticket_of(it)).collect();
    let expected: Vec<u64> = [1, 101].into_iter().chain(2..=100).collect();
    assert_eq!(
        asked, expected,
        "one answer comes before it, and messages of one sender stay in order"
    );
}

/// The ticket with which a message's text begins.
fn ticket_of(request: &str) -> u64 {
    let body = body_of(request);
    body["message"].as_str().unwrap().split_once(' ').unwrap().0.parse().unwrap()
}

#[test]
fn when_the_bot_refuses_500_customers_hear_within_5_s() {
    let url = format!("http://{}", silent_address(9));
    // With the program's time limits, not the shorter ones of tests.
    let crowd = Crowd::new(Config::new(&url, None).unwrap());
    let since = Instant::now();
    (1..=500).for_each(|ticket| crowd.ask(ticket, &format!("c{ticket}"), "hello"));
    let answers = crowd.take(500);
    let took = since.elapsed();
    assert!(took >= PATIENCE && took < Duration::from_secs(5), "{took:?}");
    let unsent = answers.values().filter(|result| is_down(result)).count();
    assert_eq!(unsent, 500 - Askers::default().0, "waiting messages were not sent");
    let sentences: Vec<String> = answers.into_values().map(sentence).collect();
    assert!(sentences[0].contains("connection refused"), "{}", sentences[0]);
    assert!(sentences.iter().all(|it| *it == sentences[0]), "all read the same");
}

#[test]
fn one_conversation_that_times_out_twice_does_not_mark_the_bot_down() {
    let fake = fake();
    let crowd = Crowd::new(patient(fake.config(), Duration::from_millis(200)));
    for (ticket, sender) in [(1, "c1"), (2, "c1"), (3, "c2")] {
        crowd.ask(ticket, sender, "hang");
        assert!(matches!(crowd.next(), (_, Err(Fault::Slow { .. }))));
    }
    crowd.ask(4, "c4", "hang");
    crowd.ask(5, "c5", "hello");
    assert_eq!(crowd.next(), (5, Ok(())), "two questions may go at once: the bot is not down");
}

#[test]
fn three_conversations_that_time_out_mark_the_bot_down() {
    let fake = fake();
    let within = Duration::from_millis(500);
    let crowd = Crowd::new(patient(fake.config().with_askers(Askers(3)), within));
    (1..=50).for_each(|ticket| crowd.ask(ticket, &format!("c{ticket}"), "hang"));
    let answers = crowd.take(50);
    // Two threads may send their next messages before the third one's time is over.
    let unsent = answers.values().filter(|result| is_down(result)).count();
    assert!((45..=47).contains(&unsent), "{unsent}");
    assert_eq!(fake.connections(), 50 - unsent, "waiting messages were not sent");
    let sentences: Vec<String> = answers.into_values().map(sentence).collect();
    assert!(sentences[0].ends_with("gave no answer within 0.5 s"), "{}", sentences[0]);
    assert!(sentences.iter().all(|it| *it == sentences[0]), "all read the same");

    // While the bot is down, one message at a time goes out.
    crowd.ask(51, "c51", "hang");
    (52..=60).for_each(|ticket| crowd.ask(ticket, &format!("c{ticket}"), "hello"));
    crowd.give_back(61, "c61");
    let failed = crowd.take(10);
    assert!(failed.values().all(is_down) && !failed.contains_key(&51), "{failed:?}");
    assert!(failed[&61].as_ref().unwrap_err().is_refusal(), "the bot did not act on its lines");
    assert!(matches!(crowd.next(), (51, Err(Fault::Slow { .. }))));
    assert_eq!(fake.connections(), 51 - unsent);
}

#[test]
fn a_probe_that_is_answered_marks_the_bot_up_for_all() {
    let address = silent_address(10);
    let mut config = config(&format!("http://{address}"), None);
    config.times.patience = Duration::ZERO;
    let crowd = Crowd::new(config);
    for ticket in 1..=3 {
        crowd.ask(ticket, "c1", "hello");
        assert!(matches!(crowd.next(), (_, Err(Fault::Unreachable { refused: true, .. }))));
    }
    let (open, gate) = unbounded::<()>();
    let _fake = Fake::at(TcpListener::bind(address).unwrap(), move |_, stream| {
        if whole_request(stream).contains("probe") {
            gate.recv().unwrap();
        }
        serve("", stream);
    });
    crowd.ask(4, "c4", "probe");
    crowd.ask(5, "c5", "hello");
    let (ticket, result) = crowd.next();
    assert!(ticket == 5 && is_down(&result), "{ticket}: {result:?}");
    open.send(()).unwrap();
    assert_eq!(crowd.next(), (4, Ok(())));
    (6..=20).for_each(|ticket| crowd.ask(ticket, &format!("c{ticket}"), "hello"));
    assert!(crowd.take(15).values().all(Result::is_ok));
}

#[test]
fn no_question_is_sent_twice_whatever_the_bot_does() {
    let storm = |request: &str, stream: &mut TcpStream| match ticket_of(request) % 6 {
        0 => drop(stream.read(&mut [0])),
        1 => {}
        2 => drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[{")),
        3 => drop(stream.write_all(&http("503 Service Unavailable", b""))),
        4 => {
            let head = "HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\n[]";
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.read(&mut [0]);
        }
        _ => serve("", stream),
    };
    let fake = Fake::new(storm);
    let crowd =
        Crowd::new(patient(fake.config().with_askers(Askers(8)), Duration::from_millis(300)));
    let mut unsent = 0;
    for round in 0..10 {
        for sender in 0..30 {
            crowd.ask(round * 30 + sender, &format!("c{}", sender % 20), "hello");
        }
        unsent += crowd.take(30).values().filter(|result| is_down(result)).count();
    }
    let mut asked: Vec<u64> =
        fake.requests.lock().unwrap().iter().map(|it| ticket_of(it)).collect();
    let sent = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!((asked.len(), sent), (sent, 300 - unsent), "each message is sent once, or never");
    assert_eq!(fake.connections(), sent, "no connection is used again, even if it is kept open");
}

#[test]
fn without_the_bot_its_threads_end_once_everything_is_sent() {
    let fake = fake();
    let Crowd { bot, answers } = Crowd::new(fake.config().with_askers(Askers(2)));
    for ticket in 1..=20 {
        let (sender, text) = (format!("c{}", ticket % 5), format!("{ticket} hello"));
        bot.send(ticket, Request::Ask { sender, text, metadata: None });
    }
    drop(bot);
    for _ in 1..=20 {
        answers.recv_timeout(Duration::from_secs(20)).unwrap();
    }
    let gone = answers.recv_timeout(Duration::from_secs(20)).unwrap_err();
    assert_eq!(gone, RecvTimeoutError::Disconnected, "the last thread has dropped its sender");
}

#[test]
fn askers_are_one_at_least_and_512_at_most() {
    for wrong in ["0", "513", "many", "-1", ""] {
        assert_eq!(wrong.parse::<Askers>().unwrap_err(), "give a number from 1 to 512", "{wrong}");
    }
    assert_eq!("512".parse(), Ok(Askers(512)));
}
