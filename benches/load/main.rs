//! The benchmark: the cost of a desk, compared with a bare epoll echo on the same machine in the
//! same run; the cost of a gateway, compared with a bare server of events; and how long many
//! customers wait for one bot.
//!
//! This process plays the customers and speaks the real wire, in plaintext or over TLS. A real
//! `handoff admin` and the echo are processes of their own. Each round measures the two sides of a
//! comparison one after the other, so that other work of the machine disturbs both. The table shows
//! medians and quartiles. No figure makes the benchmark fail. `scripts/bench` starts it. It needs
//! Linux: it reads /proc and polls with epoll.

#![allow(clippy::print_stdout)] // a program of its own, whose output is the table

#[cfg(target_os = "linux")]
mod archive;
#[cfg(target_os = "linux")]
mod bot;
#[cfg(target_os = "linux")]
mod broken;
#[cfg(target_os = "linux")]
mod browser;
#[cfg(target_os = "linux")]
mod browsers;
#[cfg(target_os = "linux")]
mod crowd;
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
mod nginx;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod sse;
#[cfg(target_os = "linux")]
mod stream;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
mod team;
#[cfg(target_os = "linux")]
mod turns;

#[cfg(target_os = "linux")]
fn main() -> Result<(), broken::Broken> {
    measures::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the benchmark is for Linux");
}
