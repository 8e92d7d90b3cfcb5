//! A desk with twenty agents at their terminals, 500 customers who talk and 2,500 who wait, beside
//! a desk with one agent and as many customers.

use std::thread;
use std::time::{Duration, Instant};

use crate::broken::Broken;
use crate::customers::Customer;
use crate::durable::Folder;
use crate::extent::Extent;
use crate::server::{Server, What, cpu_of};
use crate::table::{Row, Sample};
use life::Life;
use seat::{Kind, Seat, add_agent};

mod life;
mod seat;

/// The number of agents of the larger desk. All have the same number of customers.
const AGENTS: usize = 20;
/// At each desk, the number of customers who talk, and of those who wait.
const TALKING: usize = 500;
const WAITING: usize = 2_500;
/// The pause before a line, after which all threads sleep.
const PAUSE: Duration = Duration::from_millis(4);
/// How many lines a second the other customers say, and get, while a busy desk is measured. Each of
/// them says one line in 20 s.
const BUSY: usize = 25;
/// How long an idle desk is measured.
const IDLE_FOR: Duration = Duration::from_secs(10);
/// The goal for the time of a key or a line, in milliseconds: one frame of a screen.
const FRAME: f64 = 16.0;

/// Measures with persons and with programs at the terminals.
pub(crate) fn measure(extent: &Extent) -> Result<Vec<Row>, Broken> {
    let mut rows = Measured::new(extent, Kind::Person)?.rows();
    rows.extend(Measured::new(extent, Kind::Program)?.rows());
    rows.push(bare_echo(extent)?);
    Ok(rows)
}

/// What signs of life cost alone: an echo gets as many as an idle desk, and sends them back.
fn bare_echo(extent: &Extent) -> Result<Row, Broken> {
    let echo = Server::start(What::Echo)?;
    let life = Life::begin(Vec::new());
    for _ in 0..TALKING + WAITING {
        life.add(Customer::open(&echo)?)?;
    }
    let mut idle = Sample::default();
    for _ in 0..extent.rounds {
        let [share] = idle_shares(|| Ok([cpu_of(echo.pid())?]))?;
        idle.add(100.0 * share);
    }
    life.check()?;
    Ok(percent("3,000 signs of life in 10 s, to a bare echo and back".into(), None, &idle))
}

/// Waits while nobody does anything. Returns which share of a CPU each process took meanwhile.
/// `cpu` tells the CPU times so far, in seconds.
fn idle_shares<const N: usize>(
    cpu: impl Fn() -> Result<[f64; N], Broken>,
) -> Result<[f64; N], Broken> {
    let (before, since) = (cpu()?, Instant::now());
    thread::sleep(IDLE_FOR);
    let (after, took) = (cpu()?, since.elapsed().as_secs_f64());
    Ok(std::array::from_fn(|at| (after[at] - before[at]) / took))
}

fn percent(measure: String, goal: Option<f64>, sample: &Sample) -> Row {
    Row {
        measure,
        goal: goal.map(|goal| format!("<= {goal:.1} % of a CPU")).unwrap_or_default(),
        measured: format!("{:.2} % ({})", sample.median(), sample.spread(2)),
        scale: String::new(),
        reached: goal.map(|goal| sample.median() <= goal),
    }
}

/// Times of one desk, in milliseconds.
#[derive(Default)]
struct Times {
    /// From a customer's line to the seat, from Enter to the customer, and from Enter to the seat.
    lines: Sample,
    answers: Sample,
    shown: Sample,
    /// From a key to its effect on the screen.
    keys: Sample,
}

/// The results of all rounds.
struct Measured {
    kind: Kind,
    /// The medians of the desk with one agent, and of the desk with twenty; and the ratio of the
    /// second to the first.
    medians: [Times; 2],
    ratios: Times,
    /// All times of the desk with twenty agents while the other customers talk, too.
    busy: Times,
    /// The share of a CPU that this desk, and each terminal, takes while nobody does anything.
    idle: Sample,
    terminals: Sample,
    /// The memory for twenty more seats, in MiB.
    seats: f64,
}

impl Measured {
    fn new(extent: &Extent, kind: Kind) -> Result<Measured, Broken> {
        let mut teams = [Team::start(kind, 1)?, Team::start(kind, AGENTS)?];
        Team::fill(&mut teams)?;
        let (medians, ratios, busy) = Default::default();
        let (idle, terminals) = Default::default();
        let mut all = Measured { kind, medians, ratios, busy, idle, terminals, seats: 0.0 };
        all.seats = teams[1].cost_of_seats()?;
        for round in 0..extent.rounds {
            all.round(&mut teams, round, extent.paused_trips)?;
        }
        Ok(all)
    }

