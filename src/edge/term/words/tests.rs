use super::*;
use crate::core::department::Department;
use crate::wire::ConversationId;

const CONVERSATION: ConversationId = ConversationId::new([7; 16]);

fn state(me: Author, state: State, position: Option<u32>, reason: Option<Reason>) -> String {
    state_of(me, state, (position, None), reason)
}

fn state_of(
    me: Author,
    state: State,
    (position, attended): (Option<u32>, Option<bool>),
    reason: Option<Reason>,
) -> String {
    let desk = me == Author::Admin;
    let (ordinal, customer) = (desk.then_some(2), desk.then(|| "Ann".to_owned()));
    let is_live = matches!(state, State::Queued | State::Active);
    let department = Department::new("returns").filter(|_| desk && is_live);
    let need = Need { department, language: None };
    let report = Report::State {
        conversation: CONVERSATION,
        ordinal,
        customer,
        former: None,
        state,
        position,
        attended,
        admin: None,
        agent: None,
        on_hold: None,
        is_elsewhere: false,
        waits_again: false,
        need,
        reason,
    };
    words(&report, me).map(|(_, text)| text.to_string()).unwrap_or_default()
}

#[test]
fn an_agent_reads_after_how_long_a_customer_is_back_and_the_last_note() {
    let back = |minutes: u64, note: Option<&str>| {
        let ago = Some(Duration::from_secs(minutes * 60));
        back(&Earlier { ordinal: 2, ago, note: note.map(str::to_owned) })
    };
    assert_eq!(back(0, None), "back after less than a minute; had #2");
    assert_eq!(
        back(12, Some("a refund\nis due")),
        "back after 12 min; had #2, note: a refund is due"
    );
    assert_eq!(back(180, None), "back after 3 h; had #2");
    assert_eq!(back(3 * 1_440, None), "back after 3 days; had #2");
}

#[test]
fn the_customer_reads_the_state_of_the_conversation() {
    use Author::User;
    let handed_back = Some(Reason::Returned(Returned::HandedBack));
    assert_eq!(
        state(User, State::Queued, None, None),
        "you asked for a person; one moment, please"
    );
    assert_eq!(state(User, State::Queued, Some(3), None), "you are number 3 in the queue");
    assert_eq!(
        state_of(User, State::Queued, (Some(3), Some(false)), None),
        "nobody is here at the moment; you stay number 3 in the queue"
    );
    assert_eq!(
        state_of(User, State::Queued, (Some(2), Some(true)), None),
        "somebody is here again; you are number 2 in the queue"
    );
    assert_eq!(state(User, State::Active, None, None), "an agent joined");
    assert_eq!(state(User, State::Bot, None, handed_back), "the agent handed you back to the bot");
    assert_eq!(state(User, State::Bot, None, None), "");
    let closed = Some(Reason::Ended(EndReason::UserEnded));
    assert_eq!(state(User, State::Closed, None, closed), "you ended the conversation");
}

#[test]
fn the_agent_reads_who_has_the_conversation() {
    use Author::Admin;
    let ended = Some(Reason::Ended(EndReason::UserEnded));
    assert_eq!(
        state(Admin, State::Queued, Some(1), None),
        "#2 Ann (returns) is waiting (number 1 in the queue)"
    );
    assert!(
        state(Admin, State::Active, None, None)
            .starts_with("#2 Ann (returns): you have the conversation")
    );
    assert_eq!(state(Admin, State::Bot, None, None), "#2 Ann is back with the bot");
    assert_eq!(state(Admin, State::Closed, None, ended), "#2 Ann: closed (by the customer)");
}

/// The sentence that a customer's side shows for a lost link.
fn lost(why: &str, unreached: bool) -> String {
    let report = Report::Link {
        conversation: CONVERSATION,
        ordinal: None,
        customer: None,
        link: Link::Lost,
        desk: "desk:5000".into(),
        why: Some(why.to_owned()),
        parted: false,
        unreached,
    };
    let (_, text) = words(&report, Author::User).expect("a lost link has a sentence");
    text.as_str().to_owned()
}

#[test]
fn a_peer_cannot_write_a_second_line() {
    let wanted = "connection to desk:5000 lost: no\\u{a}handoff: all is well; trying again";
    assert_eq!(lost("no\nhandoff: all is well", false), wanted);
}

#[test]
fn a_link_that_was_never_connected_is_not_called_lost() {
    let refused = "cannot reach desk:5000: connection refused";
    assert_eq!(lost(refused, true), format!("{refused}; trying again"));
}
