//! A real Rasa, and a customer's side and a desk around it.

use std::time::Instant;

use serde_json::Value;

use crate::support::run::{Handoff, WITHIN};

/// The bot's answer to `hello`.
pub const GREETING: &str = "Hello! How can I help you?";

/// A running Rasa server.
pub struct Rasa {
    pub url: String,
    pub token: Option<String>,
}

impl Rasa {
    #[track_caller]
    pub fn with_api() -> Rasa {
        Rasa { url: variable("HANDOFF_RASA_URL"), token: None }
    }

    #[track_caller]
    pub fn without_api() -> Rasa {
        Rasa { url: variable("HANDOFF_RASA_NO_API_URL"), token: None }
    }

    #[track_caller]
    pub fn with_token() -> Rasa {
        Rasa {
            url: variable("HANDOFF_RASA_TOKEN_URL"),
            token: Some(variable("HANDOFF_RASA_TOKEN")),
        }
    }

    /// The server's memory of a conversation.
    fn tracker(&self, conversation: &str) -> Value {
        let url = format!("{}/conversations/{conversation}/tracker", self.url);
        let token = self.token.as_deref().map(|token| ("token", token));
        let query = [("include_events", "ALL")].into_iter().chain(token);
        let mut answer = ureq::get(&url).query_pairs(query).call().expect("Rasa gives a tracker");
        let body = answer.body_mut().read_to_string().expect("a tracker is text");
        serde_json::from_str(&body).expect("a tracker is JSON")
    }

    pub fn events(&self, conversation: &str) -> Vec<Value> {
        self.tracker(conversation)["events"].as_array().expect("a tracker has events").clone()
    }

    /// The texts that the server got, from the customer or from people after a handback.
    pub fn heard(&self, conversation: &str) -> Vec<String> {
        let heard = |event: &Value| (event["event"] == "user").then(|| text(event));
        self.events(conversation).iter().filter_map(heard).collect()
    }

    /// Waits until the bot has sent this text. The server reports no event, so the tracker is read
    /// again and again.
    #[track_caller]
    pub fn until_said(&self, conversation: &str, said: &str) {
        let deadline = Instant::now() + WITHIN;
        while !self
            .events(conversation)
            .iter()
            .any(|event| event["event"] == "bot" && text(event) == said)
        {
            assert!(Instant::now() < deadline, "Rasa did not say '{said}'");
        }
    }

    pub fn is_paused(&self, conversation: &str) -> bool {
        self.tracker(conversation)["paused"] == true
    }
}

#[track_caller]
pub fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: scripts/test starts Rasa and sets it"))
}

pub fn text(event: &Value) -> String {
    event["text"].as_str().unwrap_or_default().to_owned()
}

/// A customer's side and a desk with a Rasa.
pub struct Stage {
    pub rasa: Rasa,
    pub admin: Handoff,
    pub user: Handoff,
    pub conversation: String,
}

impl Stage {
    #[track_caller]
    pub fn new(rasa: Rasa) -> Stage {
        let token = rasa.token.clone();
        Stage::with_customers_token(rasa, token.as_deref())
    }

    #[track_caller]
    pub fn with_customers_token(rasa: Rasa, token: Option<&str>) -> Stage {
        let mut admin = Handoff::admin(&["--name", "Robin"]);
        let arguments =
            ["user", "--admin", &admin.address(), "--bot", &rasa.url, "--name", "Ann", "--json"];
        let mut user = Handoff::start_with(&arguments, |command| {
            token.map(|token| command.env("HANDOFF_BOT_TOKEN", token));
        });
        let conversation =
            user.until_state("bot")["conversation"].as_str().expect("it has an id").to_owned();
        Stage { rasa, admin, user, conversation }
    }

    /// The customer types a line, and the bot gives this answer.
    #[track_caller]
    pub fn ask(&mut self, line: &str, answer: &str) -> Value {
        self.user.say(line);
        self.user.until(|event| event["author"] == "bot" && event["text"] == answer)
    }

    /// The customer types a line that hands over, and Robin accepts.
    #[track_caller]
    pub fn hand_off(&mut self, line: &str) {
        self.user.say(line);
        self.user.until_state("queued");
        self.admin.until_state("queued");
        self.admin.say("/accept");
        self.user.until_state("active");
        self.admin.until_state("active");
    }

    /// Robin types a line, then the customer.
    #[track_caller]
    pub fn talk(&mut self, admin: &str, user: &str) {
        self.admin.say(admin);
        self.user.until_text(admin);
        self.user.say(user);
        self.admin.until_text(user);
    }

    #[track_caller]
    pub fn hand_back(&mut self) {
        self.admin.say("/handback");
        assert_eq!(self.user.until_state("bot")["reason"], "handed_back");
        self.admin.until_state("bot");
    }

    /// Robin closes the conversation, and both programs end without an error.
    #[track_caller]
    pub fn close(&mut self) {
        self.admin.say("/close");
        assert_eq!(self.user.until_state("closed")["reason"], "admin_closed");
        self.admin.close_stdin();
        self.user.close_stdin();
        assert_eq!((self.user.exit_code(), self.admin.exit_code()), (0, 0));
        assert_eq!(self.user.events_of("error"), [] as [Value; 0]);
    }

    /// Checks that both ends have the same messages in the same order.
    #[track_caller]
    pub fn assert_same(&self) {
        assert_eq!(self.user.messages(), self.admin.messages());
    }

    pub fn heard(&self) -> Vec<String> {
        self.rasa.heard(&self.conversation)
    }
}