    fn round(&mut self, teams: &mut [Team; 2], round: usize, count: usize) -> Result<(), Broken> {
        let mut times = [Times::default(), Times::default()];
        // Each desk has ten short turns, in another order in each round, so that other work of the
        // machine disturbs both.
        for turn in 0..20 {
            let at = (turn + round) % 2;
            teams[at].talk(count / 10, &mut times[at])?;
        }
        for (median, times) in self.medians.iter_mut().zip(&times) {
            median.lines.add(times.lines.median());
            median.answers.add(times.answers.median());
        }
        let [one, twenty] = &times;
        self.ratios.lines.add(twenty.lines.median() / one.lines.median());
        self.ratios.answers.add(twenty.answers.median() / one.answers.median());
        teams[1].life.talk(BUSY);
        teams[1].talk(count, &mut self.busy)?;
        teams[1].life.talk(0);
        teams.iter_mut().try_for_each(|team| team.customer.ping())?;
        let [desk, seats] = teams[1].idle()?;
        self.idle.add(100.0 * desk);
        self.terminals.add(100.0 * seats / AGENTS as f64);
        teams.iter_mut().try_for_each(|team| team.customer.ping())
    }

    fn rows(&self) -> Vec<Row> {
        let [one, twenty] = &self.medians;
        let lines = [&self.ratios.lines, &one.lines, &twenty.lines];
        let answers = [&self.ratios.answers, &one.answers, &twenty.answers];
        let mut rows = vec![
            self.ratio("a customer's line to their agent's seat, p50", lines),
            self.ratio("an agent's line to their customer, p50", answers),
            self.quick("a customer's line to their agent's seat, p99", &self.busy.lines),
            self.quick("Enter to the line on the agent's screen, p99", &self.busy.shown),
        ];
        if self.kind == Kind::Person {
            rows.push(self.quick("a key to its letter on the screen, p99", &self.busy.keys));
        }
        let idle = "20 agents, 500 talk, 2,500 wait, nobody says anything: the desk";
        rows.push(percent(self.of(idle), Some(0.5), &self.idle));
        rows.push(percent(self.of("the same: each terminal"), None, &self.terminals));
        rows.push(Row {
            measure: self.of("20 more seats: RSS"),
            goal: "<= 1.0 MiB".into(),
            measured: format!("{:.2} MiB", self.seats),
            scale: String::new(),
            reached: Some(self.seats <= 1.0),
        });
        rows
    }

    fn of(&self, what: &str) -> String {
        match self.kind {
            Kind::Program => format!("{what} (--json)"),
            Kind::Person => format!("{what} (a person)"),
        }
    }

    fn ratio(&self, what: &str, [ratios, one, twenty]: [&Sample; 3]) -> Row {
        Row {
            measure: self.of(what),
            goal: "<= 1.10 x one agent's".into(),
            measured: format!("{:.2} x ({})", ratios.median(), ratios.spread(2)),
            scale: format!("{:.2} ms; one agent's {:.2} ms", twenty.median(), one.median()),
            reached: Some(ratios.median() <= 1.1),
        }
    }

    fn quick(&self, what: &str, times: &Sample) -> Row {
        let (p50, p99) = (times.median(), times.at(0.99));
        Row {
            measure: self.of(what),
            goal: format!("<= {FRAME:.0} ms"),
            measured: format!("{p99:.2} ms"),
            scale: format!("p50 {p50:.2} ms, {BUSY} lines and answers a second meanwhile"),
            reached: Some(p99 <= FRAME),
        }
    }
}

/// A desk with its agents and customers. One customer and the first agent are measured.
struct Team {
    kind: Kind,
    customer: Customer,
    life: Life,
    seats: Vec<Seat>,
    desk: Server,
    folder: Folder,
    lines: usize,
}

