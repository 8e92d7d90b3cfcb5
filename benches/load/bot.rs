//! The time that many customers wait for one bot, and the cost of an answer over a new connection
//! compared with a kept one.
//!
//! The bot has a thread for each connection in this process. It speaks HTTP/1.1 as Rasa does, in
//! plaintext or over TLS, and keeps a connection open if the other side wants that.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use handoff::bot::{Answer, Bot, Config, Outcome, Request};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::broken::{Broken, broken};
use crate::extent::Extent;
use crate::table::{Row, Sample};

/// Number of conversations at one bot.
const CUSTOMERS: u64 = 500;
/// The time that this bot takes for an answer.
const THINKING: Duration = Duration::from_millis(100);
/// The time between two questions of a customer in the even pace.
const BETWEEN: Duration = Duration::from_secs(10);
/// The time for which the even pace is measured.
const PACED: Duration = Duration::from_secs(5);
/// Number of answers over each kind of connection in a round.
const ANSWERS: usize = 300;

/// Runs all measures of this file.
pub(crate) fn measure(extent: &Extent) -> Result<Vec<Row>, Broken> {
    let mut rows = vec![burst("3", extent)?, burst("32", extent)?, pace()?, refused(extent)?];
    for tls in [None, Some(Tls::new()?)] {
        rows.push(prices(extent, tls.as_ref())?);
    }
    Ok(rows)
}

/// All customers ask at the same moment.
fn burst(askers: &str, extent: &Extent) -> Result<Row, Broken> {
    let url = serve(THINKING, None)?;
    let (mut middle, mut last) = (Sample::default(), Sample::default());
    for _ in 0..extent.queues {
        let crowd = Crowd::new(Config::new(&url, None)?.with_askers(askers.parse()?));
        let start = Instant::now();
        (0..CUSTOMERS).for_each(|customer| crowd.ask(customer));
        let mut heard = Sample::default();
        for _ in 0..CUSTOMERS {
            crowd.answer()?.1?;
            heard.add(start.elapsed().as_secs_f64());
        }
        middle.add(heard.median());
        last.add(start.elapsed().as_secs_f64());
    }
    Ok(Row {
        measure: format!("500 customers ask a bot of 100 ms at once, {askers} askers: the last"),
        goal: String::new(),
        measured: format!("{:.2} s ({})", last.median(), last.spread(2)),
        scale: format!("the middle one {:.2} s", middle.median()),
        reached: None,
    })
}

/// The customers ask one after the other, each once in ten seconds.
fn pace() -> Result<Row, Broken> {
    let crowd = Crowd::new(Config::new(&serve(THINKING, None)?, None)?);
    let step = BETWEEN / u32::try_from(CUSTOMERS)?;
    let (start, mut asked, mut heard) = (Instant::now(), Vec::new(), Sample::default());
    let count = (PACED.as_secs_f64() / step.as_secs_f64()) as usize;
    for answered in 0..count {
        let (customer, result) = loop {
            let due = start + step * u32::try_from(asked.len())?;
            match crowd.answers.recv_deadline(due) {
                Ok(answer) => break said(answer),
                Err(RecvTimeoutError::Timeout) if asked.len() < count => {
                    asked.push(Instant::now());
                    crowd.ask(asked.len() as u64 - 1);
                }
                Err(RecvTimeoutError::Timeout) => break crowd.answer()?,
                Err(gone) => return Err(broken(format!("{gone} after {answered}")).into()),
            }
        };
        result?;
        heard.add(asked[usize::try_from(customer)?].elapsed().as_secs_f64() * 1e3);
    }
    Ok(Row {
        measure: "500 customers, each asks a bot of 100 ms every 10 s: to the answer, p50".into(),
        goal: String::new(),
        measured: format!("{:.1} ms ({})", heard.median(), heard.spread(1)),
        scale: format!("{count} answers at {:.0} a second", 1.0 / step.as_secs_f64()),
        reached: None,
    })
}

/// All customers ask a bot that refuses connections.
fn refused(extent: &Extent) -> Result<Row, Broken> {
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut last = Sample::default();
    for _ in 0..extent.queues {
        let crowd = Crowd::new(Config::new(&format!("http://{nobody}"), None)?);
        let start = Instant::now();
        (0..CUSTOMERS).for_each(|customer| crowd.ask(customer));
        for _ in 0..CUSTOMERS {
            let (_, result) = crowd.answer()?;
            result.err().ok_or_else(|| broken("somebody listens there"))?;
        }
        last.add(start.elapsed().as_secs_f64());
    }
    Ok(Row {
        measure: "500 customers ask a bot that refuses: the last hears it".into(),
        goal: "<= 5.00 s".into(),
        measured: format!("{:.2} s ({})", last.median(), last.spread(2)),
        scale: "connecting is tried for 3 s".into(),
        reached: Some(last.median() <= 5.0),
    })
}

