//! The texts of `/help`. The overview of the desk's commands fits a window of 80 columns and 24
//! rows, and `/help COMMAND` says more about one of them.

/// The text of `/help` at the customer's side.
pub const USER_HELP: &str = "\
/human           ask for a person
/bot             stop waiting for a person, go back to the bot
/end             end the conversation
/new             end it and start another
/again           send the bot your line again, if it may not have received it
/history         show the conversation again
/wait [SECONDS]  (scripts) wait until the person has answered
/json \"TEXT\"     (scripts) send a text that is a JSON string
/quit            leave the program
//text           send a line that begins with a slash";

/// The text of `/help` at the desk.
pub const ADMIN_HELP: &str = "\
/accept [N]               accept the next customer, or customer N
/list                     list customers: first those with unanswered lines
/switch N, /next          go to customer N; to the one whom you owe an answer
/close, /handback [NOTE]  close the conversation; give it back to the bot
/undo                     within 5 s: take a /close or /handback back
/say #N TEXT              send customer N one line, without going there
/hold, /resume [TEXT]     ask the customer to be patient; go on
/note TEXT                keep a note that only this desk sees
/tag WORD, /untag WORD    add a tag to the conversation; remove it
/block, /unblock N        block the customer for a time; unblock them
/transfer NAME [NOTE]     offer them to an agent; send them to a department
/decline N                decline customer N, whom another agent offers
/away [TEXT], /here       take no new customers; take them again
/agents                   list the agents of this desk
/take N REASON, /watch N  (leads) take a customer over; watch
/r [NAME]                 put a canned reply into your line
/history [N]              show a conversation again
/find WORDS, /list ended  search all conversations; those that ended last
/wait, /json              (scripts) wait for the customer; send a JSON string
//text, /quit             send a line that begins with a slash; leave
/help COMMAND             says more, as /help block does
N is a customer's number or name; /close #3 and others are for customer 3";