impl Team {
    fn start(kind: Kind, agents: usize) -> Result<Team, Broken> {
        let folder = Folder::new()?;
        let desk = Server::start_in(What::Team, Some(folder.path()))?;
        let mut customer = Customer::queued(&desk)?;
        let seats = names(agents).map(|name| {
            let code = add_agent(&folder, &name)?;
            Seat::attach(kind, &desk, &folder, &code, &name)
        });
        let mut seats = seats.collect::<Result<Vec<_>, _>>()?;
        seats[0].type_line("/accept")?;
        customer.until_active()?;
        seats[0].until_accepted()?;
        let keyboards = seats[1..].iter().map(Seat::keyboard).collect::<Result<Vec<_>, _>>()?;
        let life = Life::begin(keyboards);
        Ok(Team { kind, customer, life, seats, desk, folder, lines: 0 })
    }

    /// Adds the other customers to all desks at the same time. Some of them get an agent.
    fn fill(teams: &mut [Team]) -> Result<(), Broken> {
        for number in 1..TALKING + WAITING {
            for team in teams.iter_mut() {
                team.life.add(Customer::queued(&team.desk)?)?;
                if number % 100 == 0 {
                    team.customer.ping()?;
                }
            }
        }
        for team in teams.iter_mut() {
            let each = TALKING / team.seats.len();
            for (at, seat) in team.seats.iter_mut().enumerate() {
                for _ in usize::from(at == 0)..each {
                    seat.type_line("/accept")?;
                    seat.until_accepted()?;
                }
                team.customer.ping()?;
            }
            team.life.until_active(TALKING - 1)?;
            // The screens of the other agents are read and dropped.
            team.seats[1..].iter().try_for_each(Seat::drain)?;
            // Each new customer had the focus, so the first agent's screen has text that no measure
            // wants.
            team.seats[0].forget()?;
            team.seats[0].press_line("/switch 1")?;
            team.seats[0].until("#1 Customer")?;
            team.customer.ping()?;
        }
        Ok(())
    }

    /// The customer and the agent talk: `count` times a line and an answer.
    fn talk(&mut self, count: usize, times: &mut Times) -> Result<(), Broken> {
        self.life.check()?;
        self.customer.ping()?;
        self.seats[0].forget()?;
        for _ in 0..count {
            self.lines += 1;
            let (line, answer) =
                (format!("line {} X", self.lines), format!("text {} Z", self.lines));
            let seat = &mut self.seats[0];
            thread::sleep(PAUSE);
            let since = Instant::now();
            self.customer.say_now(&line)?;
            seat.until(&line)?;
            times.lines.add(millis(since));
            if self.kind == Kind::Person {
                seat.press(&answer[..answer.len() - 1])?;
                seat.until(&answer[..answer.len() - 1])?;
                thread::sleep(PAUSE);
                seat.forget()?;
                let since = Instant::now();
                seat.press("Z")?;
                seat.until("Z")?;
                times.keys.add(millis(since));
            }
            thread::sleep(PAUSE);
            let since = Instant::now();
            seat.enter(&answer)?;
            self.customer.until_answered()?;
            times.answers.add(millis(since));
            seat.until(&answer)?;
            times.shown.add(millis(since));
        }
        Ok(())
    }

    /// The share of a CPU that the desk takes while nobody does anything, and the share of all
    /// terminals.
    fn idle(&self) -> Result<[f64; 2], Broken> {
        let seats = || self.seats.iter().map(Seat::cpu).sum::<Result<f64, Broken>>();
        idle_shares(|| Ok([cpu_of(self.desk.pid())?, seats()?]))
    }

    /// The memory that the desk takes for one more seat of each agent, in MiB.
    fn cost_of_seats(&mut self) -> Result<f64, Broken> {
        // When the first seats learn of all customers, the desk takes memory that later seats use
        // again. So they are not measured.
        self.grow(1)?;
        self.customer.ping()?;
        let before = self.desk.status()?.rss;
        self.grow(2)?;
        let cost = self.desk.status()?.rss as f64 - before as f64;
        self.seats.truncate(AGENTS);
        self.customer.ping()?;
        Ok(cost / f64::from(1 << 20))
    }

    /// Adds one more seat for each agent.
    fn grow(&mut self, round: usize) -> Result<(), Broken> {
        for name in names(AGENTS) {
            let code = add_agent(&self.folder, &name)?;
            let profile = format!("{name}-{round}");
            let seat = Seat::attach(self.kind, &self.desk, &self.folder, &code, &profile)?;
            seat.drain()?;
            self.seats.push(seat);
        }
        Ok(())
    }
}

fn names(count: usize) -> impl Iterator<Item = String> {
    (1..=count).map(|number| format!("agent{number}"))
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
