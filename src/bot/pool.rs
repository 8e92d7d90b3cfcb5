//! Threads that send the requests, and the bot's health, which all of them share.
//!
//! Messages go in one lane and handbacks in another, so that messages that hang never hold up a
//! handback. A lane starts a thread when a request is ready and none of its threads is free. A free
//! thread waits for the next request until the program ends: if threads ended by themselves, one
//! could end at the very moment at which a request is left to it. A waiting thread costs only
//! memory; 32 of them took 8 MiB, most of it the allocator's.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crossbeam_channel::Sender;

use super::queue::Queue;
use super::{Answer, Config, Fault, Outcome, RETURNERS, Request, call};
use crate::core::health::{Health, Pass};

/// The lanes and their threads, which end when this is dropped and everything is sent.
#[derive(Debug)]
pub(super) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: Config,
    answers: Sender<Answer>,
    state: Mutex<State>,
    asks_ready: Condvar,
    returns_ready: Condvar,
}

#[derive(Debug)]
struct State {
    health: Health<Fault>,
    asks: Lane,
    returns: Lane,
    is_closed: bool,
}

#[derive(Debug)]
struct Lane {
    name: &'static str,
    queue: Queue<Job>,
    threads: usize,
    threads_max: usize,
    /// Threads with a request under way.
    busy: usize,
}

#[derive(Debug)]
struct Job {
    ticket: u64,
    request: Request,
    pass: Pass,
}

#[derive(Clone, Copy)]
enum Kind {
    Ask,
    Return,
}

impl Kind {
    fn of(request: &Request) -> Kind {
        match request {
            Request::Ask { .. } => Kind::Ask,
            Request::Return { .. } => Kind::Return,
        }
    }
}

impl Pool {
    pub(super) fn new(config: Config, answers: Sender<Answer>) -> Pool {
        let state = State {
            health: Health::new(),
            asks: Lane::new("bot-ask", config.askers.0),
            returns: Lane::new("bot-return", RETURNERS),
            is_closed: false,
        };
        Pool(Arc::new(Shared {
            config,
            answers,
            state: Mutex::new(state),
            asks_ready: Condvar::new(),
            returns_ready: Condvar::new(),
        }))
    }

    /// Queues a request. While the bot is down and another request probes it, the request fails at
    /// once.
    pub(super) fn send(&self, ticket: u64, request: Request) {
        let shared = &self.0;
        let kind = Kind::of(&request);
        let mut state = shared.lock();
        let pass = match state.health.admit() {
            Ok(pass) => pass,
            Err(cause) => {
                drop(state);
                return shared.fail(ticket, &request, Fault::Down { cause: Box::new(cause) });
            }
        };
        let lane = state.lane(kind);
        let sender = request.sender().to_owned();
        lane.queue.push(&sender, Job { ticket, request, pass });
        let free = lane.threads - lane.busy;
        let needs_thread = lane.queue.ready() > free && lane.threads < lane.threads_max;
        shared.ready(kind).notify_one();
        if needs_thread {
            shared.start_thread(kind, &mut state);
        }
    }
}

#[cfg(test)]
impl Pool {
    /// The number of threads for messages.
    pub(super) fn askers(&self) -> usize {
        self.0.lock().asks.threads
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.asks_ready.notify_all();
        self.0.returns_ready.notify_all();
    }
}

impl Lane {
    fn new(name: &'static str, threads_max: usize) -> Lane {
        Lane { name, queue: Queue::new(), threads: 0, threads_max, busy: 0 }
    }
}

impl State {
    fn lane(&mut self, kind: Kind) -> &mut Lane {
        match kind {
            Kind::Ask => &mut self.asks,
            Kind::Return => &mut self.returns,
        }
    }

    /// Takes all waiting requests out. None of them is a probe, because the bot was up until now.
    fn drain(&mut self) -> Vec<Job> {
        let mut waiting = self.asks.queue.drain();
        waiting.extend(self.returns.queue.drain());
        waiting
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of ours panics under this lock. If it did, the state would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready(&self, kind: Kind) -> &Condvar {
        match kind {
            Kind::Ask => &self.asks_ready,
            Kind::Return => &self.returns_ready,
        }
    }

    fn start_thread(self: &Arc<Self>, kind: Kind, state: &mut State) {
        let lane = state.lane(kind);
        let shared = self.clone();
        let builder = thread::Builder::new().name(lane.name.into());
        match builder.spawn(move || shared.work(kind)) {
            Ok(_) => lane.threads += 1,
            // The lane has other threads: one of them takes the request later.
            Err(_) if lane.threads > 0 => {}
            Err(error) => {
                let peer = self.config.peer.clone();
                let why = format!("no thread to ask it with: {error}");
                let fault = Fault::Broken { peer, why };
                for Job { ticket, request, pass } in lane.queue.drain() {
                    let end = fault.end();
                    state.health.ended(pass, request.sender(), Instant::now(), end);
                    self.fail(ticket, &request, fault.clone());
                }
            }
        }
    }

    /// What each thread does until the program ends.
    fn work(&self, kind: Kind) {
        while let Some(Job { ticket, request, pass }) = self.next(kind) {
            let sent = Instant::now();
            let outcome = self.perform(&request);
            let mut state = self.lock();
            let lane = state.lane(kind);
            lane.queue.done(request.sender());
            lane.busy -= 1;
            let down = state.health.ended(pass, request.sender(), sent, outcome.end());
            let down = down.map(|cause| (cause, state.drain()));
            drop(state);
            self.answer(ticket, outcome);
            let Some((cause, waiting)) = down else { continue };
            for Job { ticket, request, .. } in waiting {
                self.fail(ticket, &request, Fault::Down { cause: Box::new(cause.clone()) });
            }
        }
    }

    fn perform(&self, request: &Request) -> Outcome {
        // A panic in a library must not lose the answer or end the thread.
        panic::catch_unwind(AssertUnwindSafe(|| call::perform(&self.config, request)))
            .unwrap_or_else(|_| {
                let why = "a defect of this program".to_owned();
                request.failed(Fault::Broken { peer: self.config.peer.clone(), why })
            })
    }

    /// Waits for a request. `None` when no more will come.
    fn next(&self, kind: Kind) -> Option<Job> {
        let mut state = self.lock();
        loop {
            let lane = state.lane(kind);
            if let Some(job) = lane.queue.take() {
                lane.busy += 1;
                return Some(job);
            }
            if state.is_closed {
                return None;
            }
            state = self.ready(kind).wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn fail(&self, ticket: u64, request: &Request, fault: Fault) {
        self.answer(ticket, request.failed(fault));
    }

    fn answer(&self, ticket: u64, outcome: Outcome) {
        // This fails only when the loop has ended.
        let _ = self.answers.send(Answer { ticket, outcome });
    }
}
