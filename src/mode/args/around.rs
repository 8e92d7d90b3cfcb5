//! The ways from a customers' side to the desk and to the bot.

use std::env::VarError;
use std::path::PathBuf;

use crate::bot::{self, Askers};
use crate::core::reply::Triggers;
use crate::edge::journal::Place;
use crate::edge::secret;
use crate::edge::tls::{self, Fingerprint, KnownDesks, Plaintext, Trust};

use super::check::{check_address, checked_place};

/// Checked options of the ways to the desk and to the bot, for every customers' side.
#[derive(Debug)]
pub struct Around {
    /// The desk's address, HOST:PORT.
    pub admin: String,
    bot: String,
    bot_ca: Option<String>,
    bot_askers: Askers,
    bot_token_file: Option<PathBuf>,
    triggers: Triggers,
    trusted_desks: Trusted,
    place: Place,
}

/// Which desks the customer's side trusts.
#[derive(Debug)]
enum Trusted {
    Keys(Vec<Fingerprint>),
    Authority(String),
    Plaintext(Plaintext),
    FirstContact,
}

/// These options, as they were given.
pub(super) struct Given {
    pub(super) admin: String,
    pub(super) bot: String,
    pub(super) bot_token_file: Option<PathBuf>,
    pub(super) bot_ca: Option<String>,
    pub(super) bot_askers: Askers,
    pub(super) trigger: Vec<String>,
    pub(super) fingerprint: Vec<Fingerprint>,
    pub(super) ca: Option<String>,
    pub(super) plaintext: Option<Plaintext>,
    pub(super) state: Option<PathBuf>,
    pub(super) profile: String,
    pub(super) ephemeral: bool,
}

/// Makes a [`Given`] from the raw options of a mode.
macro_rules! given_around {
    ($raw:ident) => {
        $crate::mode::args::around::Given {
            admin: $raw.admin,
            bot: $raw.bot,
            bot_token_file: $raw.bot_token_file,
            bot_ca: $raw.bot_ca,
            bot_askers: $raw.bot_askers,
            trigger: $raw.trigger,
            fingerprint: $raw.fingerprint,
            ca: $raw.ca,
            plaintext: $raw.plaintext,
            state: $raw.state,
            profile: $raw.profile,
            ephemeral: $raw.ephemeral,
        }
    };
}
pub(super) use given_around;

impl Given {
    /// Checks the options. `mode` names the journal's folder.
    pub(super) fn check(self, mode: &'static str) -> Result<Around, String> {
        check_address("--admin", &self.admin)?;
        let config = bot::Config::new(&self.bot, None)?;
        if self.bot_ca.is_some() && !config.is_https() {
            let url = config.url();
            return Err(format!("--bot-ca is for a bot at an https:// URL, and --bot is {url}"));
        }
        let trusted_desks = match (&*self.fingerprint, self.ca, self.plaintext) {
            ([], None, None) => Trusted::FirstContact,
            ([], Some(ca), None) => Trusted::Authority(ca),
            ([], None, Some(plaintext)) => Trusted::Plaintext(plaintext),
            (_, None, None) => Trusted::Keys(self.fingerprint),
            _ => {
                let why = "--fingerprint, --ca and --plaintext exclude each other; give one";
                return Err(why.to_owned());
            }
        };
        if self.trigger.iter().any(|text| text.trim().is_empty()) {
            return Err("--trigger must not be empty".to_owned());
        }
        Ok(Around {
            admin: self.admin,
            bot: self.bot,
            bot_ca: self.bot_ca,
            bot_askers: self.bot_askers,
            bot_token_file: self.bot_token_file,
            triggers: Triggers::new(&self.trigger),
            trusted_desks,
            place: checked_place(mode, self.state, self.profile, self.ephemeral)?,
        })
    }
}

impl Around {
    /// Where the journal is.
    pub fn place(&self) -> Place {
        self.place.clone()
    }

    /// Which desks the customer's side trusts.
    ///
    /// # Errors
    /// One line, when `--ca` names no usable authority.
    pub fn trust(&self) -> Result<Trust, String> {
        match &self.trusted_desks {
            Trusted::Keys(keys) => Ok(Trust::Keys(keys.clone())),
            Trusted::Authority(ca) => Trust::authority(ca),
            Trusted::Plaintext(plaintext) => Ok(Trust::Plaintext(*plaintext)),
            Trusted::FirstContact => {
                let file = self.place.folder()?.map(|folder| folder.join("known_desks"));
                Ok(Trust::FirstContact(KnownDesks::new(file)))
            }
        }
    }

    /// The bot's texts that hand over.
    pub fn triggers(&self) -> Triggers {
        self.triggers.clone()
    }

    /// How the bot is asked.
    ///
    /// # Errors
    /// One line, when an option for the bot cannot be used.
    pub fn bot_config(&self) -> Result<bot::Config, String> {
        let config = bot::Config::new(&self.bot, self.bot_token()?)?.with_askers(self.bot_askers);
        match &self.bot_ca {
            Some(given) => Ok(config.trusting(&tls::authorities("--bot-ca", given)?)),
            None => Ok(config),
        }
    }

    /// The token for the bot's API, from the file or the environment. There is no option for the
    /// token itself: every user of the machine can read a command line.
    ///
    /// # Errors
    /// One line, when the token cannot be used.
    fn bot_token(&self) -> Result<Option<String>, String> {
        if let Some(file) = &self.bot_token_file {
            return secret::read("the bot's token", file).map(Some);
        }
        match std::env::var("HANDOFF_BOT_TOKEN") {
            Ok(token) => Ok(Some(token)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => {
                Err("the bot's token in HANDOFF_BOT_TOKEN is not text".to_owned())
            }
        }
    }
}
