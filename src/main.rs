//! Reads the arguments, runs a mode, and turns its result into an exit code or the one error line.

use std::process::ExitCode;

use handoff::edge::term;
use handoff::mode::args::{self, Exit, Mode};
use handoff::mode::{admin, agent, attach, demo, user, web};
use log::{Level, Log};

fn main() -> ExitCode {
    start_log();
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match args::parse(&arguments) {
        Ok(Mode::User(args)) => user::run(args),
        Ok(Mode::Admin(args)) => admin::run(args),
        Ok(Mode::Agent(args)) => agent::run(&args),
        Ok(Mode::Attach(args)) => attach::run(&args),
        Ok(Mode::Web(args)) => web::run(*args),
        Ok(Mode::Bot(args)) => demo::run_bot(&args),
        Ok(Mode::Demo(args)) => demo::run(&args),
        Err(Exit::Help(text)) => {
            term::print(&text);
            Ok(0)
        }
        Err(Exit::Usage(line)) => {
            let mode = arguments.first().filter(|mode| args::is_command(mode));
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

fn start_log() {
    let target = env_logger::Target::Pipe(term::log_writer());
    let logger = env_logger::Builder::from_default_env().target(target).build();
    let most = logger.filter();
    // This fails only if there is a log already.
    if log::set_boxed_logger(Box::new(Discreet(logger))).is_ok() {
        log::set_max_level(most);
    }
}

/// Keeps the finer levels of libraries out of the log, whatever `RUST_LOG` says: they print whole
/// requests, with a customer's lines and with a bot's token in the URL.
struct Discreet(env_logger::Logger);

impl Log for Discreet {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        let own = metadata.target().split("::").next() == Some(env!("CARGO_CRATE_NAME"));
        (own || metadata.level() <= Level::Warn) && self.0.enabled(metadata)
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}
