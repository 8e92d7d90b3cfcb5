//! Which requests the gateway accepts, by host, origin, cookie and token.

use std::io::Read;

use flate2::read::GzDecoder;
use rustix::process::Signal;

use crate::support::authority::Authority;
use crate::support::run::Handoff;
use crate::support::setup::Setup;
use crate::support::web::{gateway, send_alone};

/// The cookie that a page of the gateway's own gets, and the conversation.
fn begin(address: &str) -> (String, String) {
    let request = ureq::http::Request::post(format!("http://{address}/api/begin"))
        .header("origin", format!("http://{address}"))
        .body("{}".to_owned())
        .expect("a request");
    let mut response = ureq::run(request).expect("the gateway answers");
    let cookie = response.headers()["set-cookie"].to_str().expect("a text").to_owned();
    let body = response.body_mut().read_to_string().expect("a text");
    assert!(!body.contains("token"), "a page's token stays in its cookie: {body}");
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    (cookie, body["conversation"].as_str().expect("an id").to_owned())
}

#[test]
fn a_page_gets_its_token_in_a_cookie_that_no_script_reads() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let (cookie, _) = begin(&address);
    let (pair, attributes) = cookie.split_once("; ").expect("attributes");
    assert_eq!(pair.len(), "handoff=".len() + 32);
    assert_eq!(attributes, "Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
}

/// A header of the answer to a GET, if it is there.
fn header(url: &str, sent: (&str, &str), name: &str) -> Option<String> {
    let answer = ureq::get(url).header(sent.0, sent.1).call().expect("the gateway answers");
    answer.headers().get(name).map(|value| value.to_str().expect("a text").to_owned())
}

#[test]
fn only_pages_of_the_given_origins_may_show_the_chat_in_a_frame() {
    let setup = Setup::new();
    let shop = "https://www.shop.example";
    for (options, ancestors) in [(&[][..], "'none'"), (&["--origin", shop], shop)] {
        let (_process, address) = gateway(&setup, "127.0.0.1:0", options);
        let policy = |page: &str| {
            let url = format!("http://{address}{page}");
            header(&url, ("accept", "text/html"), "content-security-policy").expect("a policy")
        };
        assert!(policy("/frame").contains(&format!("frame-ancestors {ancestors};")));
        assert!(policy("/chat").contains("frame-ancestors 'none';"));
    }
}

#[test]
fn a_frame_knows_whether_it_is_on_a_page_of_another_site() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let tag = |site: &str| {
        let url = format!("http://{address}/frame");
        assert_eq!(
            header(&url, ("sec-fetch-site", site), "vary").as_deref(),
            Some("Accept-Encoding, Sec-Fetch-Site")
        );
        let request = ureq::get(&url).header("sec-fetch-site", site);
        let page = request.call().expect("a page").body_mut().read_to_string().expect("a text");
        page.split("data-frame=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .map(str::to_owned)
    };
    for (site, wanted) in [
        ("same-origin", "same-site"),
        ("same-site", "same-site"),
        ("cross-site", "cross-site"),
        ("none", "cross-site"),
    ] {
        assert_eq!(tag(site).as_deref(), Some(wanted), "{site}");
    }
}

#[test]
fn the_widgets_scripts_are_for_every_page_and_never_cached_unchecked() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    for name in ["widget.js", "panel.js"] {
        let url = format!("http://{address}/{name}");
        let of = |wanted: &str| header(&url, ("accept-encoding", "br, gzip"), wanted);
        assert_eq!(of("cache-control").as_deref(), Some("no-cache"));
        assert_eq!(of("content-encoding").as_deref(), Some("br"));
        assert_eq!(of("access-control-allow-origin").as_deref(), Some("*"));
        let etag = of("etag").expect("a tag");
        let again = send_alone("GET", &url, &[("if-none-match", &etag)], "");
        assert_eq!(again.status, 304);
    }
}

#[test]
fn files_and_pages_are_the_same_in_every_coding_and_answer_head_requests() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    for name in ["chat", "widget.js"] {
        let url = format!("http://{address}/{name}");
        let get = |coding: &str| {
            let request = ureq::get(&url).header("accept-encoding", coding);
            let mut answer = request.call().expect("the gateway answers");
            assert_eq!(answer.headers()["vary"], "Accept-Encoding");
            let coding = answer.headers().get("content-encoding").cloned();
            let length = answer.headers()["content-length"].clone();
            (answer.body_mut().read_to_vec().expect("a body"), coding, length)
        };
        let (plain, coding, _) = get("identity");
        assert_eq!(coding, None, "{name}");
        let (packed, coding, length) = get("gzip");
        assert_eq!(coding.expect("a coding"), "gzip", "{name}");
        let mut unpacked = Vec::new();
        GzDecoder::new(&*packed).read_to_end(&mut unpacked).expect("gzip");
        assert!(unpacked == plain && packed.len() < plain.len(), "{name}");
        let head = ureq::head(&url).header("accept-encoding", "gzip").call().expect("an answer");
        assert_eq!(head.headers()["content-length"], length, "{name}");
    }
}

