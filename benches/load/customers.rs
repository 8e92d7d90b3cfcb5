//! The load: customers who speak the real wire, all in this process.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use handoff::wire::{
    self, Asked, Author, Body, ConversationId, Decoder, DeskId, Entry, Hello, Message, Number,
    Request, Said, Secret, VERSION,
};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::broken::{Broken, broken};
use crate::server::{Server, What};
use crate::stream::Stream;
use crate::table::Sample;

/// The customers of the flood, and the entries that each has in flight.
const CUSTOMERS: usize = 100;
const IN_FLIGHT: u64 = 16;
/// The connections that are opened at the same time.
const AT_ONCE: usize = 64;
/// The text of each message: a hundred bytes.
pub(crate) const TEXT: &str = "My order of last week has not come yet, and the page says that it \
    was delivered on Monday; what now?";

/// One customer's connection.
pub(crate) struct Customer {
    stream: Stream,
    decoder: Decoder,
    out: Vec<u8>,
    /// The highest number that was sent, and the highest that was acked.
    last_sent: Number,
    last_acked: Number,
    is_welcomed: bool,
    /// The desk that sent its welcome.
    desk: Option<DeskId>,
    /// How many of its entries are lines of an agent.
    lines_received: u64,
    /// Whether an agent has this customer.
    is_active: bool,
}

impl Customer {
    /// A connection on which nothing was sent yet.
    pub(crate) fn open(server: &Server) -> Result<Customer, Broken> {
        let mut decoder = Decoder::default();
        decoder.accept();
        Ok(Customer {
            stream: Stream::open(server)?,
            decoder,
            out: Vec::new(),
            last_sent: 0,
            last_acked: 0,
            is_welcomed: false,
            desk: None,
            lines_received: 0,
            is_active: false,
        })
    }

    /// A customer who has asked for an agent and waits in the queue.
    pub(crate) fn queued(server: &Server) -> Result<Customer, Broken> {
        let mut customer = Customer::open(server)?;
        customer.hello(0);
        customer.request();
        customer.flush()?;
        while customer.last_acked < customer.last_sent {
            customer.read(&mut [0; 4096])?;
        }
        Ok(customer)
    }

    /// Sends `count` entries, each after the ack of the one before; to an echo (`is_acked` is
    /// false), each after the one before has come back.
    pub(crate) fn trips(
        &mut self,
        count: usize,
        pause: Duration,
        is_acked: bool,
        times: &mut Sample,
    ) -> Result<(), Broken> {
        let mut buffer = [0; 4096];
        for _ in 0..count {
            if !pause.is_zero() {
                thread::sleep(pause);
            }
            self.say();
            let size = self.out.len();
            let since = Instant::now();
            self.flush()?;
            if is_acked {
                while self.last_acked < self.last_sent {
                    self.read(&mut buffer)?;
                }
            } else {
                self.stream.read_exact(&mut buffer[..size])?;
            }
            times.add(since.elapsed().as_secs_f64());
        }
        Ok(())
    }

    fn hello(&mut self, newest: Number) {
        let mut random = [0; 48];
        getrandom::fill(&mut random).expect("the system has random bytes");
        let (id, secret) = random.split_at(16);
        let hello = Hello {
            version: VERSION,
            conversation: ConversationId::new(id.try_into().expect("16 bytes")),
            secret: Secret::new(secret.try_into().expect("32 bytes")),
            name: None,
            received: Default::default(),
            newest,
            features: Vec::new(),
            gateway: None,
            former: None,
            is_here: None,
        };
        wire::encode(&Message::Hello(Box::new(hello)), &mut self.out);
    }

    fn request(&mut self) {
        self.entry(Body::Requested(Request::default()));
    }

    fn say(&mut self) {
        self.entry(Body::Message(Said::text(Author::User, TEXT)));
    }

    fn entry(&mut self, body: Body) {
        self.last_sent += 1;
        let entry = Entry { number: self.last_sent, at: 1_760_000_000_000, body };
        wire::encode(&Message::Entry(entry), &mut self.out);
    }

    /// Writes the waiting bytes. They are few: a socket that does not take them all is an error.
    fn flush(&mut self) -> Result<(), Broken> {
        if !self.out.is_empty() {
            self.stream.write_all(&self.out)?;
            self.out.clear();
        }
        Ok(())
    }

    /// Reads once, and handles acks and the welcome.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Broken> {
        let count = match self.stream.read(buffer) {
            Ok(0) => return Err(broken("the desk hung up").into()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        self.decoder.push(buffer[..count].to_vec());
        while let Some(message) = self.decoder.message()? {
            match message {
                Message::Ack { number } => self.last_acked = number,
                Message::Welcome(welcome) => {
                    (self.is_welcomed, self.desk) = (true, Some(welcome.desk));
                }
                Message::Entry(entry) => self.receive(&entry),
                Message::Bye { text, .. } => return Err(broken(text).into()),
                _ => {}
            }
        }
        Ok(count)
    }
}

/// A customer who gets an agent.
impl Customer {
    /// Says a line.
    pub(crate) fn say_now(&mut self, text: &str) -> Result<(), Broken> {
        self.entry(Body::Message(Said::text(Author::User, text)));
        self.flush()
    }

