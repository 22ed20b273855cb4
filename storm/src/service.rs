//! How long the server takes for a message: the service times, and the speed at which they are worked off.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::SeedableRng;
use rand_distr::{Distribution, Exp1};
use rand_pcg::Pcg64Mcg;
use seawall::Random;

/// How many messages are worked on at once.
pub(crate) const WORKERS: usize = 10;
/// The service time of nine messages in ten.
pub(crate) const USUAL: Duration = Duration::from_millis(30);
/// The service time of the tenth. The mean is 50 ms, so ten workers do about 200 messages a second.
pub(crate) const SLOW: Duration = Duration::from_millis(230);
/// Messages a second that [`WORKERS`] do with these times.
const DECK: f64 = 200.0;
/// Of full speed. At a hundredth a message of 50 ms takes 5 s.
pub(crate) const SPEEDS: RangeInclusive<f64> = 0.01..=1.0;

/// What the orchestrator says about the service.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ServiceOptions {
    /// Memoryless service times with this mean, in seconds, instead of the deck.
    #[arg(long)]
    pub(crate) memoryless: Option<f64>,
    /// Messages a second at full speed, instead of what the times of the deck make.
    #[arg(skip)]
    pub(crate) capacity: Option<f64>,
}

#[derive(Debug)]
pub(crate) struct Service {
    times: Times,
    /// Of the times as they are dealt: 1 but where a capacity was asked for.
    full_speed: f64,
    speed: f64,
}

#[derive(Debug)]
enum Times {
    Deck(Deck),
    /// As the lab has it: the same seed gives the same times.
    Memoryless {
        random: Pcg64Mcg,
        mean_s: f64,
    },
}

impl Service {
    pub(crate) fn new(options: &ServiceOptions, seed: u64) -> Self {
        let times = match options.memoryless {
            None => Times::Deck(Deck { random: Random::from_seed(seed), left: Vec::new() }),
            Some(mean_s) => Times::Memoryless { random: Pcg64Mcg::seed_from_u64(seed), mean_s },
        };
        Self { times, full_speed: options.capacity.map_or(1.0, |capacity| capacity / DECK), speed: 1.0 }
    }

    /// How long the next message takes. What is begun is not changed by a later speed, as in the lab.
    pub(crate) fn next(&mut self) -> Duration {
        let full_speed = match &mut self.times {
            Times::Deck(deck) => deck.deal(),
            Times::Memoryless { random, mean_s } => {
                let draw: f64 = Exp1.sample(random);
                Duration::from_secs_f64(draw * *mean_s)
            }
        };
        full_speed.div_f64(self.full_speed * self.speed)
    }

    /// `speed` is one of [`SPEEDS`].
    pub(crate) fn set_speed(&mut self, speed: f64) {
        self.speed = speed;
    }
}

/// Service times: nine usual ones and a slow one in every ten on average, dealt from a shuffled deck of 50, so that a
/// few seconds suffice to measure the capacity and each run meets the same.
#[derive(Debug)]
struct Deck {
    random: Random,
    left: Vec<Duration>,
}

impl Deck {
    const CARDS: usize = 50;

    fn deal(&mut self) -> Duration {
        if self.left.is_empty() {
            self.left = (0..Self::CARDS).map(|card| if card % 10 == 0 { SLOW } else { USUAL }).collect();
            for last in (1..Self::CARDS).rev() {
                // The modulo's bias is under 2^-58 here.
                self.left.swap(last, (self.random.next_u64() % (last as u64 + 1)) as usize);
            }
        }
        self.left.pop().unwrap_or(USUAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_service_time_in_ten_is_slow() {
        let mut deck = Deck { random: Random::from_seed(1), left: Vec::new() };
        let slow = (0..1_000).filter(|_| deck.deal() == SLOW).count();
        assert_eq!(slow, 100);
    }

    #[test]
    fn a_capacity_that_is_asked_for_is_what_the_workers_do() {
        for capacity in [20.0, 200.0, 1_000.0] {
            let options = ServiceOptions { capacity: Some(capacity), ..ServiceOptions::default() };
            let mut service = Service::new(&options, 3);
            let whole: Duration = (0..1_000).map(|_| service.next()).sum();
            let done = 1_000.0 / (whole.as_secs_f64() / WORKERS as f64);
            assert!((done / capacity - 1.0).abs() < 1e-6, "{done} for {capacity}");
        }
    }

    #[test]
    fn a_slowed_service_takes_the_same_times_longer_and_then_as_long_as_before() {
        let options = ServiceOptions { memoryless: Some(0.05), ..ServiceOptions::default() };
        let (mut usual, mut slowed) = (Service::new(&options, 9), Service::new(&options, 9));
        let mut all = 0.0;
        for number in 0..20_000 {
            slowed.set_speed(if number % 2 == 0 { 0.25 } else { 1.0 });
            let (usual, slowed) = (usual.next().as_secs_f64(), slowed.next().as_secs_f64());
            let expected = if number % 2 == 0 { 4.0 * usual } else { usual };
            assert!((slowed - expected).abs() < 1e-8, "{slowed} for {expected}");
            all += usual;
        }
        assert!((all / 20_000.0 - 0.05).abs() < 0.001, "a mean of {}", all / 20_000.0);
    }
}
