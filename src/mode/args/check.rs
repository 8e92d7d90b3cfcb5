//! Checks single options. Each error is one line for the person, and names the option.

use std::path::{Path, PathBuf};

use super::{Certificate, Site};
use crate::core::identity;
use crate::core::text::{NAME_LETTERS_MAX, Name};
use crate::edge::journal::Place;
use crate::edge::secret;
use crate::net::STRANGERS;
use crate::wire::{NAME_MAX, TOKEN_MAX, Token};

/// A gateway's token of fewer bytes could be guessed.
const TOKEN_MIN: usize = 32;

/// A gateway's token: a line that nobody can guess.
pub(super) fn read_token(file: &Path) -> Result<Token, String> {
    let token = secret::read("the gateway's token", file)?;
    if !(TOKEN_MIN..=TOKEN_MAX).contains(&token.len()) {
        return Err(format!(
            "the gateway's token in {} must have {TOKEN_MIN} to {TOKEN_MAX} bytes; make one with: \
             openssl rand -hex 32",
            file.display()
        ));
    }
    Ok(Token(token.into()))
}

pub(super) fn read_identity_key(file: &Path) -> Result<String, String> {
    let key = secret::read("the key for identities", file)?;
    if key.len() < identity::KEY_MIN {
        return Err(format!(
            "the key for identities in {} must have {} bytes or more; make one with: openssl rand \
             -hex 32",
            file.display(),
            identity::KEY_MIN
        ));
    }
    Ok(key)
}

pub(super) fn checked_certificate(
    chain: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<Certificate>, String> {
    match (chain, key) {
        (Some(chain), Some(key)) => Ok(Some(Certificate { chain, key })),
        (None, None) => Ok(None),
        _ => Err("--tls-cert and --tls-key belong together; give both or none".to_owned()),
    }
}

/// `HOST:PORT` or `[IPv6]:PORT`. The host is resolved later.
pub(super) fn check_address(option: &str, given: &str) -> Result<(), String> {
    let wrong = || format!("{option} {given}: give HOST:PORT, such as localhost:5000");
    let (host, port) = given.rsplit_once(':').ok_or_else(wrong)?;
    let bare_v6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
    if host.is_empty() || bare_v6 || port.parse::<u16>().is_err() {
        return Err(wrong());
    }
    Ok(())
}

/// Origins of pages, as a browser writes them.
pub(super) fn origins(option: &str, given: &[String]) -> Result<Vec<String>, String> {
    let origin = |given: &String| {
        Site::parse(given).map(|site| site.origin()).map_err(|_| {
            format!("{option} {given}: give an origin, such as https://www.shop.example")
        })
    };
    given.iter().map(origin).collect()
}

/// A host whose images may be shown, as a browser writes it in a URL.
pub(super) fn image_host(given: &str) -> Result<String, String> {
    let site = Site::parse(&format!("https://{given}"));
    site.map(|site| site.host().to_owned())
        .map_err(|_| format!("--images {given}: give a host, such as images.shop.example"))
}

/// Checks what customers are asked for.
pub(super) fn asked(given: &str) -> Result<String, String> {
    match given {
        "name" | "email" | "name,email" | "email,name" => Ok(given.to_owned()),
        _ => Err(format!("--ask {given}: give name, email, or name,email")),
    }
}

/// Checks a name, and removes the blanks at its ends.
pub(super) fn checked_name(given: &str) -> Result<String, String> {
    checked_shown_name("--name", given)
}

/// Checks the name that an option gives, and removes the blanks at its ends.
pub(super) fn checked_shown_name(option: &str, given: &str) -> Result<String, String> {
    let given = given.trim();
    match Name::new(given) {
        None => Err(format!("{option} must have something that can be seen")),
        Some(name) if given.len() > NAME_MAX || !name.fits() => Err(format!(
            "{option} may have {NAME_LETTERS_MAX} letters and {NAME_MAX} bytes at most"
        )),
        Some(_) => Ok(given.to_owned()),
    }
}

/// The profile must be the name of a folder.
pub(super) fn checked_place(
    mode: &'static str,
    state: Option<PathBuf>,
    profile: String,
    ephemeral: bool,
) -> Result<Place, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let fits = (1..=64).contains(&profile.len()) && !profile.starts_with('.');
    if !fits || !profile.chars().all(plain) {
        let why = "--profile takes a name of letters, digits, '-', '_' and '.', at most 64";
        return Err(why.to_owned());
    }
    Ok(Place { state, mode, profile, ephemeral })
}

pub(super) fn check_at_least_1(
    customers: usize,
    per_address: usize,
    rate: u32,
) -> Result<(), String> {
    let limits =
        [("--customers", customers), ("--per-address", per_address), ("--rate", rate as usize)];
    match limits.into_iter().find(|(_, limit)| *limit == 0) {
        Some((option, _)) => Err(format!("{option} must be at least 1")),
        None => Ok(()),
    }
}

/// All customers must have a connection, and [`STRANGERS`] connections must be left for those who
/// have not introduced themselves yet.
pub(super) fn check_limits(
    customers: usize,
    per_address: usize,
    rate: u32,
    connections: usize,
) -> Result<(), String> {
    check_at_least_1(customers, per_address, rate)?;
    let least = customers.saturating_add(STRANGERS);
    if connections < least {
        return Err(format!(
            "--customers {customers} needs --connections {least} or more: {STRANGERS} are for \
             strangers"
        ));
    }
    Ok(())
}
