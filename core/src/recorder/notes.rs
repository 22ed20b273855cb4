//! What is counted of an event, in a recorder of any size: [`Parts`].

use core::time::Duration;

use super::counters::Rows;
use super::counts::{self, Counts};
use super::{CallRecord, Change, Sent, reading_order};
use crate::guard::{Admission, Finished, Verdict};
use crate::outcome::Outcome;
use crate::refused::{Refused, Stage};
use crate::sync::{AtomicU64, Ordering};
use crate::time::Instant;
use crate::transition::Transition;
use crate::writers::Writers;

/// The parts of a recorder, and what is counted in them by those that `W` says.
pub(super) trait Parts {
    fn rows(&self) -> Rows<'_>;
    fn record_attempt<W: Writers>(&self, latency: Duration, ok: bool, now: Instant);
    fn record_delivery<W: Writers>(&self, latency: Duration, now: Instant);
    /// The word of the last change.
    fn last_change(&self) -> &AtomicU64;

    #[inline]
    fn note_begun<W: Writers>(&self, now: Instant) -> CallRecord {
        self.rows().at(now).count::<W>(counts::BEGUN);
        CallRecord { began: now, sent: None, tried: false, over: false }
    }

    #[inline]
    fn note_attempted<W: Writers>(&self, call: &mut CallRecord, answer: &Result<Admission, Refused>, now: Instant) {
        match answer {
            Ok(Admission { shadow_refusal, transition, .. }) => {
                self.note_admitted::<W>(call, shadow_refusal.map(Refused::stage), *transition, now);
            }
            Err(refused) => {
                self.rows().at(now).count::<W>(counts::refused(refused.stage(), refused.reason()));
            }
        }
    }

    #[inline]
    fn note_admitted<W: Writers>(
        &self,
        call: &mut CallRecord,
        shadow_refusal: Option<Stage>,
        transition: Option<Transition>,
        now: Instant,
    ) {
        let counters = self.rows().at(now);
        counters.count::<W>(counts::ADMITTED);
        if call.tried {
            counters.count::<W>(counts::RETRIES);
        }
        call.sent = Some(Sent { at: now, shadow_refusal });
        if let Some(transition) = transition {
            self.note_changed(transition, now);
        }
    }

    #[inline]
    fn note_cancelled<W: Writers>(&self, call: &mut CallRecord, now: Instant) {
        if call.sent.take().is_some() {
            self.rows().at(now).count::<W>(counts::CANCELLED);
        }
    }

    #[inline]
    fn note_finished<W: Writers>(&self, call: &mut CallRecord, outcome: Outcome, finished: &Finished, now: Instant) {
        let Some(sent) = call.sent.take() else { return };
        call.tried = true;
        let counters = self.rows().at(now);
        counters.count::<W>(counts::ended(outcome));
        if outcome != Outcome::Ignored {
            self.record_attempt::<W>(now.saturating_duration_since(sent.at), !outcome.is_bad(), now);
        }
        if let Some(stage) = sent.shadow_refusal {
            counters.count::<W>(counts::shadow(stage, outcome));
        }
        if let Some(transition) = finished.transition {
            self.note_changed(transition, now);
        }
        let end = match finished.verdict {
            Verdict::Done if outcome == Outcome::Success => counts::DELIVERED,
            Verdict::Done => counts::IGNORED,
            Verdict::GiveUp(reason) => counts::given_up(reason),
            Verdict::RetryAt(_) => return,
        };
        if !call.over {
            call.over = true;
            counters.count::<W>(end);
            if end == counts::DELIVERED {
                self.record_delivery::<W>(now.saturating_duration_since(call.began), now);
            }
        }
    }

    #[inline]
    fn note_abandoned<W: Writers>(&self, call: CallRecord, now: Instant) {
        if !call.over {
            self.rows().at(now).count::<W>(counts::ABANDONED);
        }
    }

    #[cold]
    fn note_changed(&self, transition: Transition, now: Instant) {
        self.last_change().fetch_max(Change::word(transition, now), Ordering::Relaxed);
    }
}

pub(super) fn totals(rows: Rows<'_>) -> Counts {
    let mut totals = Counts::ZERO;
    for counter in reading_order() {
        rows.add_total(counter, &mut totals);
    }
    totals
}

pub(super) fn recent(rows: Rows<'_>, now: Instant) -> Counts {
    let mut recent = Counts::ZERO;
    rows.add_recent(&mut recent, now);
    recent
}
