//! Chooses the answer to each request, and checks who may send it (docs/WEB.md, "Requests").

use crate::core::clock::Now;
use crate::core::customer::{CustomerId, Token, TokenHash};
use crate::core::gateway::{Call, Keep, Problem};
use crate::core::http::{Method, Request, SameSite, cookies, set_cookie};
use crate::core::report::Report;
use crate::turn::keeper::Stop;
use crate::wire::{Conn, ConversationId};

use super::Web;
use super::browsers::Answer;
use super::origins::Origins;
use super::pages::{asset, script};
use super::posts::Guest;

/// How long a browser keeps a customer's token, in seconds: a year.
const TOKEN_AGE: u64 = 365 * 24 * 3600;

/// The customer who sent a request.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pub(super) customer: CustomerId,
    /// The token by which the request named the customer.
    pub(super) token: TokenHash,
}

impl Web {
    /// Answers a request, now or at the end of the turn.
    pub(super) fn route(&mut self, conn: Conn, request: &Request, now: Now) -> Result<(), Stop> {
        // Without an answer here, a stream will answer.
        let Some(mut answer) = self.answer(conn, request, now)? else { return Ok(()) };
        if let Some(origin) = self.origins.of_api_page(request)
            && request.path().starts_with("/api/")
        {
            let sharing = Origins::sharing(origin);
            answer.headers.extend(sharing.map(|(name, value)| (name, value.to_owned())));
        }
        self.edges.browsers.answer(conn, answer);
        Ok(())
    }

    fn answer(&mut self, conn: Conn, request: &Request, now: Now) -> Result<Option<Answer>, Stop> {
        let path = request.path();
        if path == "/healthz" {
            return Ok(Some(self.health(request)));
        }
        if !self.origins.has_host_of(request) {
            return Ok(Some(Answer::empty(421)));
        }
        if request.method() == Method::Options && self.origins.of_api_page(request).is_some() {
            return Ok(Some(Origins::preflight()));
        }
        if let Some(name) = path.strip_prefix("/assets/") {
            return Ok(Some(asset(request, name)));
        }
        match path {
            "/" => Ok(Some(redirect(request))),
            "/chat" => Ok(Some(self.pages.chat(request))),
            "/frame" => Ok(Some(self.frame(request))),
            "/widget.js" | "/panel.js" => Ok(Some(script(request, &path[1..]))),
            "/api/stream" if request.method() == Method::Get => {
                match self.customer(request, now)? {
                    Ok(caller) => {
                        self.open_stream(conn, caller, request, now)?;
                        Ok(None)
                    }
                    Err(problem) => Ok(Some(Answer::problem(&problem))),
                }
            }
            "/api/entries" if request.method() == Method::Get => {
                let before = request.query_value("before").and_then(|it| it.parse().ok());
                let answer = match (self.customer(request, now)?, before) {
                    (Ok(caller), Some(before)) => self.former_events(caller.customer, before)?,
                    (Err(problem), _) => Answer::problem(&problem),
                    (_, None) => Answer::problem(&Problem::Field("before")),
                };
                Ok(Some(answer))
            }
            "/api/stream" | "/api/entries" => Ok(Some(not_allowed("GET"))),
            _ if path.starts_with("/api/") && request.method() == Method::Post => {
                let answer = self.api(conn, request, now)?;
                Ok(Some(answer.unwrap_or_else(|problem| Answer::problem(&problem))))
            }
            _ if path.starts_with("/api/") => Ok(Some(not_allowed("POST"))),
            _ => Ok(Some(Answer::empty(404))),
        }
    }

    /// The chat in a frame. The operator gets a notice about pages that may not show it.
    fn frame(&mut self, request: &Request) -> Answer {
        if let Some(origin) = self.origins.unlisted_embedder(request) {
            let text = format!(
                "a page of {origin} wants to show the chat, and browsers do not let it: if it is \
                 yours, give --origin {origin} (this is shown once)"
            );
            self.edges.seat.tell(Report::Notice { text });
        }
        self.pages.frame(request)
    }

