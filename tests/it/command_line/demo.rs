//! `handoff demo` and `handoff bot`: one command starts them, and no process or file stays.

use rustix::process::Signal;

use crate::support::run::Handoff;

#[test]
fn the_demo_through_a_pipe_plays_and_checks_both_sides_and_leaves_no_file() {
    for arguments in [&["demo"][..], &["demo", "--script"]] {
        let mut demo = Handoff::start(arguments);
        demo.close_stdin();
        assert_eq!(demo.exit_code(), 0);
        let out = demo.stdout();
        for side in ["customer", "    desk"] {
            let said = |text: &str| out.contains(&format!("{side} │ {text}"));
            assert!(said("user  my order 17 is late"), "{out:?}");
            assert!(said("admin It is on its way. Back to the bot!"), "{out:?}");
            assert!(said("admin You are welcome."), "{out:?}");
        }
        assert!(out.iter().any(|line| line.contains("you said \"my order 17 is late\"")));
        assert_eq!(
            out.iter()
                .filter(|line| line.starts_with("customer") && line.ends_with("----- active"))
                .count(),
            2
        );
        assert!(
            out.last().is_some_and(|line| line.contains("every line once and in order")),
            "{out:?}"
        );
        assert_eq!(demo.stderr(), [] as [String; 0]);
        assert_eq!((demo.still_here(), demo.home_files().len()), (Vec::new(), 0), "a file stays");
    }
}

#[test]
fn a_demo_ends_when_its_reader_closes_the_pipe() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut demo = Handoff::start_with(&["demo"], |command| {
        command.stdout(writer);
    });
    drop(reader);
    demo.exit_code();
    assert!(!demo.stderr().iter().any(|line| line.contains("panicked")), "{:?}", demo.stderr());
    assert_eq!(demo.still_here(), [] as [u32; 0], "a process stays");
}

#[test]
fn a_demo_that_is_ended_leaves_no_process_behind() {
    let mut demo = Handoff::start(&["demo"]);
    demo.until_out(|line| line.contains("hello"));
    demo.signal(Signal::TERM);
    demo.exit_code();
    // All processes of the demo share its stderr. It is at its end, so all of them have ended.
    assert_eq!(demo.still_here(), [] as [u32; 0], "a process stays");
}

#[test]
fn the_built_in_bot_prints_its_address_as_text_and_as_json() {
    let mut plain = Handoff::start(&["bot", "--listen", "127.0.0.1:0"]);
    let line = plain.until_err(|line| line.contains("listening on http://127.0.0.1:"));
    assert!(line.starts_with("handoff: "), "{line}");
    let mut json = Handoff::bot();
    let url = json.url();
    let ready = json.events().remove(0);
    assert_eq!((ready["event"].as_str(), ready["mode"].as_str()), (Some("ready"), Some("bot")));
    let mut user = Handoff::plain_user("127.0.0.1:1", &url, &[]);
    user.script("hi\n");
    assert_eq!(user.exit_code(), 0);
    json.signal(Signal::TERM);
    json.exit_code();
}

#[test]
fn the_demo_for_browsers_prints_its_links_and_leaves_nothing_behind() {
    let mut demo = Handoff::start(&["demo", "--web"]);
    let customer = demo.until_out(|line| line.starts_with("The customer, in a browser:"));
    let url = customer.rsplit(' ').next().expect("a link").to_owned();
    let shop = demo.until_out(|line| line.starts_with("The customer, on a shop's page:"));
    let shop = shop.rsplit(' ').next().expect("a link").to_owned();
    let agent = demo.until_out(|line| line.starts_with("The agent, in another terminal:"));
    assert!(agent.contains(" admin --listen 127.0.0.1:"), "{agent}");
    assert!(agent.ends_with(" --name Robin"), "the customer reads a name: {agent}");
    let page = ureq::get(&url).call().expect("the page is there");
    assert_eq!(page.status(), 200);
    let mut shop = ureq::get(&shop).call().expect("the shop is there");
    let shop = shop.body_mut().read_to_string().expect("a page is text");
    let script = url.replace("/chat", "/widget.js");
    assert!(shop.contains(&format!("<script src=\"{script}\" async>")), "{shop}");
    assert_eq!(ureq::get(&script).call().expect("the script is there").status(), 200);
    demo.signal(Signal::TERM);
    assert_eq!(demo.exit_code(), 143);
    assert_eq!(demo.still_here(), [0; 0]);
    assert_eq!(demo.home_files(), [] as [std::path::PathBuf; 0]);
}