/// One answer after the other from a bot that takes no time, in three ways: as handoff asks, with
/// ureq over new connections, and with ureq over a kept connection.
fn prices(extent: &Extent, tls: Option<&Tls>) -> Result<Row, Broken> {
    let url = serve(Duration::ZERO, tls.map(|tls| tls.server.clone()))?;
    let mut config = Config::new(&url, None)?;
    let mut roots = RootCerts::WebPki;
    if let Some(tls) = tls {
        config = config.trusting(std::slice::from_ref(&tls.authority));
        let authority = Certificate::from_der(&tls.authority).to_owned();
        roots = RootCerts::from([authority]);
    }
    let agent = |idle| -> Agent {
        let trusted = TlsConfig::builder().root_certs(roots.clone()).build();
        let builder = Agent::config_builder().tls_config(trusted);
        builder.proxy(None).max_idle_connections(idle).build().into()
    };
    let crowd = Crowd::new(config);
    let (new, kept) = (agent(0), agent(1));
    let post = |agent: &Agent, connection| -> Result<(), Broken> {
        let request = agent.post(format!("{url}/webhooks/rest/webhook"));
        let request = request.header("Connection", connection);
        request.send(r#"{"sender":"0","message":"hello"}"#)?.body_mut().read_to_vec()?;
        Ok(())
    };
    let mut times = [(); 3].map(|()| Sample::default());
    for _ in 0..extent.rounds {
        let mut round = [(); 3].map(|()| Sample::default());
        // One after the other, so that other work of the machine disturbs all three.
        for _ in 0..ANSWERS {
            let mut at = Instant::now();
            crowd.ask(0);
            crowd.answer()?.1?;
            round[0].add(lap(&mut at));
            post(&new, "close")?;
            round[1].add(lap(&mut at));
            post(&kept, "keep-alive")?;
            round[2].add(lap(&mut at));
        }
        times.iter_mut().zip(round).for_each(|(times, round)| times.add(round.median()));
    }
    let [ours, new, kept] = &times;
    Ok(Row {
        measure: format!(
            "an answer over a new connection ({}), more than over a kept one",
            if tls.is_some() { "https" } else { "http" }
        ),
        goal: String::new(),
        measured: format!("{:.0} us", ours.median() - kept.median()),
        scale: format!(
            "handoff's {:.0} us ({}); new {:.0} us ({}); kept {:.0} us ({})",
            ours.median(),
            ours.spread(0),
            new.median(),
            new.spread(0),
            kept.median(),
            kept.spread(0)
        ),
        reached: None,
    })
}

/// The microseconds since `since`, which is set to now.
fn lap(since: &mut Instant) -> f64 {
    let now = Instant::now();
    now.duration_since(std::mem::replace(since, now)).as_secs_f64() * 1e6
}

/// The customers of one bot, and the channel of its answers.
struct Crowd {
    bot: Bot,
    answers: Receiver<Answer>,
}

impl Crowd {
    fn new(config: Config) -> Crowd {
        let (sender, answers) = unbounded();
        Crowd { bot: Bot::start(config, sender), answers }
    }

    fn ask(&self, customer: u64) {
        let (sender, text) = (format!("customer-{customer}"), "hello".to_owned());
        self.bot.send(customer, Request::Ask { sender, text, metadata: None });
    }

    fn answer(&self) -> Result<(u64, io::Result<()>), Broken> {
        Ok(said(self.answers.recv()?))
    }
}

fn said(answer: Answer) -> (u64, io::Result<()>) {
    let result = match answer.outcome {
        Outcome::Said(said) => said.map(drop),
        Outcome::Returned(taken) => taken.map(drop),
    };
    (answer.ticket, result.map_err(|fault| broken(fault.to_string())))
}

/// A certificate authority, and the TLS server whose certificate it has signed.
struct Tls {
    authority: CertificateDer<'static>,
    server: Arc<ServerConfig>,
}

impl Tls {
    fn new() -> Result<Tls, Broken> {
        let (ca, key) = (KeyPair::generate()?, KeyPair::generate()?);
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&ca)?.der().clone();
        let leaf = CertificateParams::new(["localhost".to_owned()])?
            .signed_by(&key, &Issuer::from_params(&params, &ca))?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(broken)?;
        let server = ServerConfig::builder().with_no_client_auth();
        let server = server.with_single_cert(vec![leaf.der().clone()], key)?;
        Ok(Tls { authority, server: Arc::new(server) })
    }
}

/// Starts a bot that takes this long for each answer. Returns its URL.
fn serve(thinking: Duration, tls: Option<Arc<ServerConfig>>) -> Result<String, Broken> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let SocketAddr::V4(address) = listener.local_addr()? else {
        return Err(broken("not the address that was asked for").into());
    };
    let url = match tls {
        Some(_) => format!("https://localhost:{}", address.port()),
        None => format!("http://{address}"),
    };
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tls = tls.clone();
            thread::spawn(move || -> io::Result<()> {
                stream.set_nodelay(true)?;
                let Some(tls) = tls else { return answer(stream, thinking) };
                let tls = ServerConnection::new(tls).map_err(io::Error::other)?;
                answer(StreamOwned::new(tls, stream), thinking)
            });
        }
    });
    Ok(url)
}

/// Answers the requests of one connection until the other side closes it or asks to.
fn answer(mut stream: impl Read + Write, thinking: Duration) -> io::Result<()> {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
        content-length: 37\r\n\r\n[{\"recipient_id\":\"0\",\"text\":\"hello\"}]";
    let mut request = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        request.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.split("content-length: ").nth(1).and_then(|it| it.lines().next());
        if length.and_then(|it| it.parse().ok()).is_none_or(|length: usize| body.len() < length) {
            continue;
        }
        thread::sleep(thinking);
        stream.write_all(ANSWER)?;
        if head.contains("connection: close") {
            return Ok(());
        }
        request.clear();
    }
}
