//! Handbacks: what Rasa's API gets.

use super::*;

fn line(author: Author, name: Option<&str>, text: &str) -> Line {
    Line { author, name: name.map(str::to_owned), text: text.to_owned() }
}

fn give_back(config: Config, said: Vec<Line>) -> Result<Resumed, Fault> {
    match outcome(config, Request::Return { sender: "c1".into(), said }) {
        Outcome::Returned(taken) => taken.map(|taken| {
            assert_eq!(taken.warning, None, "the bot is on this machine");
            taken.how
        }),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_handback_tells_the_lines_and_resumes_in_one_request() {
    let fake = Fake::answering("200 OK", r#"{"sender_id":"c1","paused":false}"#);
    let said = vec![
        line(Author::User, Some("Ann"), "my order is late"),
        line(Author::Bot, None, "skipped"),
        line(Author::Admin, Some("Jane"), "I resend it"),
        line(Author::Admin, None, "bye"),
    ];
    let config =
        config(&format!("http://{}/rasa/webhooks/rest/webhook", fake.address), Some("s3 &cret\n"));
    assert_eq!(give_back(config, said), Ok(Resumed::Yes));
    let request = fake.request(0);
    let path = "/rasa/conversations/c1/tracker/events?include_events=NONE&token=s3%20%26cret";
    assert!(request.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{request}");
    let events = json!([
        {"event": "user", "text": "my order is late", "parse_data": {}},
        {"event": "bot", "text": "I resend it", "metadata": {"agent": "Jane"}},
        {"event": "bot", "text": "bye"},
        {"event": "resume"},
        {"event": "action", "name": "action_listen", "hide_rule_turn": true},
        {"event": "followup", "name": "action_listen"},
        {"event": "action", "name": "action_listen", "hide_rule_turn": true},
    ]);
    assert_eq!(body_of(&request), events);
    assert_eq!(fake.connections(), 1);
}

#[test]
fn a_handback_tells_the_latest_lines_within_its_limits() {
    let tracker = r#"{"paused":false}"#;
    let fake = Fake::answering("200 OK", tracker);
    let lines = |count: usize, text: &str| {
        (0..count).map(|n| line(Author::User, None, &format!("{n}{text}"))).collect()
    };
    give_back(fake.config(), lines(300, "")).unwrap();
    let events = body_of(&fake.request(0));
    assert_eq!(
        (events.as_array().unwrap().len(), &events[0]["text"]),
        (LINES_MAX + 4, &json!("100"))
    );

    give_back(fake.config(), lines(100, &"\u{1}".repeat(8000))).unwrap();
    let request = fake.request(1);
    assert!(request.len() < LINES_BYTES_MAX + 1000, "{}", request.len());
    let events = body_of(&request);
    assert!(events.as_array().unwrap().len() > 5);
    assert!(
        events[events.as_array().unwrap().len() - 5]["text"].as_str().unwrap().starts_with("99")
    );
}

#[test]
fn a_bot_that_does_not_take_the_lines_is_still_resumed() {
    let fake = Fake::new(|request, stream| {
        let whole = request.contains("\"user\"");
        let answer =
            if whole { http("500 Oops", b"") } else { http("200 OK", br#"{"paused":false}"#) };
        stream.write_all(&answer).unwrap();
    });
    assert_eq!(
        give_back(fake.config(), vec![line(Author::User, None, "x")]),
        Ok(Resumed::WithoutLines)
    );
    let resumed = body_of(&fake.request(1));
    let events: Vec<&Value> =
        resumed.as_array().unwrap().iter().map(|event| &event["event"]).collect();
    assert_eq!(events, ["resume", "action", "followup", "action"]);
    assert_eq!(fake.connections(), 2);

    let broken = Fake::answering("500 Oops", "");
    let fault = give_back(broken.config(), vec![line(Author::User, None, "x")]).unwrap_err();
    assert!(matches!(fault, Fault::Status { status: 500, .. }), "{fault}");
    assert_eq!(broken.connections(), 2);
    give_back(broken.config(), vec![]).unwrap_err();
    assert_eq!(broken.connections(), 3, "a bare resume is sent once");
}

#[test]
fn a_missing_or_refusing_api_is_named_without_the_token() {
    let returned = |status: &str, body: &str, token: Option<&str>| {
        let fake = Fake::answering(status, body);
        let said = vec![line(Author::User, None, "x")];
        let result = give_back(config(&format!("http://{}", fake.address), token), said);
        assert_eq!(fake.connections(), 1);
        result.map_err(|fault| (fault.to_string(), fault))
    };
    let (sentence, fault) = returned("404 Not Found", "", Some("s3cret")).unwrap_err();
    assert!(
        matches!(fault, Fault::NoApi { .. }) && sentence.ends_with("start Rasa with --enable-api"),
        "{sentence}"
    );
    let (sentence, fault) = returned("401 Unauthorized", "", Some("s3cret")).unwrap_err();
    assert!(
        matches!(fault, Fault::Token { given: true, .. })
            && !format!("{fault:?}{sentence}").contains("s3cret")
    );
    let (sentence, _) = returned("403 Forbidden", "", None).unwrap_err();
    assert!(sentence.contains("--auth-token") && sentence.contains("--jwt-secret"), "{sentence}");
    assert!(sentence.contains("--bot-token-file"), "{sentence}");
    assert_eq!(returned("200 OK", r#"{"paused":true}"#, None).unwrap(), Resumed::StillPaused);
    assert!(returned("200 OK", "{}", None).unwrap_err().0.ends_with("a tracker without 'paused'"));
    assert!(!format!("{:?}", config("http://x", Some("s3cret"))).contains("s3cret"));
}

#[test]
fn an_id_that_would_change_the_path_is_refused() {
    let fake = Fake::answering("200 OK", r#"{"paused":false}"#);
    let request = Request::Return { sender: "../a?b".into(), said: vec![] };
    assert!(matches!(
        outcome(fake.config(), request),
        Outcome::Returned(Err(Fault::Broken { .. }))
    ));
    assert_eq!(fake.connections(), 0);
}

#[test]
fn only_an_interrupted_form_gets_a_second_request_which_sets_it_going_again() {
    let form = |rejected: bool| {
        let tracker =
            json!({"paused": false, "active_loop": {"name": "order_form", "rejected": rejected}});
        Fake::answering("200 OK", tracker.to_string())
    };
    let fake = form(true);
    assert_eq!(give_back(fake.config(), vec![line(Author::User, None, "x")]), Ok(Resumed::Yes));
    let events = json!([
        {"event": "active_loop", "name": "order_form"},
        {"event": "followup", "name": "action_listen"},
        {"event": "action", "name": "action_listen", "hide_rule_turn": true},
    ]);
    assert_eq!(body_of(&fake.request(1)), events);
    assert_eq!(fake.connections(), 2);

    let goes_on = form(false);
    assert_eq!(give_back(goes_on.config(), vec![]), Ok(Resumed::Yes));
    assert_eq!(goes_on.connections(), 1);
    let none = Fake::answering("200 OK", r#"{"paused":false,"active_loop":{}}"#);
    assert_eq!(give_back(none.config(), vec![]), Ok(Resumed::Yes));
    assert_eq!(none.connections(), 1);
}

#[test]
fn a_form_that_stays_interrupted_is_not_reported_as_refused_lines() {
    let tracker = r#"{"paused":false,"active_loop":{"name":"order_form","rejected":true}}"#;
    let fake = Fake::new(move |request, stream| {
        let form = request.contains("\"active_loop\"");
        let answer =
            if form { http("401 Unauthorized", b"") } else { http("200 OK", tracker.as_bytes()) };
        stream.write_all(&answer).unwrap();
    });
    let how = give_back(fake.config(), vec![line(Author::User, None, "x")]).unwrap();
    assert!(matches!(how, Resumed::WithoutForm(Fault::Token { .. })), "{how:?}");
    assert_eq!(fake.connections(), 2);
}

#[test]
fn a_jwt_goes_into_a_header_and_any_other_token_into_the_url() {
    // RFC 7519, 3.1.
    let jwt = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UifQ.\
               dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let asked = |token: &str| {
        let fake = Fake::answering("200 OK", r#"{"paused":false}"#);
        give_back(config(&format!("http://{}", fake.address), Some(token)), vec![]).unwrap();
        fake.request(0)
    };
    let request = asked(jwt);
    assert!(
        request.to_lowercase().contains("\r\nauthorization: bearer ") && request.contains(jwt),
        "{request}"
    );
    assert!(!request.lines().next().unwrap().contains("token"), "{request}");
    for shared in ["s3cret", "v1.2.3", "a.b.c.d", &jwt.replace("eyJ0", "eyK0"), &jwt[..40]] {
        let request = asked(shared);
        assert!(
            request.lines().next().unwrap().contains(&format!("&token={shared}")),
            "{shared}: {request}"
        );
        assert!(!request.to_lowercase().contains("authorization"), "{shared}: {request}");
    }
    // The webhook needs no token, and gets none.
    let fake = Fake::answering("200 OK", "[]");
    ask(config(&format!("http://{}", fake.address), Some(jwt))).unwrap();
    assert!(!fake.request(0).contains(jwt));
}

#[test]
fn a_refusal_is_certain_and_a_broken_exchange_is_not() {
    let peer = || "http://h".to_owned();
    let status = |status| Fault::Status { peer: peer(), status }.is_refusal();
    for refused in [302, 400, 404, 409, 413, 429, 502, 503] {
        assert!(status(refused), "{refused}");
    }
    for unsure in [204, 408, 500, 504] {
        assert!(!status(unsure), "{unsure}");
    }
    assert!(Fault::Token { peer: peer(), given: true }.is_refusal());
    assert!(!Fault::Slow { peer: peer(), within: RETURN_WITHIN }.is_refusal());
    assert!(!Fault::TooLong { peer: peer() }.is_refusal());
}
