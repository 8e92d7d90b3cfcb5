use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crossbeam_channel::unbounded;
use serde_json::{Value, json};

use super::*;

mod crowd;
mod handback;

/// A bot that answers raw bytes. It counts its connections and keeps every whole request.
struct Fake {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// Calls `serve` for each connection, with the whole request.
    fn new(serve: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Fake {
        Fake::raw(move |requests, stream| {
            let request = whole_request(stream);
            requests.lock().unwrap().push(request.clone());
            serve(&request, stream);
        })
    }

    fn raw(serve: impl Fn(&Mutex<Vec<String>>, &mut TcpStream) + Send + Sync + 'static) -> Fake {
        Fake::at(TcpListener::bind("127.0.0.1:0").unwrap(), serve)
    }

    fn at(
        listener: TcpListener,
        serve: impl Fn(&Mutex<Vec<String>>, &mut TcpStream) + Send + Sync + 'static,
    ) -> Fake {
        let address = listener.local_addr().unwrap();
        let (connections, requests) =
            (Arc::new(AtomicUsize::new(0)), Arc::<Mutex<Vec<String>>>::default());
        let (count, kept, serve) = (connections.clone(), requests.clone(), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let (kept, serve) = (kept.clone(), serve.clone());
                thread::spawn(move || serve(&kept, &mut stream.unwrap()));
            }
        });
        Fake { address, connections, requests }
    }

    fn answering(status: &str, body: impl AsRef<[u8]>) -> Fake {
        let bytes = http(status, body.as_ref());
        Fake::new(move |_, stream| drop(stream.write_all(&bytes)))
    }

    fn config(&self) -> Config {
        config(&format!("http://{}", self.address), None)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn request(&self, index: usize) -> String {
        self.requests.lock().unwrap()[index].clone()
    }
}

/// A configuration with times that are short enough for a test.
fn config(url: &str, token: Option<&str>) -> Config {
    let mut config = Config::new(url, token.map(str::to_owned)).unwrap();
    let long = Duration::from_secs(5);
    let (patience, pause) = (Duration::from_millis(300), Duration::from_millis(20));
    config.times = Times { ask: long, give_back: long, patience, pause };
    config
}

fn http(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn whole_request(stream: &mut TcpStream) -> String {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        request.push(byte[0]);
    }
    let head = String::from_utf8(request.clone()).unwrap().to_lowercase();
    let length = head
        .split("content-length: ")
        .nth(1)
        .map_or("0", |rest| rest.split("\r\n").next().unwrap());
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    request.extend(body);
    String::from_utf8(request).unwrap()
}

