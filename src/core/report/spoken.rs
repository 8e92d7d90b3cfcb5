//! What a person without a prompt (`--plain`) reads or hears in its place: a line for each change,
//! with nothing in it that was said before.
//!
//! A screen reader speaks every line, so a line that repeats what did not change takes the time of
//! one that says something new. Waiting times are left out, because they change all the time. A
//! repeated call says them ([`Alert`](super::Alert)).

use crate::core::delivery::Mark;

/// The content of a prompt, for a person without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// The customer who gets the agent's next line. A customer's side has none.
    pub to: Option<Addressee>,
    /// Who is typing, of those who read the next line.
    pub typing: Option<String>,
    /// How far the last line has come.
    pub mark: Mark,
    /// How many customers the agent has.
    pub talking: usize,
    /// How many customers wait.
    pub waiting: usize,
    /// How many lines are unread.
    pub unread: u32,
}

/// The customer who gets the next line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// The customer.
    pub who: String,
    /// What an agent who goes to the customer must know, as a relative clause: `, who is on hold`.
    /// Each later change of it is a report of its own.
    pub signs: &'static str,
}

impl Spoken {
    /// A prompt that says nothing.
    pub const NOTHING: Spoken =
        Spoken { to: None, typing: None, mark: Mark::None, talking: 0, waiting: 0, unread: 0 };

    /// The line that says what has changed since `before`; empty if nothing did. `is_answered`: a
    /// line of the person who was typing was shown since then, which says that they have stopped.
    pub fn since(&self, before: &Spoken, is_answered: bool) -> String {
        let who = |spoken: &Spoken| spoken.to.as_ref().map(|to| to.who.clone());
        let has_moved = who(self) != who(before);
        let to = match &self.to {
            Some(Addressee { who, signs }) => {
                has_moved.then(|| format!("your lines go to {who}{signs}"))
            }
            None => has_moved.then(|| "nobody gets your lines".to_owned()),
        };
        let is_idle = self.to.is_none() && (has_moved || self.talking != before.talking);
        let talking = match self.talking {
            1 if is_idle => Some("you have 1 customer".to_owned()),
            2.. if is_idle => Some(format!("you have {} customers", self.talking)),
            _ => None,
        };
        let typing = match (&self.typing, &before.typing) {
            (Some(who), former) if has_moved || former.is_none() => {
                Some(format!("{who} is typing"))
            }
            (None, Some(who)) if !has_moved && !is_answered => {
                Some(format!("{who} has stopped typing"))
            }
            _ => None,
        };
        let mark = match self.mark {
            Mark::Delivered => Some("your last line is delivered".to_owned()),
            Mark::Seen => Some("your last line was seen".to_owned()),
            Mark::None => None,
        };
        let mark = mark.filter(|_| has_moved || self.mark != before.mark);
        let count = |(now, before): (u64, u64), some: &str, none: &str| match now {
            _ if now == before => None,
            0 => Some(none.to_owned()),
            count => Some(format!("{count} {some}")),
        };
        let waiting = (self.waiting as u64, before.waiting as u64);
        let waiting = count(waiting, "waiting", "nobody is waiting");
        let unread = (self.unread.into(), before.unread.into());
        let unread = count(unread, "unread", "nothing is unread");
        let parts = [to, talking, typing, mark, waiting, unread];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::{Addressee, Spoken};
    use crate::core::delivery::Mark;

    fn to(who: &str) -> Spoken {
        let to = Some(Addressee { who: who.to_owned(), signs: "" });
        Spoken { to, talking: 1, ..Spoken::NOTHING }
    }

    /// What is said when the prompt changes from each of these to the next, beginning with none.
    fn said(prompts: &[Spoken]) -> Vec<String> {
        let before = [Spoken::NOTHING].into_iter().chain(prompts.iter().cloned());
        before.zip(prompts).map(|(before, now)| now.since(&before, false)).collect()
    }

    #[test]
    fn each_change_is_said_once_and_nothing_is_repeated() {
        let typing = |spoken: Spoken| Spoken { typing: Some("#1 Ann".to_owned()), ..spoken };
        let ann = to("#1 Ann");
        let delivered = Spoken { mark: Mark::Delivered, ..ann.clone() };
        let seen = Spoken { mark: Mark::Seen, ..ann.clone() };
        let waiting = Spoken { waiting: 1, ..seen.clone() };
        let next_line = Spoken { mark: Mark::None, ..waiting.clone() };
        let busy = Spoken { unread: 2, waiting: 0, ..typing(next_line.clone()) };
        let prompts = [
            ann.clone(),
            ann,
            delivered,
            seen,
            waiting,
            next_line,
            busy.clone(),
            typing(to("#1 Ann")),
        ];
        assert_eq!(
            said(&prompts),
            [
                "your lines go to #1 Ann",
                "",
                "your last line is delivered",
                "your last line was seen",
                "1 waiting",
                "",
                "#1 Ann is typing; nobody is waiting; 2 unread",
                "nothing is unread",
            ]
        );
        let idle = Spoken { to: None, typing: None, ..busy };
        assert_eq!(to("#1 Ann").since(&idle, false), "your lines go to #1 Ann; nothing is unread");
    }

    #[test]
    fn an_agent_who_goes_to_a_customer_hears_all_of_that_customer() {
        let signs = ", who is on hold";
        let bob = Some(Addressee { who: "#2 Bob".to_owned(), signs });
        let bob = Spoken { to: bob, typing: Some("#2 Bob".to_owned()), mark: Mark::Seen, ..to("") };
        let ann = Spoken { mark: Mark::Seen, ..to("#1 Ann") };
        let all =
            "your lines go to #2 Bob, who is on hold; #2 Bob is typing; your last line was seen";
        assert_eq!(bob.since(&ann, false), all);
        // The agent has left this customer, so it is no news that the customer stopped typing.
        assert_eq!(ann.since(&bob, false), "your lines go to #1 Ann; your last line was seen");
    }

    #[test]
    fn an_agent_hears_that_nobody_gets_their_lines() {
        let open = |talking| Spoken { to: None, talking, ..Spoken::NOTHING };
        assert_eq!(
            said(&[open(0), to("#1 Ann"), open(0), to("#1 Ann"), open(1), open(2)]),
            [
                "",
                "your lines go to #1 Ann",
                "nobody gets your lines",
                "your lines go to #1 Ann",
                "nobody gets your lines; you have 1 customer",
                "you have 2 customers",
            ]
        );
    }

    #[test]
    fn the_line_itself_says_that_its_author_has_stopped_typing() {
        let typing = Spoken { typing: Some("the agent".to_owned()), ..Spoken::NOTHING };
        assert_eq!(typing.since(&Spoken::NOTHING, false), "the agent is typing");
        assert_eq!(Spoken::NOTHING.since(&typing, true), "");
        assert_eq!(Spoken::NOTHING.since(&typing, false), "the agent has stopped typing");
    }
}
