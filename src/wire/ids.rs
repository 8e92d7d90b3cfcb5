//! Ids: the number of a connection within a process and the address of its peer; and the random ids
//! and secrets of the wire, which are written as lowercase hexadecimal.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A map from ids. A turn looks up the same conversation several times, so the hash is a fast one.
/// Its seed is random, because peers choose some of the ids.
pub type IdMap<K, V> = HashMap<K, V, RandomState>;

/// A set of ids (see [`IdMap`]).
pub type IdSet<K> = HashSet<K, RandomState>;

/// The number of a connection, dialled or accepted. A process never uses one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Conn(pub u64);

/// The address of a peer, as limits count it: an IPv4 address, or the first 64 bits of an IPv6
/// address, which name one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Address {
        match ip.to_canonical() {
            IpAddr::V6(v6) => Address(IpAddr::V6((v6.to_bits() >> 64 << 64).into())),
            v4 => Address(v4),
        }
    }
}

impl Address {
    /// The address as sixteen bytes; an IPv4 address as IPv6 maps it (RFC 4291, 2.5.5.2).
    pub fn bytes(&self) -> [u8; 16] {
        match self.0 {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        }
    }

    /// The address with these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Address {
        Address(IpAddr::V6(bytes.into()).to_canonical())
    }
}

/// A key in place of a customer's address: a gateway makes it with its secret, so that a desk can
/// count and block addresses without knowing them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressKey([u8; 16]);

impl From<AddressKey> for Address {
    /// A key is equal to no address, because the lower half of each IPv6 address is 0 here (see
    /// above).
    fn from(key: AddressKey) -> Address {
        Address(IpAddr::V6(u128::from_be_bytes(key.0).into()))
    }
}

/// The id of a conversation: 128 random bits that the customer's side draws before it first dials.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationId([u8; 16]);

/// The id of a desk: 128 random bits that the desk draws with its journal. A desk that lost its
/// journal is a new desk.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeskId([u8; 16]);

/// The key of a seat: 128 random bits that an agent's terminal draws at its first start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeatKey([u8; 16]);

/// SHA-256 of a secret of an agent.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

/// The secret of a conversation, or of an agent: 256 random bits, which are never shown or logged.
/// Whoever knows it may continue the conversation, or sign in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl fmt::Display for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl ConversationId {
    /// No conversation: a record that belongs to none is committed with this id.
    pub const NONE: ConversationId = ConversationId([0; 16]);

    /// The first four hexadecimal digits of the id: enough to tell customers apart on a screen.
    pub fn short(&self) -> String {
        hex(&self.0[..2])
    }
}

/// Implements what the three types share: their bytes, and hexadecimal in JSON.
macro_rules! hexadecimal {
    ($type:ident, $length:literal) => {
        impl $type {
            /// Wraps bytes. The caller draws them: this room is pure and has no randomness.
            pub const fn new(bytes: [u8; $length]) -> $type {
                $type(bytes)
            }

            /// The bytes.
            pub const fn bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&hex(&self.0))
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                deserializer.deserialize_str(Hexadecimal::<$length>).map($type)
            }
        }
    };
}

hexadecimal!(AddressKey, 16);
hexadecimal!(ConversationId, 16);
hexadecimal!(DeskId, 16);
hexadecimal!(SeatKey, 16);
hexadecimal!(Secret, 32);
hexadecimal!(SecretHash, 32);

macro_rules! shown {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }
    };
}

shown!(AddressKey);
shown!(ConversationId);
shown!(DeskId);
shown!(SeatKey);
shown!(SecretHash);

struct Hexadecimal<const N: usize>;

impl<const N: usize> de::Visitor<'_> for Hexadecimal<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lowercase hexadecimal digits", N * 2)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; N], E> {
        let wrong = || E::invalid_value(de::Unexpected::Other("something else"), &self);
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != N || !rest.is_empty() {
            return Err(wrong());
        }
        let mut bytes = [0; N];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high).ok_or_else(wrong)? << 4 | digit(*low).ok_or_else(wrong)?;
        }
        Ok(bytes)
    }
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}
