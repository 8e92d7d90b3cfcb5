//! Why a run ended without a table.

use std::error::Error;
use std::io;

/// Anything that breaks ends the run: there is no table then.
pub(crate) type Broken = Box<dyn Error>;

/// What cannot be, unless something broke.
pub(crate) fn broken(what: impl Into<String>) -> io::Error {
    io::Error::other(what.into())
}