#[test]
fn a_page_whose_browser_keeps_no_cookie_gets_its_token_in_the_answer() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let own = format!("http://{address}");
    let request = ureq::http::Request::post(format!("{own}/api/begin"))
        .header("origin", &own)
        .body(r#"{"keep":"token"}"#.to_owned())
        .expect("a request");
    let mut response = ureq::run(request).expect("the gateway answers");
    assert!(!response.headers().contains_key("set-cookie"));
    let body = response.body_mut().read_to_string().expect("a text");
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let bearer = format!("Bearer {}", body["token"].as_str().expect("a token"));
    let headers = [("authorization", &*bearer), ("origin", &*own)];
    let page = send_alone("POST", &format!("{own}/api/page"), &headers, "{}");
    assert_eq!(page.status, 204);
}

#[test]
fn a_request_with_the_cookie_must_come_from_a_page_of_the_gateway() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let (cookie, conversation) = begin(&address);
    let pair = cookie.split(';').next().expect("a pair").to_owned();
    let own = format!("http://{address}");
    let port = address.rsplit(':').next().expect("a port");
    let (local, same) = (format!("http://localhost:{port}"), "same-origin");
    let evil = "https://evil.example";
    for (n, (headers, wanted)) in [
        (vec![("origin", &*own), ("sec-fetch-site", same)], 202),
        (vec![("origin", &*own)], 202),
        (vec![("origin", &*local)], 202),
        (vec![], 403),
        (vec![("origin", "null")], 403),
        (vec![("origin", evil)], 403),
        (vec![("origin", &*own), ("sec-fetch-site", "cross-site")], 403),
        (vec![("origin", &*own), ("sec-fetch-site", "same-site")], 403),
        (vec![("origin", "http://127.0.0.1:1")], 403),
        (vec![("origin", &*format!("{own}.evil.example"))], 403),
    ]
    .into_iter()
    .enumerate()
    {
        let body = format!(r#"{{"id":"{n}","conversation":"{conversation}","text":"line {n}"}}"#);
        let headers = [&[("cookie", &*pair)], &headers[..]].concat();
        let answer = send_alone("POST", &format!("http://{address}/api/say"), &headers, &body);
        assert_eq!(answer.status, wanted, "{headers:?}");
    }
    let foreign = [("origin", evil)];
    let begun = send_alone("POST", &format!("http://{address}/api/begin"), &foreign, "{}");
    assert_eq!(begun.status, 403, "another site begins nothing");
}

/// Sends a request as a browser does for a page of this origin. Returns the status, the body, and
/// the origin with which the answer may be shared.
fn from_page(
    method: &str,
    url: &str,
    origin: &str,
    more: &[(&str, &str)],
    body: &str,
) -> (u16, String, Option<String>, Option<String>) {
    let mut request =
        ureq::http::Request::builder().method(method).uri(url).header("origin", origin);
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent: ureq::Agent = config.allow_non_standard_methods(true).build().into();
    let answer = agent.run(request.body(body.to_owned()).expect("a request"));
    let mut answer = answer.expect("the gateway answers");
    let header =
        |name: &str| answer.headers().get(name).map(|it| it.to_str().expect("a text").to_owned());
    let (shared, cookie) = (header("access-control-allow-origin"), header("set-cookie"));
    let body = answer.body_mut().read_to_string().expect("a text");
    (answer.status().as_u16(), body, shared, cookie)
}

