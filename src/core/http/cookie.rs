//! Cookies (RFC 6265).

/// Whether a browser sends a cookie with requests that another site causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Only when the customer follows a link.
    Lax,
    /// Always; then the cookie must be `Secure`. It is kept apart for each site that embeds the
    /// page.
    NonePartitioned,
}

/// All values that a cookie with this name has in the `Cookie` headers. An attacker on a
/// neighbouring domain can add another cookie with the same name, so the first is no better than
/// the others.
pub fn cookies<'a>(
    headers: impl Iterator<Item = &'a str>,
    name: &str,
) -> impl Iterator<Item = &'a str> {
    let pairs = headers.flat_map(|header| header.split(';'));
    let pairs = pairs.filter_map(|pair| pair.split_once('='));
    pairs.filter(move |(of, _)| of.trim() == name).map(|(_, value)| value.trim().trim_matches('"'))
}

/// The value of a `Set-Cookie` header, for a cookie that scripts cannot read. `max_age` is in
/// seconds; 0 removes the cookie.
pub fn set_cookie(
    name: &str,
    value: &str,
    max_age: u64,
    is_secure: bool,
    same_site: SameSite,
) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    let same_site = match same_site {
        SameSite::Lax => "; SameSite=Lax",
        SameSite::NonePartitioned => "; SameSite=None; Partitioned",
    };
    format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly{secure}{same_site}")
}
