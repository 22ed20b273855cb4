//! What is seen only inside of a run.

use super::*;
use crate::lab::policy::Kind;
use crate::lab::scenario;

fn params(title: &str) -> Params {
    scenario::all().into_iter().find(|scenario| scenario.title == title).unwrap().params
}

/// The sums of the clients' in-flight limits at these seconds.
fn limits_at(params: &Params, seed: u64, seconds: &[f64]) -> Vec<u32> {
    let mut engine = Engine::new(params, Kind::Default, seed).unwrap();
    let mut limits = Vec::new();
    engine.go(|engine, at| {
        while limits.len() < seconds.len() && at >= nanos(seconds[limits.len()]) {
            limits.push(engine.policies.iter().filter_map(|policy| policy.in_flight_limit()).sum());
        }
    });
    limits
}

#[test]
fn replies_that_all_take_the_time_out_or_nearly_so_never_raise_the_limit() {
    for title in ["every reply at the time-out", "every reply just under the time-out"] {
        let params = params(title);
        for seed in 1..6 {
            // Before, and as soon as the first of them are back, and on to the end.
            let seconds = [params.calm_s, params.calm_s + 3.0, params.calm_s + 30.0, params.trigger_end()];
            let limits = limits_at(&params, seed, &seconds);
            assert!(limits.windows(2).all(|pair| pair[1] <= pair[0]), "{title}, seed {seed}: {limits:?}");
        }
    }
}

#[test]
fn a_message_that_stays_away_for_long_holds_back_no_other() {
    let params = params("restart herd, right rate");
    for kind in [Kind::Reference, Kind::Default] {
        let run = |is_away: bool| {
            let mut engine = Engine::new(&params, kind, 1).unwrap();
            if is_away {
                // The head of the first outbox is in a backoff beyond the end of all.
                engine.outboxes[0].rounds.pop_front();
                engine.queue.at(nanos(2.0 * params.horizon()), Event::Return { client: params.clients, rounds: 4 });
            }
            engine.go(|_, _| ());
            engine.undelivered
        };
        assert_eq!((run(false), run(true)), (0, 1), "{kind:?}");
    }
}
