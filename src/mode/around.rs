//! The surroundings of sessions in every customers' side: the way to the bot ([`asker`]) and the
//! way to the desk ([`desk`]).

pub(super) mod asker;
pub(super) mod desk;

use super::random;
use crate::core::session::Fresh;
use crate::wire::{ConversationId, Secret};

/// The random values of a new conversation.
///
/// # Errors
/// One line, when the system gives no random bytes.
pub(super) fn fresh() -> Result<Fresh, String> {
    let (id, secret) = (ConversationId::new(random()?), Secret::new(random()?));
    Ok(Fresh { id, secret, seed: seed()? })
}

/// A random seed.
///
/// # Errors
/// One line, when the system gives no random bytes.
pub(super) fn seed() -> Result<u64, String> {
    random().map(u64::from_ne_bytes)
}