/// What `/help COMMAND` says about each of the desk's commands.
const ADMIN_DETAILS: [(&str, &str); 29] = [
    (
        "accept",
        "/accept [N]: accept customer N. Without N: the one whom another agent offers you, or the \
         one who has waited longest of those who wait for you. N is a number, a name, or the \
         beginning of a name that fits only one customer.",
    ),
    ("agents", "/agents: list the agents: here, away or gone, and how many customers each has."),
    (
        "away",
        "/away [TEXT]: nobody can transfer a customer to you, and new customers do not ring at \
         your terminal, until /here. Other agents read TEXT, customers do not.",
    ),
    (
        "block",
        "/block [#N] [identity|address|conversation] [TIME]: close the conversation and turn the \
         customer away for TIME (30m, 12h, 7d; without it a day). identity: by what a gateway has \
         checked, if it has; address: everybody at the network address; conversation: by the \
         later conversations of the same program or browser. /list blocked shows who is blocked.",
    ),
    (
        "close",
        "/close [#N] [NOTE]: close the conversation. The note stays at this desk. For 5 s /undo \
         or a line keeps it; Enter in an empty line or the command again closes it at once.",
    ),
    ("decline", "/decline N: decline customer N, whom another agent offers you."),
    (
        "find",
        "/find WORDS: look through all conversations, also those that have ended, for lines, \
         notes, tags and customers with these words.",
    ),
    (
        "handback",
        "/handback [#N] [NOTE]: give the customer back to the bot. The note stays at this desk. \
         For 5 s /undo or a line keeps the customer; Enter in an empty line or the command again \
         does it at once.",
    ),
    ("help", "/help [COMMAND]: list the commands, or say more about one."),
    ("here", "/here: take new customers again."),
    (
        "history",
        "/history [N]: show a conversation again, with what the same customer said before. N may \
         have ended. Without N: the one that gets your lines.",
    ),
    (
        "hold",
        "/hold [#N] [TEXT]: send the customer TEXT, and ask them to be patient until /resume or \
         your next line. Their lines stay unanswered.",
    ),
    (
        "json",
        "/json [#N] \"TEXT\": send a text that is written as a JSON string, with \\n for a line \
         break. For programs.",
    ),
    (
        "list",
        "/list: your customers with unanswered lines, the longest wait first, then the queue, \
         then all others. /list ended: the conversations that ended last. /list blocked: the \
         customers whom the desk turns away.",
    ),
    (
        "next",
        "/next: go to your customer whose lines have had no answer for the longest time, or to the \
         next one of yours. /accept takes one who waits in the queue.",
    ),
    (
        "note",
        "/note [#N] TEXT: keep a note that only this desk sees, also in a conversation that has \
         ended.",
    ),
    ("quit", "/quit: leave. Customers whom you have may wait again; the program says so first."),
    (
        "r",
        "/r [NAME]: put the canned reply with this name, or this beginning of a name, into your \
         line. Without NAME: list them.",
    ),
    ("resume", "/resume [#N] [TEXT]: go on with a customer on hold; TEXT is sent to them."),
    ("say", "/say #N TEXT: send customer N TEXT. Your other lines go where they went before."),
    ("switch", "/switch N: your lines go to customer N from now on. Alt-1 goes to #1, #11 or #21."),
    (
        "tag",
        "/tag [#N] WORD: add a tag to the conversation. /list shows it, and /find finds it. \
         /untag removes it.",
    ),
    ("take", "/take N REASON: for leads: take customer N over. Both agents read the reason."),
    (
        "transfer",
        "/transfer [#N] NAME [NOTE]: offer the customer to another agent, who answers /accept or \
         /decline within 30 s. The customer is yours until then. With the name queue the customer \
         waits again, before all others. With the name of a department the customer waits again \
         for its agents. If an agent has the same name, the agent is meant.",
    ),
    ("unblock", "/unblock N: unblock the customer of conversation N."),
    (
        "undo",
        "/undo: for 5 s after /close or /handback: the conversation goes on. The customer has not \
         heard of it.",
    ),
    ("untag", "/untag [#N] WORD: remove a tag."),
    ("wait", "/wait [SECONDS]: in a script: wait until the customer has answered."),
    (
        "watch",
        "/watch N: for leads: show the conversation of customer N and another agent, until the \
         command is typed again.",
    ),
];

/// What `/help COMMAND` says at the desk; the name may have its slash. `None`: there is no such
/// command.
pub fn admin_detail(command: &str) -> Option<&'static str> {
    let name = command.strip_prefix('/').unwrap_or(command);
    ADMIN_DETAILS.iter().find(|(known, _)| *known == name).map(|(_, detail)| *detail)
}

#[cfg(test)]
mod tests {
    use super::{ADMIN_HELP, USER_HELP, admin_detail};
    use crate::core::complete;

    #[test]
    fn the_overviews_fit_a_window_of_24_rows_and_name_every_command() {
        for (help, commands) in [(ADMIN_HELP, &complete::ADMIN[..]), (USER_HELP, &complete::USER)] {
            assert!(help.lines().count() <= 22, "{} lines", help.lines().count());
            // "-- " stands before each line of a notice.
            let wide = help.lines().find(|line| line.chars().count() > 80 - "-- ".len());
            assert_eq!(wide, None);
            for (name, _) in commands.iter().filter(|(name, _)| *name != "help") {
                let is_it = |word: &str| word.trim_end_matches(',') == format!("/{name}");
                assert!(help.split_whitespace().any(is_it), "/{name} is missing");
            }
        }
    }

    #[test]
    fn help_says_more_about_every_command_of_the_desk() {
        for (name, _) in complete::ADMIN {
            let detail = admin_detail(name).unwrap_or_else(|| panic!("/{name} has no detail"));
            assert!(detail.starts_with(&format!("/{name}")), "{detail}");
        }
        assert_eq!(admin_detail("/block"), admin_detail("block"));
        assert_eq!(admin_detail("blok"), None);
    }
}
