//! From the bot to a person and back: the main road.

use crate::run::Handoff;

#[test]
fn the_two_scripts_of_the_readme_say_the_whole_conversation_at_both_ends() {
    let mut bot = Handoff::bot();
    let mut admin = Handoff::plain_admin(&[]);
    admin.script("/accept\nHello, what is it?\n/wait\nOn its way.\n/close\n");
    let mut user = Handoff::plain_user(&admin.address(), &bot.url(), &[]);
    user.script("hi\nI want to talk to a human\n/wait\nmy order is late\n");
    assert_eq!((user.exit_code(), admin.exit_code()), (0, 0));
    let said = [
        "user: hi",
        "bot: Hello! I am the demo bot. Ask me for 'buttons', 'a picture', or 'a human'.",
        "user: I want to talk to a human",
        "admin: Hello, what is it?",
        "user: my order is late",
        "admin: On its way.",
    ];
    assert_eq!(user.stdout(), said);
    assert_eq!(admin.stdout(), said.map(|line| format!("#1 {line}")));
}