    /// Sends a sign of life.
    pub(crate) fn ping(&mut self) -> Result<(), Broken> {
        wire::encode(&Message::Ping {}, &mut self.out);
        self.flush()
    }

    /// Whether an agent has this customer.
    pub(crate) fn is_active(&self) -> bool {
        self.is_active
    }

    /// Waits until an agent has this customer.
    pub(crate) fn until_active(&mut self) -> Result<(), Broken> {
        while !self.is_active {
            self.attend(&mut [0; 4096])?;
        }
        Ok(())
    }

    /// Waits for the next line of an agent.
    pub(crate) fn until_answered(&mut self) -> Result<(), Broken> {
        let before = self.lines_received;
        while self.lines_received == before {
            self.attend(&mut [0; 4096])?;
        }
        Ok(())
    }

    /// Reads once, and answers what came.
    pub(crate) fn attend(&mut self, buffer: &mut [u8]) -> Result<(), Broken> {
        self.read(buffer)?;
        self.flush()
    }

    /// Takes an entry of the desk: an agent accepts this customer, or says something.
    fn receive(&mut self, entry: &Entry) {
        let number = entry.number;
        wire::encode(&Message::Ack { number }, &mut self.out);
        match (&entry.body, self.desk) {
            (Body::Accept { .. }, Some(desk)) => {
                self.entry(Body::Accepted { of: Asked { desk, number } });
                self.is_active = true;
            }
            (Body::Message(_), _) => self.lines_received += 1,
            _ => {}
        }
    }
}

/// Many customers with one epoll.
pub(crate) struct Crowd {
    poller: OwnedFd,
    pub(crate) customers: Vec<Customer>,
    ready: Vec<epoll::Event>,
    pub(crate) buffer: Vec<u8>,
}

impl Crowd {
    pub(crate) fn new() -> Result<Crowd, Broken> {
        let poller = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Crowd {
            poller,
            customers: Vec::new(),
            ready: Vec::with_capacity(1024),
            buffer: vec![0; 1 << 16],
        })
    }

    /// Adds a customer. From here on the customer's socket does not block.
    pub(crate) fn add(&mut self, customer: Customer) -> Result<(), Broken> {
        self.watch(&customer, self.customers.len())?;
        self.customers.push(customer);
        Ok(())
    }

    fn watch(&self, customer: &Customer, at: usize) -> Result<(), Broken> {
        customer.stream.socket().set_nonblocking(true)?;
        epoll::add(
            &self.poller,
            customer.stream.socket(),
            EventData::new_u64(at as u64),
            EventFlags::IN,
        )?;
        Ok(())
    }

    /// Waits, and returns the customers who have something to read.
    pub(crate) fn wait(&mut self, within: Option<Duration>) -> Result<Vec<usize>, Broken> {
        self.ready.clear();
        let within = within.and_then(|within| Timespec::try_from(within).ok());
        epoll::wait(&self.poller, spare_capacity(&mut self.ready), within.as_ref())?;
        Ok(self.ready.iter().map(|event| event.data.u64() as usize).collect())
    }
}

/// Sends `entries` from a hundred customers, until all are acked. Returns the CPU time of the
/// server and the wall time, in seconds.
pub(crate) fn flood(server: &Server, entries: usize) -> Result<(f64, f64), Broken> {
    let is_echo = server.what == What::Echo;
    let mut crowd = Crowd::new()?;
    for _ in 0..CUSTOMERS {
        crowd.add(if is_echo { Customer::open(server)? } else { Customer::queued(server)? })?;
    }
    let first = crowd.customers[0].last_sent;
    let last = first + (entries / CUSTOMERS) as u64;
    let mut unfinished = crowd.customers.len();
    // For an echo: the bytes that came back, and the sizes of the entries in flight.
    let mut echoed = vec![0; CUSTOMERS];
    let mut sizes = vec![std::collections::VecDeque::new(); CUSTOMERS];
    let (cpu, since) = (server.cpu()?, Instant::now());
    for (customer, sizes) in crowd.customers.iter_mut().zip(&mut sizes) {
        refill(customer, last, sizes)?;
    }
    while unfinished > 0 {
        for at in crowd.wait(None)? {
            let customer = &mut crowd.customers[at];
            let before = customer.last_acked;
            if is_echo {
                echoed[at] += customer.stream.read(&mut crowd.buffer)?;
                while let Some(size) = sizes[at].front().copied().filter(|size| *size <= echoed[at])
                {
                    sizes[at].pop_front();
                    echoed[at] -= size;
                    customer.last_acked += 1;
                }
            } else {
                customer.read(&mut crowd.buffer)?;
            }
            // A `seen` may still come after the last ack.
            unfinished -= usize::from(before < last && customer.last_acked == last);
            refill(customer, last, &mut sizes[at])?;
        }
    }
    Ok((server.cpu()? - cpu, since.elapsed().as_secs_f64()))
}