#[test]
fn a_page_of_an_api_origin_uses_the_api_with_a_token_and_no_other_page_does() {
    let setup = Setup::new();
    let app = "https://app.shop.example";
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &["--api-origin", app]);
    let url = |path: &str| format!("http://{address}/api/{path}");
    let asks = [("access-control-request-method", "POST")];
    let (status, _, shared, _) = from_page("OPTIONS", &url("say"), app, &asks, "");
    assert_eq!((status, shared.as_deref()), (204, Some(app)));
    let (status, body, shared, cookie) = from_page("POST", &url("begin"), app, &[], "{}");
    assert_eq!((status, shared.as_deref(), cookie), (200, Some(app), None));
    let begun: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let bearer = format!("Bearer {}", begun["token"].as_str().expect("a token"));
    let line = format!(r#"{{"id":"1","conversation":{},"text":"hi"}}"#, begun["conversation"]);
    let token = [("authorization", &*bearer)];
    let (status, _, shared, _) = from_page("POST", &url("say"), app, &token, &line);
    assert_eq!((status, shared.as_deref()), (202, Some(app)));
    let held = [token[0], ("accept", "application/json")];
    let (status, body, shared, _) = from_page("GET", &url("stream"), app, &held, "");
    assert_eq!((status, shared.as_deref()), (200, Some(app)));
    assert!(body.contains("\"hi\""), "{body}");
    // The cookie is only for the gateway's own page: other origins get nothing with it.
    let (cookie, _) = begin(&address);
    let cookie = [("cookie", cookie.split(';').next().expect("a pair"))];
    assert_eq!(from_page("POST", &url("say"), app, &cookie, &line).0, 401);
    for other in ["https://shop.example", "https://app.shop.example.evil.example", "null"] {
        let (status, _, shared, cookie) = from_page("POST", &url("begin"), other, &[], "{}");
        assert_eq!((status, shared, cookie), (403, None, None), "{other}");
        let (status, _, shared, _) = from_page("OPTIONS", &url("say"), other, &asks, "");
        assert_eq!((status, shared), (405, None), "{other}");
    }
}

#[test]
fn the_gateway_answers_only_for_its_own_hosts() {
    let setup = Setup::new();
    let more = ["--url", "https://chat.shop.example"];
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &more);
    let port = address.rsplit(':').next().expect("a port");
    for (host, wanted) in [
        ("chat.shop.example", 200),
        ("CHAT.shop.example", 200),
        (&*address, 200),
        (&*format!("localhost:{port}"), 200),
        ("evil.example", 421),
        ("chat.shop.example.evil.example", 421),
    ] {
        let url = |path: &str| format!("http://{address}{path}");
        let answer = send_alone("GET", &url("/chat"), &[("host", host)], "");
        assert_eq!(answer.status, wanted, "{host}");
        assert_eq!(send_alone("GET", &url("/healthz"), &[("host", host)], "").status, 200);
    }
}

#[test]
fn an_undeclared_proxy_causes_one_notice_and_its_header_does_not_count() {
    let setup = Setup::new();
    let (mut process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let url = format!("http://{address}/chat");
    for _ in 0..2 {
        send_alone("GET", &url, &[("x-forwarded-for", "192.0.2.1")], "");
    }
    process.until_told("notice", "--trust-proxy 127.0.0.1");
    let (mut other, address) = gateway_of(&setup, "other", &["--trust-proxy", "127.0.0.1"]);
    let begin = |customer: &str| {
        let forwarded = [("x-forwarded-for", customer)];
        send_alone("POST", &format!("http://{address}/api/begin"), &forwarded, "{}").status
    };
    // Behind a trusted proxy each customer has an address of their own.
    assert!((0..100).any(|_| begin("192.0.2.1") == 429));
    assert_eq!(begin("192.0.2.2"), 200);
    assert_eq!(begin("192.0.2.1, 192.0.2.3"), 200);
    assert!(other.events_of("notice").is_empty() && process.events_of("notice").len() == 1);
    other.kill();
}

#[test]
fn the_page_may_load_images_only_from_the_given_hosts() {
    let setup = Setup::new();
    let chat = |address: &str| {
        let mut answer = ureq::get(format!("http://{address}/chat")).call().expect("an answer");
        let policy = &answer.headers()["content-security-policy"];
        let policy = policy.to_str().expect("a text").to_owned();
        // A browser would keep the page and the headers that it got first.
        assert!(!answer.headers().contains_key("etag"));
        (answer.body_mut().read_to_string().expect("a text"), policy)
    };
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let (plain, policy) = chat(&address);
    assert!(plain.contains("data-images=\"\"") && policy.contains("img-src 'self' data:;"));
    let hosts = ["--images", "Images.shop.example", "--images", "cdn.example:8443"];
    let (_process, address) = gateway_of(&setup, "other", &hosts);
    let (page, policy) = chat(&address);
    assert!(page.contains("data-images=\"images.shop.example cdn.example:8443\""), "{page}");
    let sources = "img-src 'self' data: https://images.shop.example https://cdn.example:8443;";
    assert!(policy.contains(sources), "{policy}");
}

/// Another gateway of this setup, with a journal of its own.
fn gateway_of(setup: &Setup, profile: &str, more: &[&str]) -> (Handoff, String) {
    gateway(setup, "127.0.0.1:0", &[&["--profile", profile], more].concat())
}

#[test]
fn over_https_the_cookie_is_for_https_and_this_host_only() {
    let setup = Setup::new();
    let authority = Authority::new();
    let [certificate, key] = authority.vouch_for("localhost");
    let more = ["--tls-cert", &certificate, "--tls-key", &key];
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &more);
    let port = address.rsplit(':').next().expect("a port");
    let base = format!("https://localhost:{port}");
    let agent = trusting(&authority);
    let begin = agent.post(format!("{base}/api/begin")).header("origin", &base);
    let response = begin.send("{}").expect("the gateway answers");
    let cookie = response.headers()["set-cookie"].to_str().expect("a text");
    assert!(cookie.starts_with("__Host-handoff="), "{cookie}");
    assert!(cookie.ends_with("; HttpOnly; Secure; SameSite=Lax"), "{cookie}");
    // HTTP at the HTTPS port gets an answer that a browser can show.
    assert_eq!(send_alone("GET", &format!("http://{address}/chat"), &[], "").status, 400);
}

