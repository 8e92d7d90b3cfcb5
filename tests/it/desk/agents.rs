//! `handoff agent`: its effects and its output.

use crate::support::run::Handoff;
use crate::support::setup::Setup;

/// Runs `handoff agent`, which succeeds. Returns what it printed on stdout and on stderr.
#[track_caller]
fn agent(setup: &Setup, arguments: &[&str]) -> (String, String) {
    let all = [&["agent"], arguments, &["--state", setup.state()]].concat();
    let mut agent = Handoff::start(&all);
    assert_eq!(agent.exit_code(), 0);
    (agent.stdout().join("\n"), agent.stderr().join("\n"))
}

#[test]
fn a_changed_agent_has_the_new_options_at_the_running_desk() {
    let setup = Setup::new();
    let _desk = setup.admin(&[]);
    let mut lea = setup.agent("lea", &["--department", "returns"]);
    let mut cleo = setup.queued("Cleo");
    lea.say("/accept 1");
    cleo.until(|event| event["admin"] == "lea");
    let (said, _) = agent(&setup, &["add", "LEA", "--shown-as", "Lea L.", "--lead"]);
    assert!(said.contains("customers see lea as Lea L. now\nlea is a lead now\n"), "{said}");
    // Without options this adds one more terminal, and nothing else changes.
    let code = setup.add_agent("lea", &[]);
    assert_eq!(agent(&setup, &["list"]).0, "lea as Lea L., lead, for returns");
    let mut more = setup.attach("more", Some(&code), &[]);
    more.until_told("notice", "as lea");
    more.say("/agents");
    more.until_told("notice", "lea (customers see Lea L.), lead, for returns  here");
    lea.say("hello");
    assert_eq!(cleo.until_text("hello")["name"], "Lea L.");
    let (said, _) = agent(&setup, &["add", "lea", "--no-lead", "--department", "orders"]);
    assert!(said.contains("lea is no lead any more\nlea serves orders now\n"), "{said}");
    assert_eq!(agent(&setup, &["list"]).0, "lea as Lea L., for orders");
}

#[test]
fn a_list_without_agents_says_so_and_warns_of_a_desk_that_never_ran() {
    let setup = Setup::new();
    let none = "handoff: no agents; 'handoff agent add NAME' adds one";
    let (list, remarks) = agent(&setup, &["list", "--profile", "nope"]);
    let (warning, last) = remarks.split_once('\n').expect("two remarks");
    assert!(warning.contains("no desk with the profile 'nope' has run here yet"), "{warning}");
    assert_eq!((&*list, last), ("", none));
    let _desk = setup.admin(&[]);
    assert_eq!(agent(&setup, &["list"]), (String::new(), none.to_owned()));
    setup.add_agent("lea", &[]);
    assert_eq!(agent(&setup, &["list"]), ("lea".to_owned(), String::new()));
}

#[test]
fn a_code_for_a_desk_that_never_ran_causes_a_warning_and_another_desk_refuses_it() {
    let setup = Setup::new();
    let (said, warning) = agent(&setup, &["add", "robin", "--profile", "shop"]);
    assert!(said.contains("robin is an agent now"), "{said}");
    assert!(warning.contains("no desk with the profile 'shop' has run here yet"), "{warning}");
    // Agents may be added before the desk's first start.
    let code = said.split_whitespace().max_by_key(|word| word.len()).expect("a code");
    let file = setup.keep_code("robin", code);
    let desk = setup.admin(&["--profile", "shop"]);
    let mut robin = setup.attach("robin", Some(&file), &[]);
    robin.until_told("notice", "as robin");
    let (_, warning) = agent(&setup, &["add", "robin", "--profile", "shop"]);
    assert_eq!(warning, "");
    drop((robin, desk));
    let _other = setup.admin(&[]);
    let mut robin = setup.attach("robin", None, &[]);
    let why = robin.until_told("error", "is not the desk that the code is for");
    let why = why["text"].as_str().unwrap_or_default();
    assert!(why.contains("SHA256:") && !why.contains("--fingerprint"), "{why}");
}
