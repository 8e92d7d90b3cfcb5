//! Why a desk closes a customer's connection: typed reasons, the code of each for the customer's
//! side, and the sentence of each for a person there.
//!
//! Rules: docs/PROTOCOL.md, "bye".

use std::fmt;

use crate::wire::{Code, VERSION, WireError};

/// Why a desk closes a customer's connection.
#[derive(Debug)]
pub enum Goodbye<'a> {
    /// The hello has this version of the protocol, and the desk speaks another.
    OtherVersion(u16),
    /// The desk knows the conversation with another secret.
    OtherSecret,
    /// The customer's mark does not fit the entries that this desk made.
    OtherMark,
    /// The desk has another entry under a number of the customer's.
    OtherEntry,
    /// A newer connection of the conversation replaces this one.
    Replaced,
    /// The frame breaks the rules of the wire.
    Malformed(&'a WireError),
    /// This message may not be sent at this time.
    Misplaced,
    /// A customer's side may not make this entry.
    NotTheirEntry,
    /// This entry may not follow the end of the conversation.
    AfterEnd,
    /// An entry with a lower number is missing.
    Gap,
    /// The ack names an entry that the desk has not sent.
    AckUnsent,
    /// The `seen` names an entry that the desk has not sent.
    SeenUnsent,
    /// The desk's program ends.
    Leaving,
}

impl Goodbye<'_> {
    /// The code for the customer's program.
    pub fn code(&self) -> Code {
        match self {
            Goodbye::OtherVersion(_) => Code::Version,
            Goodbye::OtherSecret => Code::Secret,
            Goodbye::OtherMark | Goodbye::OtherEntry => Code::Fork,
            Goodbye::Replaced => Code::Replaced,
            Goodbye::Gap => Code::Gap,
            Goodbye::Leaving => Code::Leaving,
            Goodbye::Malformed(_)
            | Goodbye::Misplaced
            | Goodbye::NotTheirEntry
            | Goodbye::AfterEnd
            | Goodbye::AckUnsent
            | Goodbye::SeenUnsent => Code::Protocol,
        }
    }
}

impl fmt::Display for Goodbye<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Goodbye::OtherVersion(theirs) => {
                return write!(
                    f,
                    "this desk speaks version {VERSION} of the protocol and you speak {theirs}; \
                     use the same release of handoff"
                );
            }
            Goodbye::Malformed(error) => return error.fmt(f),
            Goodbye::OtherSecret => "this conversation belongs to somebody else",
            Goodbye::OtherMark => "you have other entries of this desk than it made",
            Goodbye::OtherEntry => "this desk knows another entry under this number",
            Goodbye::Replaced => "this conversation goes on in another program",
            Goodbye::Misplaced => "this message has no place here",
            Goodbye::NotTheirEntry => "this entry is not a customer's to make",
            Goodbye::AfterEnd => "this conversation has ended: nothing like this follows its end",
            Goodbye::Gap => "an entry is missing before this one",
            Goodbye::AckUnsent => "this acknowledges what was never sent",
            Goodbye::SeenUnsent => "this has seen what was never sent",
            Goodbye::Leaving => "the desk is closing",
        })
    }
}