/// Sends as many entries as may be in flight, in one write.
fn refill(
    customer: &mut Customer,
    last: Number,
    sizes: &mut std::collections::VecDeque<usize>,
) -> Result<(), Broken> {
    while customer.last_sent < last && customer.last_sent - customer.last_acked < IN_FLIGHT {
        let before = customer.out.len();
        customer.say();
        sizes.push_back(customer.out.len() - before);
    }
    customer.flush()
}

/// Makes `count` connections, 64 at the same time: each sends a hello, waits for the answer and
/// closes. Returns how many per second.
pub(crate) fn connects(server: &Server, count: usize) -> Result<f64, Broken> {
    let is_echo = server.what == What::Echo;
    let mut crowd = Crowd::new()?;
    let since = Instant::now();
    for _ in 0..AT_ONCE.min(count) {
        crowd.add(greet(server)?)?;
    }
    let (mut started, mut done) = (AT_ONCE.min(count), 0);
    while done < count {
        for at in crowd.wait(None)? {
            let customer = &mut crowd.customers[at];
            let is_answered = if is_echo {
                customer.stream.read(&mut crowd.buffer)? > 0
            } else {
                customer.read(&mut crowd.buffer)?;
                customer.is_welcomed
            };
            if !is_answered {
                continue;
            }
            done += 1;
            if started < count {
                started += 1;
                let next = greet(server)?;
                crowd.watch(&next, at)?;
                crowd.customers[at] = next;
            } else {
                epoll::delete(&crowd.poller, crowd.customers[at].stream.socket())?;
            }
        }
    }
    Ok(count as f64 / since.elapsed().as_secs_f64())
}

fn greet(server: &Server) -> Result<Customer, Broken> {
    let mut customer = Customer::open(server)?;
    customer.hello(0);
    customer.flush()?;
    Ok(customer)
}

/// Customers who wait in the queue and send nothing more.
pub(crate) struct Queue<'a> {
    desk: &'a Server,
    crowd: Crowd,
}

impl Queue<'_> {
    pub(crate) fn new(desk: &Server) -> Result<Queue<'_>, Broken> {
        Ok(Queue { desk, crowd: Crowd::new()? })
    }

    /// Adds customers, each with a transcript of ten entries, until there are `count` and all
    /// entries are acked.
    pub(crate) fn grow(&mut self, count: usize) -> Result<(), Broken> {
        let mut unfinished = 0;
        while self.crowd.customers.len() < count || unfinished > 0 {
            while unfinished < AT_ONCE && self.crowd.customers.len() < count {
                let mut customer = Customer::open(self.desk)?;
                customer.hello(11);
                (0..10).for_each(|_| customer.say());
                customer.request();
                customer.flush()?;
                self.crowd.add(customer)?;
                unfinished += 1;
            }
            for at in self.crowd.wait(None)? {
                let customer = &mut self.crowd.customers[at];
                let before = customer.last_acked;
                customer.read(&mut self.crowd.buffer)?;
                unfinished -= usize::from(
                    before < customer.last_sent && customer.last_acked == customer.last_sent,
                );
            }
        }
        Ok(())
    }
}

/// Connections over TLS that send no hello.
pub(crate) struct Strangers<'a> {
    desk: &'a Server,
    /// How each connection begins.
    begin: fn(&mut Stream) -> io::Result<()>,
    /// A customer whom the desk answers. An answer shows that the desk has accepted the
    /// connections before.
    customer: Customer,
    open: Vec<Stream>,
}

impl Strangers<'_> {
    pub(crate) fn new(
        desk: &Server,
        begin: fn(&mut Stream) -> io::Result<()>,
    ) -> Result<Strangers<'_>, Broken> {
        Ok(Strangers { desk, begin, customer: Customer::queued(desk)?, open: Vec::new() })
    }

    /// Adds connections, a few from each address, until there are `count`.
    pub(crate) fn grow(&mut self, count: usize) -> Result<(), Broken> {
        while self.open.len() < count {
            let source = Ipv4Addr::new(127, 0, 0, 2 + (self.open.len() / 32) as u8);
            let mut stream = Stream::open_from(source, self.desk)?;
            (self.begin)(&mut stream)?;
            stream.socket().set_nonblocking(true)?;
            self.open.push(stream);
        }
        // A desk accepts only some waiting connections a turn, and answers this customer after each
        // turn.
        self.customer.trips(16, Duration::ZERO, true, &mut Sample::default())?;
        // All connections must still be open: a closed one costs the desk nothing.
        let is_over = |stream: &Stream| match stream.socket().peek(&mut [0]) {
            Ok(_) => true,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
        if self.open.iter().any(is_over) {
            return Err(broken("the desk hung up on a stranger").into());
        }
        Ok(())
    }
}
