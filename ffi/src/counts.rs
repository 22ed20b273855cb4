//! `seawall_counts_t`: what recorders counted.

use seawall::{Counts, GiveUpReason, OutcomeCounts, Reason, Stage};

use crate::versioned::Versioned;

/// How attempts ended.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_outcome_counts_t {
    /// It went well.
    pub success: u64,
    /// It failed, or nobody answered in time.
    pub failure: u64,
    /// The service said that it has too much to do.
    pub throttled: u64,
    /// It says nothing of the service.
    pub ignored: u64,
}

impl seawall_outcome_counts_t {
    fn of(counts: OutcomeCounts) -> Self {
        let OutcomeCounts { success, failure, throttled, ignored } = counts;
        Self { success, failure, throttled, ignored }
    }
}

/// What recorders counted, of calls and of attempts. Begin with zeros and `struct_size`, as `SEAWALL_COUNTS_INIT` does.
/// A row for each stage is at its `SEAWALL_STAGE_…` less 1, a number for each reason to give up at its
/// `SEAWALL_GIVE_UP_…` less 1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct seawall_counts_t {
    /// The size of this struct.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Logical calls that began.
    pub begun: u64,
    /// Attempts that were admitted.
    pub admitted: u64,
    /// Attempts admitted after an earlier one of their call had ended.
    pub retries: u64,
    /// Attempts that were refused.
    pub refused: u64,
    /// Attempts that were admitted and never sent.
    pub cancelled: u64,
    /// How attempts ended.
    pub outcomes: seawall_outcome_counts_t,
    /// Calls that ended with a success.
    pub delivered: u64,
    /// Calls that ended and say nothing of the service.
    pub ignored: u64,
    /// Calls that the caller ended, refused or not, without another attempt.
    pub abandoned: u64,
    /// Calls that failed and are not sent again.
    pub given_up: u64,
    /// Of them, for each reason.
    pub given_up_for: [u64; 7],
    /// Refused attempts for each stage, and in it for each reason: `SEAWALL_NOT_YET`, `SEAWALL_NEVER`,
    /// `SEAWALL_CLOCK_STEPPED`, `SEAWALL_NO_PLACE`, each at its number less 1.
    pub refused_for: [[u64; 4]; 7],
    /// For each stage how those attempts ended that it would have refused, had it not been in shadow.
    pub would_refuse: [seawall_outcome_counts_t; 7],
    /// How those attempts ended that no stage in shadow would have refused.
    pub would_pass: seawall_outcome_counts_t,
}

// SAFETY: `repr(C)`, integers only, no padding: 2 x 4 + (5 + 4 + 4 + 7 + 28 + 28 + 4) x 8 bytes.
unsafe impl Versioned for seawall_counts_t {
    const FIRST: usize = 648;
}

const _: () = {
    let mut at = 0;
    while at < Stage::ALL.len() {
        assert!(Stage::ALL[at] as usize == at + 1, "a stage stands at its number less 1");
        at += 1;
    }
    at = 0;
    while at < GiveUpReason::ALL.len() {
        assert!(GiveUpReason::ALL[at] as usize == at + 1, "a reason stands at its number less 1");
        at += 1;
    }
};

impl seawall_counts_t {
    pub(crate) fn of(counts: &Counts) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            reserved: 0,
            begun: counts.begun(),
            admitted: counts.admitted(),
            retries: counts.retries(),
            refused: counts.refused(),
            cancelled: counts.cancelled(),
            outcomes: seawall_outcome_counts_t::of(counts.outcomes()),
            delivered: counts.delivered(),
            ignored: counts.ignored(),
            abandoned: counts.abandoned(),
            given_up: counts.given_up(),
            given_up_for: GiveUpReason::ALL.map(|reason| counts.given_up_for(reason)),
            refused_for: Stage::ALL.map(|stage| Reason::ALL.map(|reason| counts.refused_for(stage, reason))),
            would_refuse: Stage::ALL.map(|stage| seawall_outcome_counts_t::of(counts.would_refuse(stage))),
            would_pass: seawall_outcome_counts_t::of(counts.would_pass()),
        }
    }
}