#[test]
fn a_renewed_certificate_is_used_without_a_restart_and_a_broken_one_is_not() {
    let setup = Setup::new();
    let (former, renewed) = (Authority::new(), Authority::new());
    let [certificate, key] = former.vouch_for("localhost");
    let more = ["--tls-cert", &certificate, "--tls-key", &key];
    let (mut process, address) = gateway(&setup, "127.0.0.1:0", &more);
    let port = address.rsplit(':').next().expect("a port");
    let url = format!("https://localhost:{port}/healthz");
    let is_shown = |authority| trusting(authority).get(&url).call().is_ok();
    assert!(is_shown(&former) && !is_shown(&renewed));
    let [new_certificate, new_key] = renewed.vouch_for("localhost");
    std::fs::copy(&new_certificate, &certificate).expect("it is written");
    std::fs::copy(&new_key, &key).expect("it is written");
    process.signal(Signal::HUP);
    process.until_told("notice", "read again");
    assert!(is_shown(&renewed) && !is_shown(&former));
    std::fs::write(&certificate, "no certificate").expect("it is written");
    process.signal(Signal::HUP);
    process.until_told("error", "the certificate before stays in use");
    assert!(is_shown(&renewed));
}

/// A client that trusts only this authority. Each request has a connection of its own.
fn trusting(authority: &Authority) -> ureq::Agent {
    let pem = std::fs::read(authority.file("ca.pem")).expect("it is there");
    let root = ureq::tls::Certificate::from_pem(&pem).expect("a certificate");
    let tls = ureq::tls::TlsConfig::builder()
        .root_certs(ureq::tls::RootCerts::new_with_certs(&[root]))
        .build();
    ureq::Agent::config_builder().tls_config(tls).build().into()
}

#[test]
fn impossible_options_are_refused_in_one_line() {
    let refused = |more: &[&str]| {
        let fixed = ["web", "--admin", "127.0.0.1:1"];
        let mut process = Handoff::start(&[&fixed[..], more].concat());
        assert_eq!(process.exit_code(), 2, "{more:?}");
        assert_eq!(process.stderr().len(), 1, "{more:?}");
        process.stderr().remove(0)
    };
    assert!(refused(&["--listen", "0.0.0.0:0"]).contains("--url"));
    assert!(refused(&["--listen", "127.0.0.1:0", "--url", "chat.example"]).contains("--url"));
    let with_path = ["--listen", "127.0.0.1:0", "--url", "https://chat.example/x"];
    assert!(refused(&with_path).contains("without path"));
    assert!(refused(&["--listen", "127.0.0.1:0", "--tls-cert", "x"]).contains("--tls-key"));
    assert!(refused(&["--listen", "127.0.0.1:0", "--trust-proxy", "x"]).contains("trust-proxy"));
    for origin in ["app.example", "https://app.example/x", "*"] {
        for option in ["--api-origin", "--origin"] {
            let why = refused(&["--listen", "127.0.0.1:0", option, origin]);
            assert!(why.contains(&format!("{option} {origin}: give an origin")), "{why}");
        }
    }
    for host in ["https://images.example", "*", "images.example/x", ""] {
        assert!(refused(&["--listen", "127.0.0.1:0", "--images", host]).contains("--images"));
    }
}