fn body_of(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn outcome(config: Config, request: Request) -> Outcome {
    let (sender, answers) = unbounded();
    Bot::start(config, sender).send(7, request);
    let answer = answers.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(answer.ticket, 7);
    answer.outcome
}

fn question() -> Request {
    Request::Ask { sender: "c1".into(), text: "hello".into(), metadata: None }
}

fn ask(config: Config) -> Result<Vec<Item>, String> {
    match outcome(config, question()) {
        Outcome::Said(said) => said.map_err(|fault| fault.to_string()),
        other => panic!("{other:?}"),
    }
}

/// An address where nothing listens. On Linux no other test that asks for port 0 can get it.
fn silent_address(last: u8) -> SocketAddr {
    let host = if cfg!(target_os = "linux") { [127, 83, 12, last] } else { [127, 0, 0, 1] };
    TcpListener::bind((std::net::IpAddr::from(host), 0)).unwrap().local_addr().unwrap()
}

#[test]
fn a_question_is_one_request_and_its_answer_is_read() {
    let fake =
        Fake::answering("200 OK", r#"[{"recipient_id":"c1","text":"Hello!"},{"image":"u"}]"#);
    let items = ask(fake.config()).unwrap();
    assert_eq!(items[0].text.as_deref(), Some("Hello!"));
    assert_eq!(items[1].image.as_deref(), Some("u"));
    let request = fake.request(0);
    assert!(request.starts_with("POST /webhooks/rest/webhook HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("\r\nconnection: close\r\n"), "{request}");
    assert_eq!(body_of(&request), json!({"sender": "c1", "message": "hello"}));
    assert_eq!(ask(Fake::answering("200 OK", "[]").config()), Ok(vec![]));
    assert_eq!(fake.connections(), 1);
}

#[test]
fn a_body_of_exactly_the_limit_is_read() {
    let body = format!("[{}]", " ".repeat(BODY_MAX - 2));
    assert_eq!(ask(Fake::answering("200 OK", body).config()), Ok(vec![]));
}

#[test]
fn an_answer_that_is_not_a_rasa_reply_is_called_that() {
    let cases: [(&str, &[u8], &str); 9] = [
        ("500 Internal Server Error", b"oops", "answered 500; its log says why"),
        (
            "404 Not Found",
            b"",
            "answered 404; is its REST channel on ('rest:' in credentials.yml)?",
        ),
        ("204 No Content", b"", "answered 204"),
        (
            "200 OK",
            b"<html>hi</html>",
            "not a Rasa reply: text that is not JSON (expected value at line 1 column 1)",
        ),
        ("200 OK", b"null", "not a Rasa reply: null where an array of messages is due"),
        (
            "200 OK",
            b"{\"text\":\"x\"}",
            "not a Rasa reply: an object where an array of messages is due",
        ),
        ("200 OK", b"[{\"text\":\"\xff\"}]", "not a Rasa reply: bytes that are not UTF-8"),
        (
            "200 OK",
            b"",
            "not a Rasa reply: text that is not JSON \
             (EOF while parsing a value at line 1 column 0)",
        ),
        ("200 OK", &[b' '; BODY_MAX + 1], "answered with more than 1 MiB"),
    ];
    for (status, body, sentence) in cases {
        let fake = Fake::answering(status, body);
        let error = ask(fake.config()).unwrap_err();
        assert!(
            error.starts_with(&format!("the bot at http://{} answered", fake.address)),
            "{error}"
        );
        assert!(error.ends_with(sentence), "{error}");
        assert_eq!(fake.connections(), 1, "{error}");
    }
}

#[test]
fn a_url_with_a_part_of_the_webhooks_path_names_the_whole_path() {
    for (path, whole) in
        [("/rasa/", "/rasa/webhooks/rest/webhook"), ("/bot", "/bot/webhooks/rest/webhook")]
    {
        for status in ["404 Not Found", "405 Method Not Allowed"] {
            let fake = Fake::answering(status, "");
            let there = format!("http://{}", fake.address);
            let error = ask(config(&format!("{there}{path}"), None)).unwrap_err();
            assert!(
                error.starts_with(&format!("the bot answered {} at {there}{path}, ", &status[..3])),
                "{error}"
            );
            let remedy = format!("give the whole webhook path, such as {there}{whole}");
            assert!(error.ends_with(&remedy), "{error}");
        }
    }
    let fake = Fake::answering("405 Method Not Allowed", "");
    let error = ask(config(&format!("http://{}/rasa/webhooks/rest/webhook", fake.address), None))
        .unwrap_err();
    assert!(error.ends_with("is its REST channel on ('rest:' in credentials.yml)?"), "{error}");
}

#[test]
fn the_bot_is_left_when_its_answer_has_no_end() {
    let fake = Fake::new(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b' '; 4096]).is_ok() {}
    });
    assert!(ask(fake.config()).unwrap_err().ends_with("answered with more than 1 MiB"));
}

#[test]
fn an_answer_of_a_gibibyte_is_read_only_up_to_the_limit() {
    let written = Arc::new(AtomicUsize::new(0));
    let count = written.clone();
    let fake = Fake::new(move |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n");
        while stream.write_all(&[b' '; 4096]).is_ok() {
            count.fetch_add(4096, Ordering::SeqCst);
        }
    });
    assert!(ask(fake.config()).unwrap_err().ends_with("answered with more than 1 MiB"));
    // The system's socket buffers hold little compared to this.
    assert!(written.load(Ordering::SeqCst) < 64 * BODY_MAX, "{written:?}");
}

#[test]
fn a_compressed_answer_is_not_unpacked() {
    // These ten bytes begin every gzip stream. One KiB of gzip could unpack to one MiB.
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";
    for coding in ["gzip", "deflate", "br"] {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\n\r\n",
            gzip.len()
        );
        let fake =
            Fake::new(move |_, stream| drop(stream.write_all(&[head.as_bytes(), gzip].concat())));
        assert!(ask(fake.config()).unwrap_err().ends_with("bytes that are not UTF-8"));
        assert!(!fake.request(0).to_lowercase().contains("accept-encoding"), "{}", fake.request(0));
    }
}

