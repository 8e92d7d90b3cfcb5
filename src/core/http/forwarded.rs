//! The customer's address, if a request came through proxies.

use std::net::IpAddr;

/// The address of a customer: `peer`, or if `peer` is a trusted proxy, the last address in
/// `X-Forwarded-For` that is no trusted proxy. An untrusted peer's header does not count, and the
/// search ends at a text that is no address.
pub fn customer_address<'a>(
    peer: IpAddr,
    trusted: &[IpAddr],
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
) -> IpAddr {
    let mut address = peer.to_canonical();
    let hops = forwarded.rev().flat_map(|header| header.rsplit(','));
    for hop in hops {
        if !trusted.contains(&address) {
            break;
        }
        let Some(before) = read_hop(hop) else { break };
        address = before;
    }
    address
}

/// An address, with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`,
/// `[2001:db8::1]:80`.
fn read_hop(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim().trim_matches('"');
    let bracketed = hop.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let without_port = match bracketed {
        Some((address, _)) => address,
        None if hop.matches(':').count() == 1 => hop.split_once(':').map_or(hop, |(host, _)| host),
        None => hop,
    };
    without_port.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}
