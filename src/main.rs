//! Arguments to mode to exit code, and the one error line.

use std::process::ExitCode;

use handoff::args::{self, Exit, Mode};
use handoff::{admin, demo, term, user};

fn main() -> ExitCode {
    env_logger::Builder::from_default_env()
        // Its finer levels print whole URLs, and a bot's token is part of one.
        .filter_module("ureq", log::LevelFilter::Warn)
        .filter_module("ureq_proto", log::LevelFilter::Warn)
        .target(env_logger::Target::Pipe(term::log_writer()))
        .init();
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match args::parse(&arguments) {
        Ok(Mode::User(args)) => user::run(args),
        Ok(Mode::Admin(args)) => admin::run(args),
        Ok(Mode::Bot(args)) => demo::run_bot(&args),
        Ok(Mode::Demo(args)) => demo::run(&args),
        Err(Exit::Help(text)) => {
            term::print(&text);
            Ok(0)
        }
        Err(Exit::Usage(line)) => {
            let mode = arguments.first().filter(|mode| ["user", "admin", "bot", "demo"].contains(mode));
            let mode = mode.map_or(String::new(), |mode| format!(" {mode}"));
            term::complain(&format!("{line}; see 'handoff{mode} --help'"));
            Ok(2)
        }
    };
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(line) => {
            term::complain(&line);
            ExitCode::FAILURE
        }
    }
}
