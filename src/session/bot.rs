//! The bot's turns: one request in flight, in the order of the lines, and none after the trigger.

use super::*;

/// A bot that is silent this long is slow, and the user is told that a person can be asked for.
const SLOW_AFTER: Duration = Duration::from_secs(10);

/// What was and is to be asked of the bot.
#[derive(Default)]
pub(super) struct Turns {
    now: Turn,
    /// Lines recorded behind the one in flight, as the bot will get them.
    waiting: VecDeque<String>,
    /// What the bot's last reply offers to choose from.
    buttons: Vec<Button>,
    last_ticket: u64,
    /// The user was told that the bot has no API.
    told_no_api: bool,
    /// The bot could not be told that it owns the conversation again: it may stay silent.
    may_be_paused: bool,
}

#[derive(Default)]
enum Turn {
    #[default]
    Idle,
    Asking {
        ticket: u64,
        /// When to say that the bot is slow; `None` once said.
        slow_at: Option<Instant>,
    },
    Returning {
        ticket: u64,
        how: Returned,
    },
}

impl Turns {
    /// Whatever is in flight is history, whatever waits is not for the bot any more.
    pub(super) fn discard(&mut self) {
        self.now = Turn::Idle;
        self.waiting = VecDeque::new();
        self.buttons = Vec::new();
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.now, Turn::Idle)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.now {
            Turn::Asking { slow_at, .. } => slow_at,
            _ => None,
        }
    }

    fn ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }
}

impl Session {
    /// A line for the bot: a choice among its buttons, or what was typed.
    pub(super) fn say_to_bot(&mut self, typed: &str, now: Now) {
        let asked = match reply::choice(&self.bot.buttons, typed) {
            Some(button) => {
                let (title, payload) = (button.title.clone(), button.payload.clone());
                self.say_as_user(&title, now);
                if payload.is_empty() { reply::for_bot(&title) } else { payload }
            }
            None => {
                self.say_as_user(typed, now);
                reply::for_bot(typed)
            }
        };
        self.bot.buttons = Vec::new();
        self.bot.waiting.push_back(asked);
        self.ask_next(now);
    }

    /// The bot answered the request with this ticket, or failed to.
    pub fn answered(&mut self, ticket: u64, answer: Result<Reply, String>, now: Now) {
        match self.bot.now {
            Turn::Asking { ticket: asked, .. } if asked == ticket => self.bot.now = Turn::Idle,
            _ => return log::info!("a reply of the bot came after the handoff and is discarded"),
        }
        match answer {
            Ok(reply) => {
                if reply.said.is_empty() && reply.handoff.is_none() {
                    self.tell_silent_bot();
                }
                for said in reply.said {
                    if !said.buttons.is_empty() {
                        self.bot.buttons.clone_from(&said.buttons);
                    }
                    self.record_said(said, now);
                }
                if let Some(handoff) = reply.handoff {
                    return self.request_human(handoff.reason, now);
                }
            }
            Err(fault) => self.tell(Report::Error { text: format!("{fault}; /human asks for a person") }),
        }
        self.ask_next(now);
    }

    /// The bot was told that it owns the conversation again, or could not be.
    pub fn returned(&mut self, ticket: u64, outcome: Resumed, now: Now) {
        let how = match self.bot.now {
            Turn::Returning { ticket: asked, how } if asked == ticket => how,
            _ => return,
        };
        self.bot.now = Turn::Idle;
        self.bot.may_be_paused = !matches!(outcome, Resumed::Yes | Resumed::WithoutLines);
        self.tell_state(Some(Reason::Returned(how)));
        match outcome {
            Resumed::Yes => {}
            Resumed::WithoutLines => self.notice("the bot could not be told what was said without it"),
            Resumed::StillPaused => {
                self.notice("the bot is still paused on its own side and may not answer; /human asks for a person")
            }
            Resumed::NoApi(why) if !self.bot.told_no_api => {
                self.bot.told_no_api = true;
                self.notice(format!(
                    "{why}; it does not know what was said without it, and a bot that paused itself stays silent"
                ));
            }
            Resumed::NoApi(_) => {}
            Resumed::Failed(fault) => {
                self.notice(format!(
                    "the bot was not told that it is its turn again: {fault}; /human asks for a person"
                ));
            }
        }
        self.ask_next(now);
    }

    pub(super) fn tick_bot(&mut self, now: Now) {
        if let Turn::Asking { slow_at, .. } = &mut self.bot.now
            && slow_at.is_some_and(|at| at <= now.clock)
        {
            *slow_at = None;
            self.notice("the bot is slow to answer; /human asks for a person");
        }
    }

    /// Tells the bot before it is asked anything again.
    pub(super) fn resume_bot(&mut self, how: Returned) {
        let ticket = self.bot.ticket();
        self.bot.now = Turn::Returning { ticket, how };
        self.out.push(Output::Return { ticket, since: self.request });
    }

    /// Asks what waits, if nothing is in flight.
    fn ask_next(&mut self, now: Now) {
        if !self.bot.is_idle() || self.phase != Phase::Bot {
            return;
        }
        let Some(text) = self.bot.waiting.pop_front() else { return };
        let ticket = self.bot.ticket();
        self.bot.now = Turn::Asking { ticket, slow_at: Some(now.clock + SLOW_AFTER) };
        self.out.push(Output::Ask { ticket, text });
    }

    fn tell_silent_bot(&mut self) {
        self.notice(if self.bot.may_be_paused {
            "the bot gave no answer: it is probably still paused since the handoff; /human asks for a person"
        } else {
            "the bot gave no answer; /human asks for a person"
        });
    }
}
