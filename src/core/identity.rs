//! Who a customer is, as the shop's own backend says: an identity that it signs, and that the
//! gateway checks (docs/WEB.md, "Verified identity").
//!
//! ```text
//! base64url(JSON) "." base64url(HMAC-SHA-256 of the text before the point)
//! ```

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use serde::Deserialize;

use crate::wire::{Identity, Millis};

/// A signed identity may be valid for at most this many seconds from now on.
const VALID_SECONDS_MAX: u64 = 24 * 3600;
/// By how many seconds the clocks of the backend and of the gateway may differ.
const SKEW_SECONDS: u64 = 60;
/// The fewest bytes of a key.
pub const KEY_MIN: usize = 32;

/// The keys with which the backend may have signed. Two of them, while one replaces the other.
pub struct Keys(Vec<hmac::Key>);

/// Why an identity is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untrue {
    /// There is no key.
    Unchecked,
    /// It has the wrong form, or too many or too long parts.
    Form,
    /// None of the keys has signed it.
    Signature,
    /// It is no longer valid.
    Expired,
    /// It would be valid for more than a day.
    TooLong,
}

#[derive(Deserialize)]
struct Said {
    user: Box<str>,
    /// Seconds since 1970.
    expires: u64,
    #[serde(default)]
    attributes: BTreeMap<Box<str>, Box<str>>,
}

impl Keys {
    /// The keys that were read from these files.
    pub fn new(keys: &[String]) -> Keys {
        Keys(keys.iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())).collect())
    }

    /// Whether identities are checked at all.
    pub fn are_there(&self) -> bool {
        !self.0.is_empty()
    }

    /// The identity in a signed text, if it is valid at this time.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn verify(&self, signed: &str, now: Millis) -> Result<Identity, Untrue> {
        if !self.are_there() {
            return Err(Untrue::Unchecked);
        }
        let (text, signature) = signed.split_once('.').ok_or(Untrue::Form)?;
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part.trim_end_matches('='));
        let signature = decode(signature).map_err(|_| Untrue::Form)?;
        let is_signed = |key: &hmac::Key| hmac::verify(key, text.as_bytes(), &signature).is_ok();
        if !self.0.iter().any(is_signed) {
            return Err(Untrue::Signature);
        }
        let json = decode(text).map_err(|_| Untrue::Form)?;
        let Said { user, expires, attributes } =
            serde_json::from_slice(&json).map_err(|_| Untrue::Form)?;
        let now = now / 1000;
        if expires.saturating_add(SKEW_SECONDS) < now {
            return Err(Untrue::Expired);
        }
        if expires > now + VALID_SECONDS_MAX + SKEW_SECONDS {
            return Err(Untrue::TooLong);
        }
        let identity = Identity { user: Some(user), attributes };
        identity.fits().then_some(identity).ok_or(Untrue::Form)
    }
}

impl Untrue {
    /// One sentence for the developer of the shop's page.
    pub fn why(self) -> &'static str {
        match self {
            Untrue::Unchecked => "the gateway was started without --identity-keys",
            Untrue::Form => "it is no signed identity",
            Untrue::Signature => "none of the gateway's keys has signed it",
            Untrue::Expired => "it has expired",
            Untrue::TooLong => "it expires later than in 24 hours",
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use ring::hmac;
    use serde_json::{Value, json};

    use super::{Keys, Untrue};

    const NOW: u64 = 1_800_000_000;

    fn signed(key: &str, said: &Value) -> String {
        let text = BASE64_URL_SAFE_NO_PAD.encode(said.to_string());
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        let signature = hmac::sign(&key, text.as_bytes());
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    fn keys() -> Keys {
        Keys::new(&["the newer one of two keys".to_owned(), "the older one".to_owned()])
    }

    #[test]
    fn an_identity_signed_with_either_key_is_accepted_until_it_expires() {
        let said = json!({ "user": "ann", "expires": NOW + 60, "attributes": { "plan": "gold" } });
        for key in ["the newer one of two keys", "the older one"] {
            let identity = keys().verify(&signed(key, &said), NOW * 1000).unwrap();
            assert_eq!(identity.user.as_deref(), Some("ann"));
            assert_eq!(identity.attributes.get("plan").map(|plan| &**plan), Some("gold"));
        }
        let expired = keys().verify(&signed("the older one", &said), (NOW + 200) * 1000);
        assert_eq!(expired, Err(Untrue::Expired));
    }

    #[test]
    fn a_forged_changed_long_or_malformed_identity_is_refused() {
        let said = json!({ "user": "ann", "expires": NOW + 60 });
        let good = signed("the older one", &said);
        let (text, signature) = good.split_once('.').unwrap();
        let other = BASE64_URL_SAFE_NO_PAD
            .encode(json!({ "user": "bob", "expires": NOW + 60 }).to_string());
        let day = json!({ "user": "ann", "expires": NOW + 2 * 24 * 3600 });
        let long = json!({ "user": "a".repeat(200), "expires": NOW + 60 });
        for (wrong, why) in [
            (signed("another key", &said), Untrue::Signature),
            (format!("{other}.{signature}"), Untrue::Signature),
            (format!("{text}."), Untrue::Signature),
            (text.to_owned(), Untrue::Form),
            (String::new(), Untrue::Form),
            (format!("{text}.!!"), Untrue::Form),
            (signed("the older one", &json!({ "user": "ann" })), Untrue::Form),
            (signed("the older one", &json!({ "user": "", "expires": NOW + 60 })), Untrue::Form),
            (signed("the older one", &long), Untrue::Form),
            (signed("the older one", &day), Untrue::TooLong),
        ] {
            assert_eq!(keys().verify(&wrong, NOW * 1000), Err(why), "{wrong}");
        }
        assert_eq!(Keys::new(&[]).verify(&good, NOW * 1000), Err(Untrue::Unchecked));
    }
}
