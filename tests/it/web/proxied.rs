//! The gateway behind nginx, with the configuration in docs/WEB.md and with options of nginx that
//! affect streams.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::home::{Home, nobody_at};
use crate::support::machine::can;
use crate::support::run::WITHIN;
use crate::support::setup::Setup;
use crate::support::web::{Customer, gateway};

/// An nginx in front of a gateway. It is killed when this value is dropped.
pub(super) struct Nginx {
    child: Child,
    pub(super) address: String,
    _home: Home,
}

impl Nginx {
    /// `more` are directives beside `proxy_pass`.
    #[track_caller]
    pub(super) fn before(upstream: &str, more: &str) -> Nginx {
        let (home, address) = (Home::new(), nobody_at());
        let folder = home.0.display().to_string();
        let config = format!(
            "daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
             events {{}}
             http {{
                 access_log off;
                 client_header_timeout 1s; client_body_timeout 1s;
                 client_body_temp_path {folder}; proxy_temp_path {folder};
                 fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
                 server {{
                     listen {address};
                     location / {{ proxy_pass http://{upstream}; {more} }}
                 }}
             }}"
        );
        let file = home.0.join("nginx.conf");
        fs::write(&file, config).expect("the folder is ours");
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&home.0).arg("-c").arg(&file);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("nginx starts");
        let deadline = Instant::now() + WITHIN;
        while TcpStream::connect(&address).is_err() {
            assert!(Instant::now() < deadline, "nginx never listened");
            std::thread::yield_now();
        }
        Nginx { child, address, _home: home }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM ends its workers, too.
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::TERM,
        );
        let _ = self.child.wait();
    }
}

#[test]
fn a_handoff_works_through_nginx_with_nothing_but_proxy_pass_and_with_compression() {
    if !can(&["nginx", "-v"]) {
        return;
    }
    for more in [
        "",
        "gzip on; gzip_types *; gzip_min_length 0; gzip_proxied any;",
        "proxy_http_version 1.1; proxy_set_header Connection \"\";",
    ] {
        let setup = Setup::new();
        let mut admin = setup.admin(&["--auto-accept"]);
        let (_gateway, upstream) = gateway(&setup, "127.0.0.1:0", &["--trust-proxy", "127.0.0.1"]);
        let nginx = Nginx::before(&upstream, more);
        let customer = Customer::begin(&nginx.address);
        let mut stream = customer.stream(None);
        customer.say("1", "a human");
        stream.until_state("active");
        admin.until_state("active");
        let since = Instant::now();
        admin.say("hi");
        stream.until_text("hi");
        assert!(since.elapsed() < Duration::from_secs(2), "'{more}' keeps small events back");
        customer.say("2", "thanks");
        admin.until_text("thanks");
        assert_eq!(customer.post("end", "3", json!({})).status, 202);
        stream.until_state("closed");
    }
}

#[test]
fn many_connections_that_a_proxy_opens_at_once_are_all_served() {
    let setup = Setup::new();
    let (_process, address) = gateway(&setup, "127.0.0.1:0", &[]);
    let connect = |_| TcpStream::connect(&address).expect("it listens");
    let connections: Vec<TcpStream> = (0..300).map(connect).collect();
    for (at, mut connection) in connections.into_iter().enumerate() {
        let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        connection.write_all(request).expect("it is open");
        let mut answer = [0; 12];
        connection
            .read_exact(&mut answer)
            .unwrap_or_else(|error| panic!("connection {at}: {error}"));
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}
