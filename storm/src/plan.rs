//! What is to be run: three behaviours, the storm's numbers, and a schedule that ends in time whatever happens.

use std::time::{Duration, Instant};

use crate::history::LIVE_LIMIT;
use crate::measure::GRACE;
use crate::server::ServerOptions;

/// How many attempts the guide's script has in flight.
pub(crate) const GUIDE_CAP: usize = 6;

/// How the clients of a run behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Send all, retry failures.
    Unprotected,
    /// The same with six in flight.
    Capped,
    /// Unprotected, behind the guard.
    Protected,
}

impl Behaviour {
    pub(crate) const ALL: [Self; 3] = [Self::Unprotected, Self::Capped, Self::Protected];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unprotected => "unprotected",
            Self::Capped => "capped",
            Self::Protected => "protected",
        }
    }
}

/// The storm's numbers, the same for every run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) server: ServerOptions,
    pub(crate) clients: usize,
    /// Connections that a client may have.
    pub(crate) connections: usize,
    /// Messages in all outboxes together.
    pub(crate) messages: usize,
    /// Live messages a second.
    pub(crate) live_rate: f64,
    /// What the guard of a client is told to expect, messages a second.
    pub(crate) guard_rate: f64,
    /// Live users alone, before the clients come.
    pub(crate) calm: Duration,
    /// Each life of a client that ends in a SIGKILL.
    pub(crate) lives: Vec<Duration>,
    /// From a kill to the restart.
    pub(crate) down: Duration,
    /// The last life is cut off after this; by default as the [`Schedule`] says.
    pub(crate) cut_off: Option<Duration>,
}

/// All runs together end within this time.
pub(crate) const WHOLE: Duration = Duration::from_secs(90);
/// For the table, the page, and processes that are slow to start and to end.
const SPARE: Duration = Duration::from_millis(2_500);
/// Starting the server and measuring its capacity.
const PROBE: Duration = Duration::from_millis(2_900);
/// After a last life that ended in a drain: the recovery is watched.
pub(crate) const TAIL: Duration = GRACE.saturating_add(Duration::from_millis(LIVE_LIMIT.as_millis() as u64 / 4));
/// After a last life that was cut off: its last live messages are waited for.
pub(crate) const CUT_TAIL: Duration = Duration::from_millis(LIVE_LIMIT.as_millis() as u64 / 4 * 5);
/// The last life of unprotected clients: they do not end, and this is well over the time of an ideal drain.
const UNPROTECTED: Duration = Duration::from_secs(13);
/// The last life of the others, in drains at full capacity: who takes longer is cut off.
const DRAINS: f64 = 1.7;
/// The shortest last life there is.
const LEAST: Duration = Duration::from_secs(1);

/// When the last life of a run is cut off, so that the whole ends in time.
///
/// What a run took less than its share is there for those after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    end: Instant,
    /// What a run takes but for its last life and its tail.
    before: Duration,
    messages: f64,
    live_rate: f64,
}

impl Schedule {
    /// The schedule of runs of `plan` of which the first starts at `start`.
    pub(crate) fn starting_at(start: Instant, plan: &Plan) -> Self {
        let lives: Duration = plan.lives.iter().map(|&life| life + plan.down).sum();
        Self {
            end: start + WHOLE,
            before: PROBE + plan.calm + lives,
            messages: plan.messages as f64,
            live_rate: plan.live_rate,
        }
    }

