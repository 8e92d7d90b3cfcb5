//! The gateway's unit for systemd.

use std::process::Stdio;

use rustix::process::Signal;

use crate::support::home::nobody_at;
use crate::support::run::Handoff;
use crate::support::setup::Setup;
use crate::support::unit::value;
use crate::support::web::send_alone;

const UNIT: &str = include_str!("../../../docs/handoff-web.service");
const DESKS_UNIT: &str = include_str!("../../../docs/handoff-desk.service");

#[test]
fn the_unit_for_systemd_starts_a_gateway_and_takes_its_exit_code_for_success() {
    let (setup, listen) = (Setup::new(), nobody_at());
    let command: Vec<&str> = value(UNIT, "ExecStart").split_whitespace().skip(1).collect();
    let command = command.iter().map(|word| match *word {
        "127.0.0.1:8080" => &listen,
        "desk.example:5000" => &setup.desk,
        "http://localhost:5005" => setup.bot.url(),
        "%S/handoff" => setup.state(),
        word => word,
    });
    let command: Vec<&str> = command.collect();
    let mut gateway = Handoff::start_with(&command, |command| _ = command.stdin(Stdio::null()));
    gateway.until_err(|line| line.contains("listening on"));
    assert_eq!(send_alone("GET", &format!("http://{listen}/healthz"), &[], "").status, 200);
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.exit_code().to_string(), value(UNIT, "SuccessExitStatus"));
}

#[test]
fn the_units_of_desk_and_gateway_give_the_same_rights() {
    let allowed = |unit: &'static str| unit.split_once("DynamicUser=yes").expect("a user").1;
    assert_eq!(allowed(UNIT), allowed(DESKS_UNIT));
}