#[test]
fn the_bot_is_left_when_its_headers_have_no_end() {
    let floods: [(&[u8], &[u8]); 3] = [
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nx: ", &[b'y'; 4096]),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ];
    for (start, flood) in floods {
        let fake = Fake::new(move |_, stream| {
            let _ = stream.write_all(start);
            while stream.write_all(flood).is_ok() {}
        });
        let mut config = fake.config();
        config.times.ask = Duration::from_secs(2);
        let (since, error) = (Instant::now(), ask(config).unwrap_err());
        assert!(
            error.contains("broke: ") || error.ends_with("gave no answer within 2 s"),
            "{error}"
        );
        assert!(since.elapsed() < Duration::from_secs(4), "{error}: {:?}", since.elapsed());
        assert_eq!(fake.connections(), 1, "{error}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Fake::answering("200 OK", "[]");
    let head = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
        elsewhere.address
    );
    let fake = Fake::new(move |_, stream| drop(stream.write_all(head.as_bytes())));
    let error = ask(fake.config()).unwrap_err();
    assert!(
        error.ends_with("answered 302; redirects are not followed, give the final URL"),
        "{error}"
    );
    assert_eq!((fake.connections(), elsewhere.connections()), (1, 0));
}

#[test]
fn a_bot_that_hangs_or_drips_is_left_at_the_deadline() {
    let drips: [&[u8]; 3] =
        [b"", b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n["];
    for (start, drip) in drips.into_iter().zip([&b""[..], b"x", b" "]) {
        let fake = Fake::new(move |_, stream| {
            let _ = stream.write_all(start);
            while stream.write_all(drip).is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        let mut config = fake.config();
        config.times.ask = Duration::from_millis(500);
        let since = Instant::now();
        let error = ask(config).unwrap_err();
        assert!(error.ends_with("gave no answer within 0.5 s"), "{error}");
        assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
        assert_eq!(fake.connections(), 1);
    }
}

#[test]
fn a_connection_that_breaks_after_the_request_is_not_tried_again() {
    // Unread bytes at the close make the kernel send a reset.
    let reset = Fake::raw(|_, stream| drop(stream.read(&mut [0; 10])));
    let error = ask(reset.config()).unwrap_err();
    assert!(error.contains("broke: connection reset") || error.contains("hung up"), "{error}");
    assert_eq!(reset.connections(), 1);

    let hangs_up = Fake::new(|_, _| ());
    assert!(
        ask(hangs_up.config())
            .unwrap_err()
            .ends_with("broke: it hung up before its answer was whole")
    );
    let half = Fake::new(|_, stream| {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[{"))
    });
    assert!(
        ask(half.config()).unwrap_err().ends_with("broke: it hung up before its answer was whole")
    );
    let other = Fake::new(|_, stream| drop(stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")));
    assert!(ask(other.config()).unwrap_err().contains("broke: its answer is not HTTP"));
    assert_eq!((hangs_up.connections(), half.connections(), other.connections()), (1, 1, 1));
}

#[test]
fn a_bot_where_nothing_listens_is_tried_for_a_while() {
    let url = format!("http://{}", silent_address(7));
    let since = Instant::now();
    let error = ask(config(&url, None)).unwrap_err();
    let sentence = "connection refused; is Rasa running? ('handoff demo' needs none)";
    assert_eq!(error, format!("cannot reach the bot at {url}: {sentence}"));
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn an_unknown_host_is_named() {
    // The resolver itself refuses a label of 64 letters, so no name server is asked.
    let host = "a".repeat(64);
    let error = ask(config(&format!("http://{host}:5005"), None)).unwrap_err();
    assert!(error.starts_with(&format!("cannot find the bot's host '{host}': ")), "{error}");
}

#[test]
fn a_bot_that_starts_meanwhile_is_reached() {
    let address = silent_address(8);
    let starting = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        let (mut stream, _) = TcpListener::bind(address).unwrap().accept().unwrap();
        whole_request(&mut stream);
        stream.write_all(&http("200 OK", b"[]")).unwrap();
    });
    let mut config = config(&format!("http://{address}"), None);
    config.times.patience = Duration::from_secs(5);
    assert_eq!(ask(config), Ok(vec![]));
    starting.join().unwrap();
}

#[test]
fn a_bot_that_speaks_no_tls_is_said_to_fail_at_tls() {
    let fake = Fake::raw(|_, stream| drop(stream.write_all(&http("200 OK", b"[]"))));
    let error = ask(config(&format!("https://{}", fake.address), None)).unwrap_err();
    assert!(error.starts_with("cannot talk TLS with the bot at https://"), "{error}");
    assert_eq!(fake.connections(), 1);
}

#[test]
fn proxies_of_the_environment_are_ignored() {
    let trap = Fake::answering("200 OK", "[]");
    let proxy = format!("http://{}", trap.address);
    let mut child = Command::new(std::env::current_exe().unwrap());
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    {
        child.env(name, &proxy);
    }
    let test = "bot::tests::a_question_is_one_request_and_its_answer_is_read";
    let output = child
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .args(["--exact", test])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    assert_eq!(trap.connections(), 0);
}

#[test]
fn the_url_is_checked_and_completed() {
    let made = |url: &str| {
        let config = Config::new(url, None).unwrap();
        (config.webhook, config.api)
    };
    let pair = |webhook: &str, api: &str| (webhook.to_owned(), api.to_owned());
    let default = pair("http://localhost:5005/webhooks/rest/webhook", "http://localhost:5005");
    assert_eq!(made("http://localhost:5005"), default);
    assert_eq!(made("http://localhost:5005/"), default);
    assert_eq!(
        made("https://h/rasa/webhooks/rest/webhook"),
        pair("https://h/rasa/webhooks/rest/webhook", "https://h/rasa")
    );
    assert_eq!(made("http://[::1]:5005/hook"), pair("http://[::1]:5005/hook", "http://[::1]:5005"));
    assert_eq!(Config::new("http://localhost:5005/", None).unwrap().url(), "http://localhost:5005");

    let refused = |url: &str| Config::new(url, None).unwrap_err();
    for url in [
        "",
        "localhost:5005",
        "localhost",
        "ftp://x",
        "/x",
        "http://",
        "http://:5005",
        "http://h:99999",
        "http://h:",
        "http://h:0",
        "http://a b",
    ] {
        let error = refused(url);
        assert!(
            error.starts_with("the bot's URL '") && error.ends_with("like http://localhost:5005"),
            "{url}: {error}"
        );
    }
    for url in ["http://me:s3cret@h:5005", "http://h/?token=s3cret", "http://h/#s3cret"] {
        assert!(!refused(url).contains("s3cret"), "{}", refused(url));
    }
}

#[test]
fn an_unencrypted_token_to_another_machine_causes_a_warning_that_does_not_show_it() {
    let warning =
        |url: &str, token: &str| Config::new(url, Some(token.to_owned())).unwrap().warning();
    for here in [
        "localhost:5005",
        "LOCALHOST",
        "rasa.localhost",
        "127.0.0.1:5005",
        "127.9.9.9",
        "[::1]:5005",
        "[::ffff:127.0.0.1]",
    ] {
        assert_eq!(warning(&format!("http://{here}"), "s3cret"), None, "{here}");
    }
    for there in
        ["rasa.example:5005", "192.0.2.1:5005", "[2001:db8::1]", "0.0.0.0", "localhost.example"]
    {
        let said = warning(&format!("http://{there}"), "s3cret").unwrap();
        assert!(
            said.contains(there) && said.contains("https://") && !said.contains("s3cret"),
            "{said}"
        );
        assert_eq!(warning(&format!("https://{there}"), "s3cret"), None, "{there}");
        assert_eq!(warning(&format!("http://{there}"), " "), None, "{there}");
    }
}

#[test]
fn every_fault_is_one_sentence() {
    let peer = || "http://h:1".to_owned();
    let faults = [
        Fault::NotFound { host: "nosuch".into(), why: "no such name".into() },
        Fault::Unreachable { peer: peer(), why: "network unreachable".into(), refused: false },
        Fault::Insecure { peer: peer(), why: "unknown issuer".into(), unknown: false },
        Fault::Slow { peer: peer(), within: ASK_WITHIN },
    ];
    let sentences = [
        "cannot find the bot's host 'nosuch': no such name",
        "cannot reach the bot at http://h:1: network unreachable",
        "cannot talk TLS with the bot at http://h:1: unknown issuer",
        "the bot at http://h:1 gave no answer within 30 s",
    ];
    assert_eq!(faults.map(|fault| fault.to_string()), sentences);
}