    /// How long the last life of a run may be that begins at `now`, with so many runs to come.
    pub(crate) fn last_life(&self, behaviour: Behaviour, capacity: f64, runs_to_come: u32, now: Instant) -> Duration {
        let enough = match behaviour {
            Behaviour::Unprotected => UNPROTECTED,
            Behaviour::Capped | Behaviour::Protected => {
                let ideal = self.messages / (capacity - self.live_rate).max(1.0);
                Duration::from_secs_f64(DRAINS * ideal).max(UNPROTECTED)
            }
        };
        let left = self.end.saturating_duration_since(now);
        let taken = SPARE + TAIL + (self.before + TAIL) * runs_to_come;
        let share = left.saturating_sub(taken) / (runs_to_come + 1);
        enough.min(share).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(messages: usize) -> Plan {
        Plan {
            server: ServerOptions { queue: None, full: 429, seed: 7 },
            clients: 4,
            connections: 125,
            messages,
            live_rate: 30.0,
            guard_rate: 40.0,
            calm: Duration::from_secs(3),
            lives: vec![Duration::from_secs(2); 2],
            down: Duration::from_millis(300),
            cut_off: None,
        }
    }

    /// Every run drains at the last moment before its cut-off, so that its recovery is watched as well.
    fn worst_case(behaviours: &[Behaviour], messages: usize, capacity: f64, slow: f64) -> (Duration, Vec<Duration>) {
        let (plan, start) = (plan(messages), Instant::now());
        let schedule = Schedule::starting_at(start, &plan);
        let (mut now, mut lives) = (start, Vec::new());
        for (&behaviour, to_come) in behaviours.iter().zip((0..behaviours.len() as u32).rev()) {
            now += schedule.before.mul_f64(slow);
            let life = schedule.last_life(behaviour, capacity, to_come, now);
            lives.push(life);
            now += life + TAIL;
        }
        (now + SPARE - start, lives)
    }

    #[test]
    fn the_whole_ends_within_ninety_seconds_if_every_run_meets_its_cut_off() {
        for messages in [1, 2_000, 10_000] {
            for capacity in [1.0, 50.0, 190.0, 210.0] {
                // A run that loses 10 % before its last life finds the next ones shortened.
                for slow in [1.0, 1.1] {
                    let (whole, lives) = worst_case(&Behaviour::ALL, messages, capacity, slow);
                    assert!(whole <= WHOLE, "{messages} messages at {capacity}/s take {whole:?}: {lives:?}");
                    let fair = lives[1].mul_f64(if slow > 1.0 { 0.5 } else { 0.99 });
                    assert!(lives[2] >= fair, "the last pays for those before it: {lives:?}");
                }
            }
        }
    }

    #[test]
    fn the_usual_storm_leaves_each_run_more_than_it_is_judged_by() {
        let start = Instant::now();
        let schedule = Schedule::starting_at(start, &plan(2_000));
        let last_life = |behaviour, to_come, at| schedule.last_life(behaviour, 194.0, to_come, start + at);
        // The unprotected run is cut off, well after an ideal drain.
        let mut at = schedule.before;
        let unprotected = last_life(Behaviour::Unprotected, 2, at);
        assert_eq!(unprotected, UNPROTECTED);
        assert!(unprotected.as_secs_f64() > 1.15 * 1_800.0 / 164.0);
        // Six in flight need not yield to anybody: a third is delivered before the last restart.
        at += unprotected + CUT_TAIL + schedule.before;
        let slow_drain = Duration::from_secs_f64(DRAINS * 1_340.0 / 164.0);
        assert!(last_life(Behaviour::Capped, 1, at) > slow_drain);
        // Even if that drain was a slow one; behind the guard a sixth is delivered before the last restart.
        at += slow_drain + TAIL + schedule.before;
        let protected = last_life(Behaviour::Protected, 0, at).as_secs_f64();
        assert!(protected > 1.6 * 1_650.0 / 164.0, "{protected}");
    }

    #[test]
    fn a_run_alone_has_all_the_time_but_no_more_than_it_needs() {
        let (_, lives) = worst_case(&[Behaviour::Protected], 10_000, 194.0, 1.0);
        assert!(lives[0] > Duration::from_secs(70), "{lives:?}");
        let (_, lives) = worst_case(&[Behaviour::Protected], 2_000, 194.0, 1.0);
        assert!((20.0..21.0).contains(&lives[0].as_secs_f64()), "{lives:?}");
        let (_, lives) = worst_case(&[Behaviour::Unprotected], 10_000, 194.0, 1.0);
        assert_eq!(lives[0], UNPROTECTED);
    }
}
