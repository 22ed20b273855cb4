//! Recorders, and the snapshot of a guard with its words.

use core::time::Duration;

use seawall::{
    Counts, Finished, GiveUpReason, Guard, GuardConfig, Instant, OneWriter, OutcomeCounts, Rate, Reason, Recorder,
    Refused, Request, Snapshot, Stage, Verdict, WindowConfig,
};

use crate::{code, optional, outcome};

static GUARD: Guard =
    match Guard::new(GuardConfig::for_service(Rate::per_second(20), Duration::from_secs(1)), 7, Instant::ORIGIN) {
        Ok(guard) => guard,
        Err(_) => panic!("the defaults are legal, or this does not compile"),
    };
static RECORDERS: [Recorder<4, 32>; 2] = [const {
    match Recorder::new(WindowConfig::DEFAULT) {
        Ok(recorder) => recorder,
        Err(_) => panic!("the default is legal, or this does not compile"),
    }
}; 2];

static OWNED: Recorder<4, 32, OneWriter> = match Recorder::for_owner(WindowConfig::DEFAULT) {
    Ok(recorder) => recorder,
    Err(_) => panic!("the default is legal, or this does not compile"),
};

fn stage(number: u64) -> Stage {
    match number % 6 {
        0 => Stage::Deadline,
        1 => Stage::Pause,
        2 => Stage::CircuitBreaker,
        3 => Stage::ConcurrencyLimit,
        4 => Stage::TokenBucket,
        _ => Stage::RetryBudget,
    }
}

fn refused(number: u64) -> Refused {
    match number % 3 {
        0 => Refused::never(stage(number)),
        1 => Refused::clock_stepped(stage(number)),
        _ => Refused::not_yet(stage(number), optional(number)),
    }
}

fn verdict(number: u64) -> Verdict {
    match number & 3 {
        0 => Verdict::Done,
        1 => Verdict::RetryAt(Instant::from_nanos(number)),
        2 => Verdict::GiveUp(GiveUpReason::BudgetSpent),
        _ => Verdict::GiveUp(GiveUpReason::AttemptsExhausted),
    }
}

fn row(row: OutcomeCounts) -> u64 {
    row.all() ^ row.bad()
}

fn all(counts: &Counts, number: u64) -> u64 {
    counts.begun()
        ^ counts.admitted()
        ^ counts.retries()
        ^ counts.cancelled()
        ^ counts.refused()
        ^ counts.refused_by(stage(number))
        ^ counts.refused_for(stage(number), Reason::NotYet)
        ^ counts.delivered()
        ^ counts.ignored()
        ^ counts.abandoned()
        ^ counts.given_up()
        ^ counts.given_up_for(GiveUpReason::PermitVoid)
        ^ row(counts.outcomes())
        ^ row(counts.would_refuse(stage(number)))
        ^ row(counts.would_pass())
}

fn snapshot(now: u64) -> Snapshot {
    GUARD.snapshot(&RECORDERS, Instant::from_nanos(now))
}

crate::proofs! {
    fn proof_recorder_new(a, _b, _c) {
        Recorder::<2, 32>::new(WindowConfig { window: Duration::from_nanos(a) }).is_ok() as u64
    }
    fn proof_recorder_refusal(a, b, _c) {
        let mut record = RECORDERS[0].begun(Instant::from_nanos(a));
        RECORDERS[0].attempted(&mut record, &Err(refused(b)), Instant::from_nanos(a));
        RECORDERS[0].abandoned(record, Instant::from_nanos(b));
        0
    }
    fn proof_recorder_call(a, b, c) {
        let now = Instant::from_nanos(a);
        let (mut call, mut record) = (GUARD.begin(Request::DEFAULT, now), RECORDERS[0].begun(now));
        let answer = GUARD.try_attempt(&mut call, now);
        RECORDERS[0].attempted(&mut record, &answer, now);
        RECORDERS[1].cancelled(&mut record, now);
        RECORDERS[1].attempted(&mut record, &answer, now);
        let Ok(admission) = answer else { return 0 };
        let finished = GUARD.finish(&mut call, admission.permit, outcome(b), now);
        let finished = Finished { verdict: verdict(c), ..finished };
        RECORDERS[0].finished(&mut record, outcome(b), &finished, Instant::from_nanos(c));
        0
    }
    fn proof_recorder_owned(a, b, c) {
        let Some(mut mine) = OWNED.own() else { return 1 };
        let now = Instant::from_nanos(a);
        let (mut call, mut record) = (GUARD.begin(Request::DEFAULT, now), mine.begun(now));
        let answer = GUARD.try_attempt(&mut call, now);
        mine.attempted(&mut record, &answer, now);
        mine.cancelled(&mut record, now);
        mine.attempted(&mut record, &answer, now);
        if let Ok(admission) = answer {
            let finished = GUARD.finish(&mut call, admission.permit, outcome(b), now);
            let finished = Finished { verdict: verdict(c), ..finished };
            mine.finished(&mut record, outcome(b), &finished, Instant::from_nanos(c));
        }
        if let Some(transition) = GUARD.breaker(0).trip(now, b) {
            mine.changed(transition, now);
        }
        mine.abandoned(record, now);
        0
    }
    fn proof_snapshot_of_owned(a, b, _c) {
        all(&GUARD.snapshot([&OWNED], Instant::from_nanos(a)).recent, b)
    }
    fn proof_recorder_changed(a, b, c) {
        if let Some(transition) = GUARD.breaker(0).trip(Instant::from_nanos(a), a) {
            RECORDERS[0].changed(transition, Instant::from_nanos(b));
        }
        RECORDERS[0].rebase(Instant::from_nanos(b), Instant::from_nanos(c));
        0
    }
    fn proof_snapshot_counts(a, b, _c) {
        all(&RECORDERS[0].totals(), a) ^ all(&RECORDERS[1].recent(Instant::from_nanos(a)), b)
    }
    fn proof_snapshot_of_all(a, b, _c) {
        let snapshot = snapshot(a);
        all(&snapshot.recent, b)
            ^ all(&snapshot.total, b)
            ^ snapshot.refusal(stage(b)).is_some() as u64
            ^ snapshot.first_refusal().is_some() as u64
            ^ snapshot.delivered_share().map_or(0, |share| share.as_ppm().into())
            ^ snapshot.attempts.throughput().count()
    }
    fn proof_snapshot_explained(a, b, _c) {
        let snapshot = snapshot(a);
        code(&snapshot.explain::<300>()) ^ code(&snapshot.explain_refusal::<256>(refused(b)))
    }
}
