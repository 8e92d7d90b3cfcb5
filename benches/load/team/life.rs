//! The customers of a desk who are not measured, in a thread of their own. They answer the desk,
//! send signs of life, and say lines at a given rate.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::broken::{Broken, broken};
use crate::customers::{Crowd, Customer};

/// A customer's side that has sent nothing for this time sends a sign of life.
const PING_EVERY: Duration = Duration::from_secs(10);
/// How often the thread looks for work that is due.
const TICK: Duration = Duration::from_millis(20);
/// The time in which the agents must have their customers.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(60);

/// The thread's orders, and its results so far.
#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    /// How many lines customers who have an agent say in a second.
    rate: AtomicUsize,
    active: AtomicUsize,
    failure: OnceLock<String>,
}

/// The crowd of one desk.
pub(crate) struct Life {
    shared: Arc<Shared>,
    customers: Sender<Customer>,
    thread: Option<JoinHandle<()>>,
}

impl Life {
    /// A crowd without customers. At these keyboards agents answer each line of a customer with one
    /// line.
    pub(crate) fn begin(keyboards: Vec<(File, &'static str)>) -> Life {
        let shared = Arc::new(Shared::default());
        let (customers, come) = channel();
        let told = shared.clone();
        let thread = thread::spawn(move || {
            if let Err(error) = live(&come, keyboards, &told) {
                let _ = told.failure.set(error.to_string());
            }
        });
        Life { shared, customers, thread: Some(thread) }
    }

    /// Hands this customer to the thread.
    pub(crate) fn add(&self, customer: Customer) -> Result<(), Broken> {
        let gone = |_| broken("the customers of a desk have gone");
        Ok(self.customers.send(customer).map_err(gone)?)
    }

    /// Waits until this many customers have an agent.
    pub(crate) fn until_active(&self, count: usize) -> Result<(), Broken> {
        let end = Instant::now() + ACCEPTED_WITHIN;
        while self.shared.active.load(Ordering::SeqCst) < count {
            self.check()?;
            if Instant::now() > end {
                return Err(broken("the agents do not get their customers").into());
            }
            thread::sleep(TICK);
        }
        Ok(())
    }

    /// Sets how many lines a second customers say. They get as many answers.
    pub(crate) fn talk(&self, rate: usize) {
        self.shared.rate.store(rate, Ordering::SeqCst);
    }

    /// Fails if a customer has gone.
    pub(crate) fn check(&self) -> Result<(), Broken> {
        match self.shared.failure.get() {
            Some(why) => Err(broken(format!("the customers of a desk have gone: {why}")).into()),
            None => Ok(()),
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.thread.take().map(JoinHandle::join);
    }
}

fn live(
    come: &Receiver<Customer>,
    mut keyboards: Vec<(File, &'static str)>,
    shared: &Shared,
) -> Result<(), Broken> {
    let mut crowd = Crowd::new()?;
    let mut latest = Instant::now();
    let (mut due_pings, mut pinged) = (0.0, 0);
    let (mut said, mut talks_since) = (0, None);
    while !shared.is_over.load(Ordering::SeqCst) {
        come.try_iter().try_for_each(|customer| crowd.add(customer))?;
        for at in crowd.wait(Some(TICK))? {
            let before = crowd.customers[at].is_active();
            crowd.customers[at].attend(&mut crowd.buffer)?;
            if crowd.customers[at].is_active() && !before {
                shared.active.fetch_add(1, Ordering::SeqCst);
            }
        }
        let passed = latest.elapsed().as_secs_f64();
        latest = Instant::now();
        due_pings += crowd.customers.len() as f64 * passed / PING_EVERY.as_secs_f64();
        while due_pings >= 1.0 {
            let at = pinged % crowd.customers.len();
            crowd.customers[at].ping()?;
            (due_pings, pinged) = (due_pings - 1.0, pinged + 1);
        }
        let rate = shared.rate.load(Ordering::SeqCst);
        if rate == 0 {
            (said, talks_since) = (0, None);
            continue;
        }
        let talks_since = *talks_since.get_or_insert_with(Instant::now);
        let due = (talks_since.elapsed().as_secs_f64() * rate as f64) as usize;
        while said < due {
            // The customers who have an agent waited the longest.
            let active = shared.active.load(Ordering::SeqCst).max(1);
            crowd.customers[said * 7 % active].say_now("is there any news?")?;
            let count = keyboards.len().max(1);
            if let Some((keys, enter)) = keyboards.get_mut(said % count) {
                write!(keys, "we look into it{enter}")?;
            }
            said += 1;
        }
    }
    Ok(())
}
