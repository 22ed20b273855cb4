//! The guard.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use seawall::{Call, Clock, Guard, GuardConfig, Instant, ManualClock, Outcome, Permit, Rate, Request, Verdict};

use super::{Board, Lesson};

pub(super) const LESSON: Lesson = Lesson {
    name: "Guard",
    teaches: "All of it around one call: ask before you send, report how it ended, and do what you are told.",
    show,
};

/// A phase of the service's life: what it is, how it answers, and for how many steps.
type Phase = (&'static str, Outcome, u32);

const STEP: Duration = Duration::from_millis(50);
const PHASES: [Phase; 4] = [
    ("all is well", Outcome::Success, 60),
    ("429, Retry-After: 2", Outcome::Throttled(Some(Duration::from_secs(2))), 60),
    ("the service is down", Outcome::Failure, 60),
    ("it is back", Outcome::Success, 120),
];

fn show(board: &mut Board) -> anyhow::Result<()> {
    let clock = ManualClock::starting_at(Instant::ORIGIN);
    let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    let guard = Guard::<64>::new(config, 1, clock.now())?;
    let (mut out, mut waiting): (Vec<(Call, Permit)>, VecDeque<Call>) = (Vec::new(), VecDeque::new());

    board.say("10 calls a second, each answered after 50 ms; the guard expects up to 20:");
    for (phase, answer, steps) in PHASES {
        let (mut sent, mut done, mut given_up) = (0, 0, 0);
        let mut held = BTreeMap::<&str, Duration>::new();
        for step in 0..steps {
            let now = clock.now();
            // What was sent a step ago is answered.
            for (mut call, permit) in out.drain(..) {
                match guard.finish(&mut call, permit, answer, now).verdict {
                    Verdict::Done => done += 1,
                    Verdict::RetryAt(_) => waiting.push_back(call),
                    Verdict::GiveUp(_) => given_up += 1,
                }
            }
            if step % 2 == 0 {
                waiting.push_back(guard.begin(Request::DEFAULT, now));
            }
            // Each that waits asks once; the last of them says what holds the queue.
            let mut held_by = None;
            for _ in 0..waiting.len() {
                let Some(mut call) = waiting.pop_front() else { break };
                match guard.try_attempt(&mut call, now) {
                    Ok(admission) => {
                        sent += 1;
                        out.push((call, admission.permit));
                    }
                    Err(refused) => {
                        held_by = Some(refused.stage().name());
                        waiting.push_back(call);
                    }
                }
            }
            if let Some(stage) = held_by {
                *held.entry(stage).or_default() += STEP;
            }
            clock.advance(STEP);
        }
        let at = clock.now().saturating_duration_since(Instant::ORIGIN);
        board.at(at, format!("{phase}: {sent} sent, {done} done, {given_up} given up, {} wait", waiting.len()));
        let held: Vec<String> =
            held.iter().map(|(stage, time)| format!("by the {stage} {:.1} s", time.as_secs_f64())).collect();
        if !held.is_empty() {
            board.say(format!("    held {}", held.join(", ")));
        }
    }
    Ok(())
}
