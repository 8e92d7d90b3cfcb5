//! Which part of customers' addresses is kept and shown.

use std::net::IpAddr;
use std::str::FromStr;

use ring::hmac::{HMAC_SHA256, Key, sign};

use crate::wire::AddressKey;

/// Which part of a customer's address the agent sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addresses {
    /// The network: the first 24 bits of an IPv4 address, the first 48 of an IPv6 address.
    #[default]
    Masked,
    /// The whole address.
    Full,
    /// Nothing.
    None,
}

impl FromStr for Addresses {
    type Err = String;

    fn from_str(given: &str) -> Result<Addresses, String> {
        match given {
            "masked" => Ok(Addresses::Masked),
            "full" => Ok(Addresses::Full),
            "none" => Ok(Addresses::None),
            _ => Err("give 'masked', 'full' or 'none'".to_owned()),
        }
    }
}

impl Addresses {
    /// The part of an address that the agent sees.
    pub fn shown(self, address: IpAddr) -> Option<String> {
        match (self, address.to_canonical()) {
            (Addresses::None, _) => None,
            (Addresses::Full, address) => Some(address.to_string()),
            (Addresses::Masked, IpAddr::V4(v4)) => {
                let network = std::net::Ipv4Addr::from_bits(v4.to_bits() >> 8 << 8);
                Some(format!("{network}/24"))
            }
            (Addresses::Masked, IpAddr::V6(v6)) => {
                let network = std::net::Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80);
                Some(format!("{network}/48"))
            }
        }
    }
}

/// Makes the keys that a desk gets in place of addresses. Without the secret nobody can find the
/// address of a key.
pub struct AddressKeys(Key);

impl AddressKeys {
    /// Keys of the gateway with this secret.
    pub fn new(secret: &[u8; 32]) -> AddressKeys {
        AddressKeys(Key::new(HMAC_SHA256, secret))
    }

    /// The key of an IPv4 address, or of the first 64 bits of an IPv6 address.
    pub fn of(&self, address: IpAddr) -> AddressKey {
        let bytes = match address.to_canonical() {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets()[..8].to_vec(),
        };
        let tag = sign(&self.0, &bytes);
        AddressKey::new(*tag.as_ref().first_chunk().expect("HMAC-SHA-256 has 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressKeys, Addresses};

    #[test]
    fn an_address_is_shown_as_its_network_as_it_is_or_not_at_all() {
        let of = |how: Addresses, address: &str| how.shown(address.parse().unwrap());
        assert_eq!(of(Addresses::Masked, "203.0.113.9").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(of(Addresses::Masked, "::ffff:203.0.113.9").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(of(Addresses::Masked, "2001:db8:1:2::3").as_deref(), Some("2001:db8:1::/48"));
        assert_eq!(of(Addresses::Full, "2001:db8:1:2::3").as_deref(), Some("2001:db8:1:2::3"));
        assert_eq!(of(Addresses::None, "203.0.113.9"), None);
    }

    #[test]
    fn a_network_has_one_key_at_each_gateway() {
        let (one, other) = (AddressKeys::new(&[1; 32]), AddressKeys::new(&[2; 32]));
        let of = |keys: &AddressKeys, address: &str| keys.of(address.parse().unwrap());
        assert_eq!(of(&one, "2001:db8::1"), of(&one, "2001:db8::2"));
        assert_eq!(of(&one, "192.0.2.1"), of(&one, "::ffff:192.0.2.1"));
        assert_ne!(of(&one, "192.0.2.1"), of(&one, "192.0.2.2"));
        assert_ne!(of(&one, "192.0.2.1"), of(&other, "192.0.2.1"));
    }
}
