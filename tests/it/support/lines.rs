//! The lines of a pipe and the end of a process, each waited for with a deadline.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// The lines of a pipe, which a thread reads.
pub struct Lines {
    read: Arc<(Mutex<Told>, Condvar)>,
    /// Number of lines that the waits so far have passed.
    passed: usize,
}

#[derive(Default)]
struct Told {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    /// Reads a pipe. Each line and the end of the pipe are signalled to `news`.
    pub fn read(pipe: Option<impl Read + Send + 'static>, news: Sender<()>) -> Lines {
        let read = Arc::<(Mutex<Told>, Condvar)>::default();
        let told = read.clone();
        thread::spawn(move || {
            let mut lines = BufReader::new(
                pipe.into_iter()
                    .fold(Box::new(std::io::empty()) as Box<dyn Read>, |_, p| Box::new(p)),
            );
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                lock(&told.0).lines.push(text);
                told.1.notify_all();
                signal(&news);
                line.clear();
            }
            lock(&told.0).ended = true;
            told.1.notify_all();
            signal(&news);
        });
        Lines { read, passed: 0 }
    }

    /// Waits for the next line that fits. `None` at the end of the pipe or the deadline.
    pub fn until(&mut self, within: Duration, fits: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + within;
        let mut told = lock(&self.read.0);
        loop {
            while self.passed < told.lines.len() {
                let line = told.lines[self.passed].clone();
                self.passed += 1;
                // The lock is not held while the test's own code runs.
                drop(told);
                if fits(&line) {
                    return Some(line);
                }
                told = lock(&self.read.0);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if told.ended || left.is_zero() {
                return None;
            }
            told = self.read.1.wait_timeout(told, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The first line of the pipe, however many lines the waits have passed.
    pub fn first(&self, within: Duration) -> Option<String> {
        Lines { read: self.read.clone(), passed: 0 }.until(within, |_| true)
    }

    /// Waits for the end of the pipe. `false` at the deadline.
    pub fn ended(&self, within: Duration) -> bool {
        let waited = self.read.1.wait_timeout_while(lock(&self.read.0), within, |told| !told.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    /// Every line so far.
    pub fn all(&self) -> Vec<String> {
        lock(&self.read.0).lines.clone()
    }
}

/// Locks, also if another thread panicked with the lock: the lines are complete then, too.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leaves a signal in a channel with one place. If a signal is there already, one is enough.
fn signal(news: &Sender<()>) {
    let _ = news.try_send(());
}

/// An event that happens once.
#[derive(Default)]
pub struct Flag(Mutex<bool>, Condvar);

impl Flag {
    /// A flag that is set when the process has ended, which is signalled to `news`, too. The owner
    /// reaps the process, so that the kernel gives its id to no other process before.
    pub fn when_over(child: &Child, news: Sender<()>) -> Arc<Flag> {
        let (flag, pid) = (Arc::<Flag>::default(), Pid::from_child(child));
        let over = flag.clone();
        thread::spawn(move || {
            while let Err(rustix::io::Errno::INTR) =
                waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
            {
            }
            over.set();
            signal(&news);
        });
        flag
    }

    /// Notes that the event has happened.
    pub fn set(&self) {
        *lock(&self.0) = true;
        self.1.notify_all();
    }

    /// Whether the event has happened.
    pub fn is_set(&self) -> bool {
        *lock(&self.0)
    }

    /// Waits for the event. `false` if it did not happen in time.
    pub fn wait(&self, within: Duration) -> bool {
        let waited = self.1.wait_timeout_while(lock(&self.0), within, |happened| !*happened);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
