//! The error of a run that ends without a table.

use std::error::Error;
use std::io;

/// An error that ends the run.
pub(crate) type Broken = Box<dyn Error>;

/// An error for a state that can only come from a fault.
pub(crate) fn broken(what: impl Into<String>) -> io::Error {
    io::Error::other(what.into())
}
