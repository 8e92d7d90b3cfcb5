//! The benchmark: what a desk costs, against a raw epoll echo on the same machine in the same run;
//! and how long many customers wait for one bot.
//!
//! One load process plays the customers and speaks the real wire, in plaintext as the echo does or
//! over TLS; a real `handoff admin` and the echo are processes of their own. Each round measures
//! what is compared one after the other, so that what else the machine does touches both; the table
//! shows medians and spread. Nothing here passes or fails by time. `scripts/bench` starts it. For
//! Linux: it reads /proc and polls with epoll.

#![allow(clippy::print_stdout)] // a program of its own, whose output is the table

#[cfg(target_os = "linux")]
mod bot;
#[cfg(target_os = "linux")]
mod broken;
#[cfg(target_os = "linux")]
mod customers;
#[cfg(target_os = "linux")]
mod durable;
#[cfg(target_os = "linux")]
mod echo;
#[cfg(target_os = "linux")]
mod extent;
#[cfg(target_os = "linux")]
mod measures;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod stream;
#[cfg(target_os = "linux")]
mod table;

#[cfg(target_os = "linux")]
fn main() -> Result<(), broken::Broken> {
    measures::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the benchmark is for Linux");
}
