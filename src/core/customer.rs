//! Customers of a gateway: their ids and tokens, and the ids that pages give to their requests.
//!
//! A token is a secret that names one customer. Several tokens may name the same customer. The
//! journal keeps only hashes of tokens.

use std::fmt;

use super::hash::sha256;
use crate::wire::{ConversationId, Millis, Number};

/// The most letters of a [`PostId`].
const POST_ID_MAX: usize = 64;

/// The id of a gateway's customer: 128 random bits. It never leaves the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CustomerId([u8; 16]);

impl CustomerId {
    /// Wraps random bytes.
    pub const fn new(bytes: [u8; 16]) -> CustomerId {
        CustomerId(bytes)
    }

    /// The bytes.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A customer's conversations, and what else the journal keeps about the customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Belongings {
    /// The conversations, each with the number of its entries. The last conversation is the present
    /// one.
    pub conversations: Vec<(ConversationId, u64)>,
    /// How often another customer was joined with this one, because both are the same person. Each
    /// time the entries of both are numbered anew.
    pub joins: u32,
    /// When the customer accepted the notice.
    pub agreed: Option<Millis>,
    /// What the customer said about themselves.
    pub about: About,
}

/// What a customer said about themselves when a page asked. Nobody has checked it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Their name.
    pub name: Option<Box<str>>,
    /// Their email address.
    pub email: Option<Box<str>>,
}

impl About {
    /// Takes the parts that `newer` has, and keeps the rest.
    pub fn update(&mut self, newer: About) {
        self.name = newer.name.or(self.name.take());
        self.email = newer.email.or(self.email.take());
    }
}

/// A token: 128 random bits, written as 32 hexadecimal digits. Whoever knows the token counts as
/// the customer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token([u8; 16]);

impl Token {
    /// Wraps random bytes.
    pub const fn new(bytes: [u8; 16]) -> Token {
        Token(bytes)
    }

    /// Reads the written form: 32 lowercase hexadecimal digits.
    pub fn parse(written: &str) -> Option<Token> {
        let digit = |letter: u8| match letter {
            b'0'..=b'9' => Some(letter - b'0'),
            b'a'..=b'f' => Some(letter - b'a' + 10),
            _ => None,
        };
        let digits = written.as_bytes();
        let mut bytes = [0; 16];
        if digits.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Token(bytes))
    }

    /// The written form.
    pub fn write(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The hash under which a journal keeps the token.
    pub fn hash(&self) -> TokenHash {
        TokenHash(sha256(&self.0))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// SHA-256 of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The id that a page gives to a request with its draft. The same request may come again: the id
/// shows that it is the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PostId(Box<str>);

impl PostId {
    /// Accepts 1 to 64 letters, digits, `-` and `_`.
    pub fn new(given: &str) -> Option<PostId> {
        let fits = |letter: u8| letter.is_ascii_alphanumeric() || b"-_".contains(&letter);
        let is_whole = (1..=POST_ID_MAX).contains(&given.len()) && given.bytes().all(fits);
        is_whole.then(|| PostId(given.into()))
    }

    /// The id as the page wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first bytes of the SHA-256 of a request's path and body. They show whether a request with a
/// known id is the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of a request.
    pub fn of(path: &str, body: &[u8]) -> Digest {
        let mut both = Vec::with_capacity(path.len() + 1 + body.len());
        both.extend_from_slice(path.as_bytes());
        both.push(0);
        both.extend_from_slice(body);
        let hash = sha256(&both);
        Digest(*hash.first_chunk().expect("SHA-256 has 32 bytes"))
    }

    /// Wraps bytes that a journal kept.
    pub const fn new(bytes: [u8; 16]) -> Digest {
        Digest(bytes)
    }

    /// The bytes.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The effect of a request that was done before. If the request comes again, its answer is made
/// from this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The digest of the request.
    pub digest: Digest,
    /// The conversation in which the request was done.
    pub conversation: ConversationId,
    /// The number of our own entry that the request made; 0 if it made no entry.
    pub number: Number,
}

#[cfg(test)]
mod tests {
    use super::{Digest, PostId, Token};

    #[test]
    fn a_token_reads_what_it_wrote_and_nothing_else() {
        let token = Token::new(*b"0123456789\xab\xcd\xef\x00\xff\x10");
        let written = token.write();
        assert_eq!(Token::parse(&written), Some(token));
        for wrong in ["", "0", &written[1..], &written.to_uppercase(), &format!("{written}0")] {
            assert_eq!(Token::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(format!("{token:?}"), "Token(hidden)");
    }

    #[test]
    fn a_request_id_has_1_to_64_plain_letters() {
        let long = "a".repeat(64);
        for good in ["a", "0-_Z", &long] {
            assert_eq!(PostId::new(good).map(|id| id.as_str().to_owned()).as_deref(), Some(good));
        }
        for wrong in ["", "a b", "ä", "a/b", &format!("{long}a")] {
            assert_eq!(PostId::new(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_digest_depends_on_where_the_path_ends() {
        assert_ne!(Digest::of("/a", b"bc"), Digest::of("/ab", b"c"));
        assert_eq!(Digest::of("/a", b"bc"), Digest::of("/a", b"bc"));
    }
}
