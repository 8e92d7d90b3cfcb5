//! Lines that were typed, and what they mean.

use std::time::Duration;

use super::{Action, Admin, Criterion, Ending, User, Who};

#[test]
fn a_slash_begins_a_command_and_two_slashes_a_text() {
    assert_eq!(User::parse(" hi there "), Ok(User::Say("hi there".to_owned())));
    assert_eq!(User::parse("//human"), Ok(User::Say("/human".to_owned())));
    assert_eq!(User::parse("/human"), Ok(User::Human));
    assert_eq!(User::parse("/wait 3"), Ok(User::Wait(Some(Duration::from_secs(3)))));
    assert_eq!(Admin::parse("/accept #2"), Ok(Admin::Accept(Some(Who("#2".to_owned())))));
    assert_eq!(Admin::parse("/switch  Mary Ann "), Ok(Admin::Switch(Who("Mary Ann".to_owned()))));
    assert_eq!(
        (Admin::parse("/accept"), Admin::parse("/history")),
        (Ok(Admin::Accept(None)), Ok(Admin::History(None)))
    );
    assert_eq!(
        Admin::parse("/close the wrong\ndesk"),
        Ok(Admin::In(None, Action::End(Ending::Close, Some("the wrong\ndesk".to_owned()))))
    );
    assert_eq!(
        (Admin::parse("/note #3  call back"), Admin::parse("/handback #3")),
        (
            Ok(Admin::In(Some(3), Action::Note("call back".to_owned()))),
            Ok(Admin::In(Some(3), Action::End(Ending::HandBack, None)))
        )
    );
    assert_eq!(
        Admin::parse("/note #paid in full"),
        Ok(Admin::In(None, Action::Note("#paid in full".to_owned())))
    );
}

#[test]
fn a_mistyped_number_is_no_text_for_a_customer_and_no_note() {
    for wrong in ["#?", "#three", "#-3", "#99999999999", "##"] {
        for rest in ["/say % hi", "/json % \"hi\"", "/hold % hi", "/close % done", "/handback %"] {
            let error = Admin::parse(&rest.replace('%', wrong)).expect_err(rest);
            assert!(error.contains(&format!("{wrong} is no customer's number")), "{error}");
        }
    }
    let say = |text: &str| Ok(Admin::In(None, Action::Say(text.to_owned())));
    assert_eq!(Admin::parse("/say # of items"), say("# of items"));
    assert_eq!(Admin::parse("/say item #?"), say("item #?"));
    assert_eq!(Admin::parse("/tag #vip"), Ok(Admin::In(None, Action::Tag("#vip".to_owned()))));
    assert_eq!(
        Admin::parse("/say #3 #new"),
        Ok(Admin::In(Some(3), Action::Say("#new".to_owned())))
    );
    assert_eq!(Admin::parse("#new"), Ok(Admin::Say("#new".to_owned())), "without a command");
}

#[test]
fn a_text_that_is_a_json_string_has_its_line_breaks_and_slashes() {
    let say = |text: &str| Admin::Say(text.to_owned());
    assert_eq!(Admin::parse(r#"/json "one\ntwo""#), Ok(say("one\ntwo")));
    assert_eq!(Admin::parse(r#"/json "/close""#), Ok(say("/close")));
    let third = Admin::In(Some(3), Action::Say("\"hi\"\n\u{e9}".to_owned()));
    assert_eq!(Admin::parse(r#"/json #3 "\"hi\"\n\u00e9""#), Ok(third));
    assert_eq!(User::parse(r#"/json "one\ntwo""#), Ok(User::Say("one\ntwo".to_owned())));
    for wrong in ["/json", "/json one", r#"/json "one"#, r#"/json " \n""#, "/json 1", "/json #3"] {
        assert!(Admin::parse(wrong).is_err() && User::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_block_takes_a_criterion_and_a_time_in_any_order() {
    let block =
        |by, hours: u64| Ok(Admin::In(None, Action::Block(by, Duration::from_secs(hours * 3_600))));
    assert_eq!(Admin::parse("/block"), block(None, 24));
    assert_eq!(Admin::parse("/block 12h address"), block(Some(Criterion::Address), 12));
    assert_eq!(Admin::parse("/block identity 7d"), block(Some(Criterion::Identity), 168));
    for wrong in ["/block 0m", "/block 1d 2d", "/block 400d", "/block Ann", "/block h"] {
        assert!(Admin::parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(Admin::parse("/unblock #3"), Ok(Admin::Unblock(3)));
    assert!(Admin::parse("/unblock").is_err() && Admin::parse("/unblock Ann").is_err());
}

#[test]
fn a_mistyped_command_is_never_sent() {
    assert_eq!(
        User::parse("/hunan"),
        Err("there is no command /hunan; /help shows them, //hunan says it".to_owned())
    );
    assert!(matches!(Admin::parse("/help block"), Ok(Admin::Help(Some(_)))));
    let wrong = ["/switch", "/accpet Ann", "/next 3", "/wait soon", "/", "/list all", "/help blok"];
    for wrong in wrong.into_iter().chain(["/note", "/note #3", "/transfer #3"]) {
        assert!(Admin::parse(wrong).is_err(), "{wrong}");
    }
    assert!(User::parse("/wait -1").is_err());
    assert!(User::parse("/end now").is_err());
}
