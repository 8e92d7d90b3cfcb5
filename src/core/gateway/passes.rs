//! One-time codes that carry a customer from a frame to a page of its own, which does not share the
//! frame's cookie. A code is valid for a minute, once, and only for the address that asked for it.
//! So nobody can lure another person into a conversation with a link.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::customer::{CustomerId, TokenHash};
use crate::wire::Address;

/// How long a code is valid.
const VALID_FOR: Duration = Duration::from_secs(60);
/// The most codes at the same time: the oldest one goes.
const CODES_MAX: usize = 10_000;

/// The valid codes, the oldest first.
#[derive(Default)]
pub(super) struct Passes(VecDeque<Pass>);

struct Pass {
    code: TokenHash,
    customer: CustomerId,
    address: Option<Address>,
    until: Instant,
}

impl Passes {
    /// Makes a code valid that carries a customer at this address over.
    pub(super) fn issue(
        &mut self,
        code: TokenHash,
        customer: CustomerId,
        address: Option<Address>,
        now: Now,
    ) {
        if self.0.len() >= CODES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Pass { code, customer, address, until: now.clock + VALID_FOR });
    }

    /// Uses up a code. Returns the customer whom it carries over.
    pub(super) fn redeem(
        &mut self,
        code: TokenHash,
        address: Option<Address>,
        now: Now,
    ) -> Option<CustomerId> {
        while self.0.pop_front_if(|pass| pass.until < now.clock).is_some() {}
        let at = self.0.iter().position(|pass| pass.code == code)?;
        let pass = self.0.remove(at)?;
        (pass.address == address).then_some(pass.customer)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::{Duration, Instant};

    use super::{CODES_MAX, Passes, VALID_FOR};
    use crate::core::clock::Now;
    use crate::core::customer::{CustomerId, Token, TokenHash};
    use crate::wire::Address;

    const ANN: CustomerId = CustomerId::new([1; 16]);

    fn code(n: u16) -> TokenHash {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        Token::new(bytes).hash()
    }

    #[test]
    fn a_code_is_valid_once_for_a_minute_and_for_one_address() {
        let now = Now { clock: Instant::now(), wall: 0 };
        let later = |time| Now { clock: now.clock + time, ..now };
        let here = Some(Address::from(IpAddr::from(Ipv4Addr::new(192, 0, 2, 1))));
        let there = Some(Address::from(IpAddr::from(Ipv4Addr::new(192, 0, 2, 2))));
        let mut passes = Passes::default();
        for n in 1..=3 {
            passes.issue(code(n), ANN, here, now);
        }
        assert_eq!(passes.redeem(code(1), here, now), Some(ANN));
        assert_eq!(passes.redeem(code(1), here, now), None, "twice");
        assert_eq!(passes.redeem(code(2), there, now), None, "from elsewhere");
        assert_eq!(passes.redeem(code(9), here, now), None, "invented");
        let late = later(VALID_FOR + Duration::from_secs(1));
        assert_eq!(passes.redeem(code(3), here, late), None, "late");
    }

    #[test]
    fn the_memory_of_codes_is_bounded() {
        let now = Now { clock: Instant::now(), wall: 0 };
        let mut passes = Passes::default();
        for n in 0..CODES_MAX as u16 + 5 {
            passes.issue(code(n), ANN, None, now);
        }
        assert_eq!(passes.0.len(), CODES_MAX);
        assert_eq!(passes.redeem(code(4), None, now), None);
        assert_eq!(passes.redeem(code(5), None, now), Some(ANN));
    }
}
