//! The recorder, and the snapshot that explains itself.

use std::time::Duration;

use seawall::{
    Clock, Guard, GuardConfig, Instant, ManualClock, Outcome, Rate, Recorder, Request, Verdict, WindowConfig,
};

use super::{Board, Lesson};

pub(super) const LESSON: Lesson = Lesson {
    name: "Recorder and snapshot",
    teaches: "Why is it refusing? A recorder counts beside the guard, and a snapshot says it in words.",
    show,
};

fn show(board: &mut Board) -> anyhow::Result<()> {
    let clock = ManualClock::starting_at(Instant::ORIGIN);
    let config = GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1));
    let guard = Guard::<64>::new(config, 1, clock.now())?;
    let recorder = Recorder::<8, 128>::new(WindowConfig::DEFAULT)?;
    let phases = [
        ("all is well", Outcome::Success),
        ("the service fails", Outcome::Failure),
        ("429, Retry-After: 2", Outcome::Throttled(Some(Duration::from_secs(2)))),
    ];
    for (phase, outcome) in phases {
        for _ in 0..10 {
            let (mut call, mut record) = (guard.begin(Request::DEFAULT, clock.now()), recorder.begun(clock.now()));
            let answer = guard.try_attempt(&mut call, clock.now());
            recorder.attempted(&mut record, &answer, clock.now());
            clock.advance(Duration::from_millis(50));
            if let Ok(admission) = answer {
                let finished = guard.finish(&mut call, admission.permit, outcome, clock.now());
                recorder.finished(&mut record, outcome, &finished, clock.now());
                if !matches!(finished.verdict, Verdict::RetryAt(_)) {
                    continue;
                }
                // Nobody sends these again.
                guard.abandon(&mut call, clock.now());
            }
            recorder.abandoned(record, clock.now());
        }
        let words = guard.snapshot([&recorder], clock.now()).explain::<512>();
        board.at(clock.now().saturating_duration_since(Instant::ORIGIN), phase);
        for sentence in words.split_inclusive(". ") {
            board.say(format!("    {}", sentence.trim_end()));
        }
    }
    Ok(())
}
