//! What a page asks for, read from its requests (docs/WEB.md, "Requests").

use std::num::NonZeroU32;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::GivenPage;
use crate::core::customer::{About, Digest, PostId, Token};
use crate::core::identity::Untrue;
use crate::core::report::CustomerRefusal;
use crate::core::text::Name;
use crate::wire::{ConversationId, NAME_MAX, Number, PAGE_TEXT_MAX, TEXT_MAX};

/// What a page asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// The page wants to be a customer's.
    Begin {
        /// The page that the customer is on.
        page: GivenPage,
        /// How the browser keeps the token.
        keep: Keep,
        /// The code that carries a customer over from a frame.
        pass: Option<Token>,
    },
    /// The customer wants to go on in another page.
    Pass,
    /// The customer accepts the notice.
    Agree,
    /// The customer says this about themselves.
    About(About),
    /// The customer is on this page now.
    Page(GivenPage),
    /// The customer wants something done, once.
    Post(Post),
    /// The agent's lines of this conversation were seen up to this number.
    Seen(ConversationId, Number),
    /// The customer types in this conversation.
    Typing(ConversationId),
    /// The page answers the pings of this stream.
    Here(String),
    /// The shop says who the customer is.
    Identify {
        /// The identity that the shop has signed.
        identity: String,
        /// How the browser keeps the token, if the customer gets another one.
        keep: Keep,
    },
    /// The customer leaves: their token names nobody any more.
    Logout,
}

/// How a browser keeps a customer's token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// In a cookie of the gateway's site.
    #[default]
    Cookie,
    /// In a cookie of a frame on another site, which is kept apart for each such site (the CHIPS
    /// draft, "Partitioned").
    PartitionedCookie,
    /// The page keeps it by itself, because the browser takes no cookie.
    Token,
}

/// Something that a page asks to do once.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// The id that the page gave to the request.
    pub id: PostId,
    /// The digest, to tell whether another request with this id is the same.
    pub digest: Digest,
    /// The conversation for which the page drafted the request.
    pub conversation: ConversationId,
    /// What to do.
    pub act: Act,
}

/// What a page can ask to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// To say a line.
    Say(String),
    /// To choose a button of this message of the bot's.
    Choose(Number, NonZeroU32),
    /// To ask for a person.
    Human,
    /// To stop waiting for a person.
    Bot,
    /// To send the bot again the line that it may not have received.
    Again,
    /// To end the conversation.
    End,
    /// To begin another conversation, and end this one if it goes on.
    New,
}

/// Why a request is refused: the status and the reason in its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The body is no JSON of the right form.
    Json,
    /// This field of the body cannot be taken.
    Field(&'static str),
    /// There is no token, or it belongs to nobody.
    Token,
    /// The request comes from a page of another origin.
    Origin,
    /// There is no such path.
    NotFound,
    /// The line is for a conversation that is over.
    Closed,
    /// Another request had this id.
    Id,
    /// The buttons cannot be chosen from any more.
    Chosen,
    /// The request has no effect in the present state.
    State,
    /// The conversation is not this customer's.
    Conversation,
    /// Too many lines wait for the desk.
    Queue,
    /// Too many requests.
    Rate,
    /// There are too many customers, or too many new ones from this address.
    Customers,
    /// The customer has not accepted the notice.
    Notice,
    /// The identity is not valid.
    Identity(Untrue),
    /// The gateway is ending.
    Ending,
}

