//! A desk with twenty agents at their terminals, 500 customers who talk and 2,500 who wait, beside a
//! desk with one agent and as many customers.

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

/// The agents of the larger desk. Each has as many customers.
const AGENTS: usize = 20;
/// The customers of each desk who talk, and those who wait.
const TALKING: usize = 500;
const WAITING: usize = 2_500;
/// The pause before a line, after which all threads sleep.
const PAUSE: Duration = Duration::from_millis(4);
/// The lines that the other customers say in a second, and get, while a busy desk is measured: each
/// of them one in 20 s.
const BUSY: usize = 25;
/// Nobody does anything for this long.
const IDLE_FOR: Duration = Duration::from_secs(10);
/// A key or a line is to be answered in this time, in milliseconds: in a frame of a screen.
const FRAME: f64 = 16.0;

/// Measures, with programs and with persons at the terminals.
pub(crate) fn measure(extent: &Extent) -> Result<Vec<Row>, Broken> {
    let mut rows = compare(extent, Kind::Person)?;
    rows.extend(compare(extent, Kind::Program)?);
    Ok(rows)
}

/// What the rounds of one desk have brought. Times are in milliseconds.
#[derive(Default)]
struct Figures {
    /// From a customer's line to the seat, from Enter to the customer, and from Enter to the seat.
    lines: Sample,
    answers: Sample,
    shown: Sample,
    /// From a key to what it changes on the screen.
    keys: Sample,
}

impl Figures {
    fn add_medians(&mut self, round: &Figures) {
        self.lines.add(round.lines.median());
        self.answers.add(round.answers.median());
    }
}

fn compare(extent: &Extent, kind: Kind) -> Result<Vec<Row>, Broken> {
    let mut teams = [Team::start(kind, 1)?, Team::start(kind, AGENTS)?];
    Team::fill(&mut teams)?;
    let mut medians = [Figures::default(), Figures::default()];
    let [mut lines, mut answers] = [Sample::default(), Sample::default()];
    let mut busy = Figures::default();
    let [mut idle, mut terminals] = [Sample::default(), Sample::default()];
    for round in 0..extent.rounds {
        let mut figures = [Figures::default(), Figures::default()];
        // Ten short turns each, in another order in each round: other work of the machine disturbs
        // both.
        for turn in 0..20 {
            let at = (turn + round) % 2;
            teams[at].talk(extent.paused_trips / 10, &mut figures[at])?;
        }
        let [one, twenty] = &figures;
        lines.add(twenty.lines.median() / one.lines.median());
        answers.add(twenty.answers.median() / one.answers.median());
        medians.iter_mut().zip(&figures).for_each(|(all, round)| all.add_medians(round));
        let team = &mut teams[1];
        team.life.talk(BUSY);
        team.talk(extent.paused_trips, &mut busy)?;
        team.life.talk(0);
        teams.iter_mut().try_for_each(|team| team.customer.ping())?;
        let (desk, seats) = teams[1].idle()?;
        idle.add(100.0 * desk);
        terminals.add(100.0 * seats / AGENTS as f64);
        teams.iter_mut().try_for_each(|team| team.customer.ping())?;
    }
    // The first seats that are told of all customers leave room for those that follow.
    let team = &mut teams[1];
    team.grow(1)?;
    let before = team.desk.status()?.rss;
    team.grow(2)?;
    let more = (team.desk.status()?.rss as f64 - before as f64) / f64::from(1 << 20);
    let of = |what: &str| match kind {
        Kind::Program => format!("{what} (--json)"),
        Kind::Person => format!("{what} (a person)"),
    };
    let ratio = |what: &str, ratios: &Sample, [one, twenty]: [&Sample; 2]| Row {
        measure: of(what),
        goal: "<= 1.10 x one agent's".into(),
        measured: format!("{:.2} x ({})", ratios.median(), ratios.spread(2)),
        scale: format!("{:.2} ms; one agent's {:.2} ms", twenty.median(), one.median()),
        reached: Some(ratios.median() <= 1.1),
    };
    let quick = |what: &str, times: &Sample| Row {
        measure: of(what),
        goal: format!("<= {FRAME:.0} ms"),
        measured: format!("{:.2} ms", times.at(0.99)),
        scale: format!("p50 {:.2} ms, {BUSY} lines and answers a second meanwhile", times.median()),
        reached: Some(times.at(0.99) <= FRAME),
    };
    let percent = |what: &str, goal: Option<f64>, sample: &Sample| Row {
        measure: of(what),
        goal: goal.map(|goal| format!("<= {goal:.1} % of a CPU")).unwrap_or_default(),
        measured: format!("{:.2} % ({})", sample.median(), sample.spread(2)),
        scale: String::new(),
        reached: goal.map(|goal| sample.median() <= goal),
    };
    let [one, twenty] = &medians;
    let mut rows = vec![
        ratio("a customer's line to their agent's seat, p50", &lines, [&one.lines, &twenty.lines]),
        ratio("an agent's line to their customer, p50", &answers, [&one.answers, &twenty.answers]),
        quick("a customer's line to their agent's seat, p99", &busy.lines),
        quick("Enter to the line on the agent's screen, p99", &busy.shown),
    ];
    if kind == Kind::Person {
        rows.push(quick("a key to its letter on the screen, p99", &busy.keys));
    }
    rows.extend([
        percent(
            "20 agents, 500 talk, 2,500 wait, nobody says anything: the desk",
            Some(0.5),
            &idle,
        ),
        percent("the same: each terminal", None, &terminals),
        Row {
            measure: of("20 more seats: RSS"),
            goal: "<= 1.0 MiB".into(),
            measured: format!("{more:.2} MiB"),
            scale: String::new(),
            reached: Some(more <= 1.0),
        },
    ]);
    Ok(rows)
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

    /// The other customers come, to all desks at the same time, and some of them get an agent.
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
            // Nobody reads the screens of the others.
            team.seats[1..].iter().try_for_each(Seat::drain)?;
            // Each of them got the focus.
            team.seats[0].forget()?;
            team.seats[0].press_line("/switch 1")?;
            team.seats[0].until("#1 Customer")?;
            team.customer.ping()?;
        }
        Ok(())
    }

    /// The customer and the agent talk, a line and an answer each time.
    fn talk(&mut self, count: usize, figures: &mut Figures) -> Result<(), Broken> {
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
            figures.lines.add(millis(since));
            if self.kind == Kind::Person {
                seat.press(&answer[..answer.len() - 1])?;
                seat.until(&answer[..answer.len() - 1])?;
                thread::sleep(PAUSE);
                seat.forget()?;
                let since = Instant::now();
                seat.press("Z")?;
                seat.until("Z")?;
                figures.keys.add(millis(since));
            }
            thread::sleep(PAUSE);
            let since = Instant::now();
            seat.enter(&answer)?;
            self.customer.until_answered()?;
            figures.answers.add(millis(since));
            seat.until(&answer)?;
            figures.shown.add(millis(since));
        }
        Ok(())
    }

    /// Nobody does anything. Returns the share of a CPU that the desk takes, and all terminals.
    fn idle(&self) -> Result<(f64, f64), Broken> {
        let seats = || self.seats.iter().map(Seat::cpu).sum::<Result<f64, Broken>>();
        let (desk, terminals) = (cpu_of(self.desk.pid())?, seats()?);
        let since = Instant::now();
        thread::sleep(IDLE_FOR);
        let took = since.elapsed().as_secs_f64();
        Ok(((cpu_of(self.desk.pid())? - desk) / took, (seats()? - terminals) / took))
    }

    /// Each agent gets one seat more.
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
