//! `handoff demo --web`: a bot, a gateway and a shop. The person who runs the demo is the customer,
//! in a browser, and the agent, in another terminal.

use std::io::Read;
use std::net::TcpListener;

use super::shop::Shop;
use super::{Part, address, next_event};
use crate::edge::signals;
use crate::edge::term;

/// The port that a person can guess, if it is free.
const USUAL_PORT: u16 = 8080;

/// Runs until Ctrl-C, or until the gateway ends. Returns the exit code.
pub(super) fn run() -> Result<u8, String> {
    let signals = signals::listen()?;
    let (_bot, mut bot_events) = Part::start("bot", &["bot", "--listen", "127.0.0.1:0", "--json"])?;
    let bot = format!("http://{}", address(&mut bot_events, "bot")?);
    let desk = format!("127.0.0.1:{}", free_port(0)?);
    let listen = format!("127.0.0.1:{}", free_port(USUAL_PORT).or_else(|_| free_port(0))?);
    let shop = Shop::open()?;
    let origin = shop.origin()?;
    let arguments = ["web", "--listen", &listen, "--admin", &desk, "--bot", &bot];
    let more = ["--origin", &origin, "--ephemeral", "--json"];
    let (_web, mut events) = Part::start("gateway", &[&arguments[..], &more].concat())?;
    let ready = next_event(&mut events);
    let url = ready.as_ref().and_then(|ready| ready["url"].as_str());
    let url = url.ok_or("the gateway did not start")?.to_owned();
    shop.serve(&url);
    let program = std::env::current_exe().map_err(|e| format!("cannot find the program: {e}"))?;
    let program = program.display();
    term::print(&format!(
        "The customer, in a browser:        {url}/chat\n\
         The customer, on a shop's page:    {origin}\n\
         The agent, in another terminal:    {program} admin --listen {desk} --ephemeral \
         --name Robin"
    ));
    term::print_words(
        "Ask the bot for a human, then type /accept at the agent's. Ctrl-C ends the demo.",
    );
    let (ended, end) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || {
        // The gateway's events end with the gateway.
        let mut rest = Vec::new();
        let _ = events.read_to_end(&mut rest);
        let _ = ended.send(());
    });
    crossbeam_channel::select! {
        recv(signals) -> signal => Ok(signal.map_or(1, signals::exit_code)),
        recv(end) -> _ => Err("the gateway has ended".to_owned()),
    }
}

/// This port, if it is free; with 0 any free port.
fn free_port(port: u16) -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", port));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(|e| format!("no port is free: {e}"))
}