impl Problem {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Problem::Json | Problem::Field(_) => 400,
            Problem::Token => 401,
            Problem::Origin | Problem::Identity(_) => 403,
            Problem::NotFound => 404,
            Problem::Closed
            | Problem::Id
            | Problem::Chosen
            | Problem::State
            | Problem::Notice
            | Problem::Conversation => 409,
            Problem::Queue | Problem::Rate | Problem::Customers => 429,
            Problem::Ending => 503,
        }
    }

    /// The body of the answer.
    pub fn body(&self) -> String {
        let reason = match self {
            Problem::Json => "json",
            Problem::Field(name) => return format!(r#"{{"error":"field","field":"{name}"}}"#),
            Problem::Token => "token",
            Problem::Origin => "origin",
            Problem::NotFound => "not_found",
            Problem::Closed => "closed",
            Problem::Id => "id",
            Problem::Chosen => "chosen",
            Problem::State => "state",
            Problem::Conversation => "conversation",
            Problem::Queue => "queue",
            Problem::Rate => "rate",
            Problem::Customers => "customers",
            Problem::Identity(untrue) => {
                return format!(r#"{{"error":"identity","why":"{}"}}"#, untrue.why());
            }
            Problem::Notice => "notice",
            Problem::Ending => "ending",
        };
        format!(r#"{{"error":"{reason}"}}"#)
    }
}

impl From<CustomerRefusal> for Problem {
    fn from(refusal: CustomerRefusal) -> Problem {
        match refusal {
            CustomerRefusal::Replaced | CustomerRefusal::Closed => Problem::Closed,
            CustomerRefusal::TooManyWait => Problem::Queue,
            CustomerRefusal::MenuIsPast => Problem::Chosen,
            CustomerRefusal::AlreadyQueued
            | CustomerRefusal::AlreadyActive
            | CustomerRefusal::AlreadyWithBot
            | CustomerRefusal::WithAgent
            | CustomerRefusal::NothingToRepeat
            | CustomerRefusal::WaitIsForScripts => Problem::State,
        }
    }
}

#[derive(Deserialize)]
struct Plain {
    id: String,
    conversation: ConversationId,
}

#[derive(Deserialize)]
struct Say {
    id: String,
    conversation: ConversationId,
    text: String,
}

#[derive(Deserialize)]
struct Choose {
    id: String,
    conversation: ConversationId,
    menu: Number,
    choice: NonZeroU32,
}

#[derive(Deserialize)]
struct Seen {
    conversation: ConversationId,
    number: Number,
}

#[derive(Deserialize)]
struct Typing {
    conversation: ConversationId,
}

#[derive(Default, Deserialize)]
struct Begin {
    #[serde(default)]
    page: GivenPage,
    #[serde(default)]
    keep: Keep,
    #[serde(default)]
    pass: Option<String>,
}

#[derive(Deserialize)]
struct Identify {
    identity: String,
    #[serde(default)]
    keep: Keep,
}

#[derive(Deserialize)]
struct GivenAbout {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

impl GivenAbout {
    /// Checks what the customer gave. It cannot check whether an email address exists.
    fn read(self) -> Result<About, Problem> {
        let is_name =
            |name: &str| name.len() <= NAME_MAX && Name::new(name).is_some_and(|name| name.fits());
        let is_email = |email: &str| {
            let is_odd = |letter: char| letter.is_whitespace() || letter.is_control();
            let parts = email.rsplit_once('@');
            parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
                && email.len() <= PAGE_TEXT_MAX
                && !email.contains(is_odd)
        };
        let part = |given: Option<String>, fits: &dyn Fn(&str) -> bool, field| {
            let given = given.as_deref().map(str::trim).filter(|given| !given.is_empty());
            match given {
                Some(given) if !fits(given) => Err(Problem::Field(field)),
                given => Ok(given.map(Into::into)),
            }
        };
        Ok(About {
            name: part(self.name, &is_name, "name")?,
            email: part(self.email, &is_email, "email")?,
        })
    }
}

#[derive(Deserialize)]
struct Here {
    stream: String,
}

impl Call {
    /// Reads the POST to this path.
    ///
    /// # Errors
    /// When there is no such path, or the body is not what the path takes.
    pub fn read(path: &str, body: &[u8]) -> Result<Call, Problem> {
        let Some(name) = path.strip_prefix("/api/") else { return Err(Problem::NotFound) };
        let (id, conversation, act) = match name {
            "begin" => {
                let Begin { page, keep, pass } =
                    if body.is_empty() { Begin::default() } else { parse(body)? };
                let pass = pass.as_deref().and_then(Token::parse);
                return Ok(Call::Begin { page, keep, pass });
            }
            "page" => return parse(body).map(Call::Page),
            "seen" => {
                let Seen { conversation, number } = parse(body)?;
                return Ok(Call::Seen(conversation, number));
            }
            "typing" => {
                return parse(body).map(|Typing { conversation }| Call::Typing(conversation));
            }
            "identify" => {
                let Identify { identity, keep } = parse(body)?;
                return Ok(Call::Identify { identity, keep });
            }
            "agree" => return Ok(Call::Agree),
            "about" => return parse(body).and_then(GivenAbout::read).map(Call::About),
            "pass" => return Ok(Call::Pass),
            "logout" => return Ok(Call::Logout),
            "here" => return parse(body).map(|Here { stream }| Call::Here(stream)),
            "say" => {
                let Say { id, conversation, text } = parse(body)?;
                if text.trim().is_empty() || text.len() > TEXT_MAX {
                    return Err(Problem::Field("text"));
                }
                (id, conversation, Act::Say(text))
            }
            "choose" => {
                let Choose { id, conversation, menu, choice } = parse(body)?;
                (id, conversation, Act::Choose(menu, choice))
            }
            "human" | "bot" | "again" | "end" | "new" => {
                let Plain { id, conversation } = parse(body)?;
                let act = match name {
                    "human" => Act::Human,
                    "bot" => Act::Bot,
                    "again" => Act::Again,
                    "end" => Act::End,
                    _ => Act::New,
                };
                (id, conversation, act)
            }
            _ => return Err(Problem::NotFound),
        };
        let id = PostId::new(&id).ok_or(Problem::Field("id"))?;
        Ok(Call::Post(Post { id, digest: Digest::of(path, body), conversation, act }))
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|_| Problem::Json)
}

#[cfg(test)]
mod tests {
    use super::{Call, Problem};
    use crate::core::customer::About;

    #[test]
    fn name_and_email_of_a_customer_are_kept_if_they_are_valid() {
        let read = |body: &str| Call::read("/api/about", body.as_bytes());
        let about = |name: Option<&str>, email: Option<&str>| {
            Ok(Call::About(About { name: name.map(Into::into), email: email.map(Into::into) }))
        };
        let body = r#"{"name":" Ann ","email":"ann@example.com"}"#;
        assert_eq!(read(body), about(Some("Ann"), Some("ann@example.com")));
        assert_eq!(read(r#"{"name":"","email":null}"#), about(None, None));
        let long = "a".repeat(33);
        for name in ["\\u200b", &long] {
            assert_eq!(read(&format!(r#"{{"name":"{name}"}}"#)), Err(Problem::Field("name")));
        }
        for email in ["ann", "@example.com", "ann@", "ann @example.com", "a\\u0007@b"] {
            assert_eq!(read(&format!(r#"{{"email":"{email}"}}"#)), Err(Problem::Field("email")));
        }
    }
}
