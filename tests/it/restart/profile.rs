//! Where a journal is, who may read it, and which journals are refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::run::Handoff;
use crate::support::setup::Setup;

/// The only line that a program prints when it does not start.
#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let mut program = Handoff::start(arguments);
    assert_eq!(program.exit_code(), 1);
    assert!(program.stdout().is_empty(), "{:?}", program.stdout());
    let said = program.stderr();
    let [line] = &said[..] else { panic!("one line is expected: {said:?}") };
    line.clone()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).permissions().mode()
        & 0o777
}

#[test]
fn a_second_process_on_the_same_profile_is_refused_and_another_profile_is_not() {
    let setup = Setup::new();
    let mut admin = setup.admin(&[]);
    let mut user = setup.user(&[]);
    user.until_state("bot");
    for (mode, arguments) in
        [("user", setup.user_arguments(&[])), ("admin", setup.admin_arguments(&[]))]
    {
        let line = refused(&arguments);
        assert!(line.contains(&format!("another 'handoff {mode}' is using")), "{line}");
        assert!(line.contains("--profile NAME"), "{line}");
    }
    let mut other = setup.user(&["--profile", "other"]);
    assert_ne!(
        other.until_state("bot")["conversation"],
        user.events_of("state")[0]["conversation"]
    );
    assert!(admin.is_running());
    // The lock ends with its process, even if the process is killed.
    user.kill();
    admin.kill();
    setup.user(&[]).until_state("bot");
    setup.admin(&[]);
}

#[test]
fn a_newer_schema_is_refused_and_left_as_it_is() {
    let setup = Setup::new();
    setup.admin(&[]).kill();
    setup.user(&[]).until_state("bot");
    for (mode, arguments) in
        [("user", setup.user_arguments(&[])), ("admin", setup.admin_arguments(&[]))]
    {
        setup
            .journal(mode)
            .pragma_update(None, "user_version", 99)
            .expect("no program uses the journal");
        let line = refused(&arguments);
        assert!(
            line.contains("was written by a newer handoff") && line.contains("--profile"),
            "{line}"
        );
        let version: i64 =
            setup.journal(mode).query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(version, 99);
    }
}

#[test]
fn a_file_that_is_no_journal_is_refused() {
    let setup = Setup::new();
    setup.user(&[]).until_state("bot");
    let file = setup.profile("user").join("journal.sqlite");
    for rest in ["journal.sqlite-wal", "journal.sqlite-shm"] {
        let _ = fs::remove_file(setup.profile("user").join(rest));
    }
    fs::write(&file, "a letter to my aunt, which is no database").unwrap();
    let line = refused(&setup.user_arguments(&[]));
    assert!(line.contains("cannot use the journal") && line.contains("journal.sqlite"), "{line}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "a letter to my aunt, which is no database");
}

#[test]
fn a_folder_that_others_can_look_into_is_refused_with_what_to_run() {
    let setup = Setup::new();
    setup.user(&[]).until_state("bot");
    let folder = setup.profile("user");
    for open in [0o750, 0o705, 0o777] {
        fs::set_permissions(&folder, Permissions::from_mode(open)).unwrap();
        let line = refused(&setup.user_arguments(&[]));
        assert!(line.ends_with(&format!("run: chmod 700 {}", folder.display())), "{line}");
    }
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    setup.user(&[]).until_state("bot");
}

#[test]
fn the_state_folder_is_made_for_its_owner_alone_wherever_it_is() {
    let setup = Setup::new();
    let state = Path::new(setup.state()).join("deep/er");
    let deep = state.to_str().unwrap();
    let arguments = |place: &str| -> Vec<String> {
        let arguments = setup.user_arguments(&[]);
        arguments
            .iter()
            .map(|word| if *word == setup.state() { place.to_owned() } else { (*word).to_owned() })
            .collect()
    };
    let with_state = arguments(deep);
    let mut user = Handoff::start(&with_state.iter().map(String::as_str).collect::<Vec<_>>());
    user.until_state("bot");
    for folder in [&state, &state.join("user"), &state.join("user/default")] {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    // Without --state the journal is in the platform's folder.
    let bare = ["user", "--admin", &setup.desk, "--bot", setup.bot.url(), "--json"];
    let mut user = Handoff::start(&bare);
    user.until_state("bot");
    let files = user.home_files();
    assert!(
        files.iter().any(|file| file.ends_with("handoff/user/default/journal.sqlite")),
        "{files:?}"
    );
}

#[test]
fn an_ephemeral_program_leaves_no_file() {
    let setup = Setup::new();
    let mut admin = setup.admin(&["--auto-accept", "--ephemeral"]);
    let mut user = setup.user(&["--ephemeral"]);
    user.say("a human");
    user.until_state("active");
    admin.until_state("active");
    admin.say("hello");
    user.until_text("hello");
    admin.say("/close");
    user.until_state("closed");
    assert_eq!((admin.home_files(), user.home_files()), (Vec::new(), Vec::new()));
    assert_eq!(fs::read_dir(setup.state()).unwrap().count(), 0);
}
