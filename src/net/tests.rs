//! Real sockets on loopback, port 0. Every wait is for an event, with a deadline.
//!
//! A test that counts descriptors or processor time, or limits them, runs in a process of its own
//! ([`alone`]), since the tests of one binary share both.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use super::*;
use support::*;

mod support;

mod bytes;
mod closing;
mod cost;
mod deadlines;
mod dialling;
mod doors;
mod pauses;
mod strangers;
mod tls;