    /// A POST to the API.
    fn api(
        &mut self,
        conn: Conn,
        request: &Request,
        now: Now,
    ) -> Result<Result<Answer, Problem>, Stop> {
        if self.ending.is_some() {
            return Ok(Err(Problem::Ending));
        }
        let has_cookie = self.tokens(request).next().is_some();
        if let Err(problem) = self.origins.check(request, has_cookie) {
            return Ok(Err(problem));
        }
        let call = match Call::read(request.path(), request.body()) {
            Ok(call) => call,
            Err(problem) => return Ok(Err(problem)),
        };
        let address = self.edges.browsers.address(conn, request);
        let guest = Guest { address, user_agent: request.header("user-agent") };
        if let Call::Begin { keep, pass: Some(code), .. } = &call
            && let Some(begun) = self.carry_over(code.hash(), guest, now)?
        {
            return Ok(Ok(self.welcome(begun, self.keep(request, *keep))));
        }
        match (self.customer(request, now)?, call) {
            (Ok(_), Call::Identify { identity, keep }) => {
                let identity = match self.identity_keys.verify(&identity, now.wall) {
                    Ok(identity) => identity,
                    Err(untrue) => return Ok(Err(Problem::Identity(untrue))),
                };
                // Two customers may be joined now, which works on the journal.
                self.commit_all(now)?;
                let Ok(caller) = self.customer(request, now)? else {
                    return Ok(Err(Problem::Token));
                };
                let keep = self.keep(request, keep);
                let answer = self.identify(caller, identity, (keep, guest), now)?;
                Ok(answer.ok_or(Problem::Token))
            }
            (Ok(caller), Call::Pass) => self.pass(caller, guest, now),
            (Ok(caller), Call::Logout) => Ok(Ok(self.logout(caller, now)?)),
            (Ok(caller), call) => self.call(caller.customer, (call, guest), now),
            (Err(_), Call::Begin { page, keep, .. }) => {
                if !address.is_some_and(|it| self.edges.gateway.admits(it.into(), now)) {
                    return Ok(Err(Problem::Customers));
                }
                let begun = self.begin(self.visit_of(page, guest), now)?;
                Ok(Ok(self.welcome(begun, self.keep(request, keep))))
            }
            (Err(problem), _) => Ok(Err(problem)),
        }
    }

    /// How the browser keeps the token. A page of another origin keeps it by itself.
    fn keep(&self, request: &Request, asked: Keep) -> Keep {
        if self.origins.is_own(request) { asked } else { Keep::Token }
    }

    /// The answer to a customer who gets a token.
    pub(super) fn welcome(
        &self,
        (token, conversation): (Token, ConversationId),
        keep: Keep,
    ) -> Answer {
        let (id, token) = (conversation.to_string(), token.write());
        if keep == Keep::Token {
            let body = format!(r#"{{"conversation":"{id}","token":"{token}"}}"#);
            return Answer::json(200, body);
        }
        let mut answer = Answer::json(200, format!(r#"{{"conversation":"{id}"}}"#));
        answer.headers.push(("Set-Cookie", self.cookie(&token, TOKEN_AGE, keep)));
        answer
    }

    /// Removes the cookie from a browser that keeps it like this.
    pub(super) fn no_cookie(&self, keep: Keep) -> String {
        self.cookie("", 0, keep)
    }

    fn cookie(&self, value: &str, max_age: u64, keep: Keep) -> String {
        // Browsers take a cookie for frames only over HTTPS.
        let is_secure = self.site.is_https();
        let same_site = match keep {
            Keep::PartitionedCookie if is_secure => SameSite::NonePartitioned,
            _ => SameSite::Lax,
        };
        set_cookie(self.cookie_name(), value, max_age, is_secure, same_site)
    }

    /// The customer who sent this request. Takes them into memory, where they count as there for a
    /// while.
    fn customer(&mut self, request: &Request, now: Now) -> Result<Result<Caller, Problem>, Stop> {
        let hashes: Vec<_> = self.tokens(request).map(|token| token.hash()).collect();
        for token in hashes {
            if let Some(customer) = self.edges.gateway.named(token) {
                self.edges.gateway.note_request(customer, now);
                return Ok(Ok(Caller { customer, token }));
            }
            let journal = &self.edges.keeper.journal;
            if let Some(customer) = journal.named_by(token)? {
                self.edges.take_in(customer, now)?;
                self.edges.gateway.name(token, customer);
                self.edges.gateway.note_request(customer, now);
                return Ok(Ok(Caller { customer, token }));
            }
        }
        Ok(Err(Problem::Token))
    }

    /// The tokens in a request: in `Authorization`, or in cookies. A cookie counts only if the
    /// request comes from the gateway's own page.
    fn tokens<'a>(&self, request: &'a Request) -> impl Iterator<Item = Token> + use<'a> {
        let bearer = request.header("authorization").and_then(|it| it.strip_prefix("Bearer "));
        let is_of_own_page = self.origins.of_api_page(request).is_none();
        let of_cookies = cookies(request.headers("cookie"), self.cookie_name());
        let of_cookies = of_cookies.filter(move |_| is_of_own_page);
        bearer.into_iter().chain(of_cookies).filter_map(Token::parse)
    }

    /// A browser lets only a page of this very host, over HTTPS, set a cookie with this prefix.
    fn cookie_name(&self) -> &'static str {
        if self.site.is_https() { "__Host-handoff" } else { "handoff" }
    }

    fn health(&self, request: &Request) -> Answer {
        match request.method() {
            Method::Get | Method::Head => {
                let headers = vec![("Content-Type", "text/plain".to_owned())];
                Answer { status: 200, headers, body: b"ok\n".to_vec() }
            }
            _ => not_allowed("GET, HEAD"),
        }
    }
}

fn redirect(request: &Request) -> Answer {
    match request.method() {
        Method::Get | Method::Head => Answer {
            status: 302,
            headers: vec![("Location", "/chat".to_owned())],
            body: Vec::new(),
        },
        _ => not_allowed("GET, HEAD"),
    }
}

pub(super) fn not_allowed(methods: &str) -> Answer {
    Answer { status: 405, headers: vec![("Allow", methods.to_owned())], body: Vec::new() }
}
