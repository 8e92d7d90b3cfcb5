//! A customer's side and a desk of different releases in one conversation.

use std::path::Path;

use serde_json::json;

use crate::support::fake_bot::FakeBot;
use crate::support::kept;
use crate::support::proxy::Proxy;
use crate::support::release::old;
use crate::support::run::Handoff;
use crate::support::setup::Setup;

/// The build that an end runs at first, and the build that it runs after its kill.
#[derive(Clone, Copy, Debug)]
struct End {
    first: Build,
    then: Build,
}

#[derive(Clone, Copy, Debug)]
enum Build {
    Old,
    New,
}

use Build::{New, Old};

impl Build {
    #[track_caller]
    fn start(self, arguments: &[&str]) -> Handoff {
        match self {
            Old => Handoff::start_build(&old(), arguments),
            New => Handoff::start(arguments),
        }
    }
}

fn always(build: Build) -> End {
    End { first: build, then: build }
}

fn upgraded() -> End {
    End { first: Old, then: New }
}

#[test]
#[ignore = "needs a 0.1.0 binary: scripts/compat"]
fn compat_a_0_1_0_customer_talks_to_this_desk() {
    talk(always(Old), always(New));
}

#[test]
#[ignore = "needs a 0.1.0 binary: scripts/compat"]
fn compat_this_customer_talks_to_a_0_1_0_desk() {
    talk(always(New), always(Old));
}

#[test]
#[ignore = "needs a 0.1.0 binary: scripts/compat"]
fn compat_a_customer_upgraded_in_mid_conversation_goes_on_with_a_0_1_0_desk() {
    talk(upgraded(), always(Old));
}

#[test]
#[ignore = "needs a 0.1.0 binary: scripts/compat"]
fn compat_a_desk_upgraded_in_mid_conversation_goes_on_with_a_0_1_0_customer() {
    talk(always(Old), upgraded());
}

#[test]
#[ignore = "needs a 0.1.0 binary: scripts/compat"]
fn compat_two_ends_upgraded_in_mid_conversation_go_on() {
    talk(upgraded(), upgraded());
}

/// The customer's bot names a department and a language, which 0.1.0 does not know. The desk is
/// upgraded in mid-conversation, and goes on from its journal.
#[test]
#[ignore = "needs a 0.1.0 binary: scripts/compat"]
fn compat_a_0_1_0_desk_takes_a_customer_of_a_department_as_any_other() {
    let payload = json!({
        "handoff": true, "reason": "lost parcel", "department": "returns", "language": "de",
    });
    let setup = Setup::with(FakeBot::saying(move |_| json!([{ "custom": payload.clone() }])));
    let of_admin = setup.admin_arguments(&[]);
    let mut admin = Old.start(&of_admin);
    admin.address();
    let mut user = setup.user(&[]);
    user.say("my parcel is lost");
    user.until_state("queued");
    admin.until_state("queued");
    admin.say("/accept");
    user.until_state("active");
    admin.say("hello");
    user.until_text("hello");
    admin.kill();
    user.say("are you still there?");
    let mut admin = New.start(&of_admin);
    admin.until_text("are you still there?");
    admin.say("yes");
    user.until_text("yes");
    admin.say("/close");
    user.until_state("closed");
    admin.until_state("closed");
}

/// Plays a conversation with a cut, a kill of each end, a handback, a second handoff and a close.
#[track_caller]
fn talk(customer: End, agent: End) {
    let setup = Setup::new();
    // The first connection breaks after more bytes than the handshake and the handoff need, so in
    // the middle of the talk.
    let proxy =
        Proxy::start(&setup.desk, usize::MAX, |nth| if nth == 0 { 4_500 } else { usize::MAX });
    let of_user = [
        "user",
        "--admin",
        &proxy.address,
        "--bot",
        setup.bot.url(),
        "--json",
        "--state",
        setup.state(),
    ];
    let of_admin = setup.admin_arguments(&[]);
    let mut admin = agent.first.start(&of_admin);
    admin.address();
    let mut user = customer.first.start(&of_user);
    user.say("hi");
    user.until_text("heard hi");
    user.say("a human");
    admin.until_state("queued");
    admin.say("/accept");
    user.until_state("active");
    admin.until_state("active");
    for line in 0..40 {
        user.say(&format!("customer {line}"));
        admin.until_text(&format!("customer {line}"));
        admin.say(&format!("agent {line}"));
        user.until_text(&format!("agent {line}"));
    }
    assert!(
        proxy.dialled.load(std::sync::atomic::Ordering::SeqCst) > 1,
        "the connection never broke"
    );

    user.kill();
    admin.say("while you were away");
    admin.until_text("while you were away");
    let mut user = customer.then.start(&of_user);
    user.until_text("while you were away");
    admin.kill();
    user.say("are you still there?");
    user.until_text("are you still there?");
    let mut admin = agent.then.start(&of_admin);
    admin.until_text("are you still there?");
    admin.say("yes");
    user.until_text("yes");

    admin.say("/handback");
    user.until_state("bot");
    admin.until_state("bot");
    user.say("hi again");
    user.until_text("heard hi again");
    user.say("a human, please");
    admin.until_state("queued");
    admin.say("/accept");
    user.until_state("active");
    user.say("once more");
    admin.until_text("once more");
    admin.say("/close");
    user.until_state("closed");
    admin.until_state("closed");
    user.close_stdin();
    admin.close_stdin();
    assert_eq!(
        (user.exit_code(), admin.exit_code()),
        (0, 0),
        "{customer:?} and {agent:?}: something was not delivered"
    );

    let read = |mode| kept::read(&kept::journal(Path::new(setup.state()), mode));
    let (kept_here, kept_there) = (read("user"), read("admin"));
    kept::check_alone("the customer's side", &kept_here).expect("no gap and no double");
    kept::check_alone("the desk", &kept_there).expect("no gap and no double");
    kept::check_together(&kept_here, &kept_there).expect("both journals hold the same entries");
    assert_eq!(
        setup.bot.texts(),
        ["hi", "a human", "hi again", "a human, please"],
        "the bot must get each line once"
    );
}
