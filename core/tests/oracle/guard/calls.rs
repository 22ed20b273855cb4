//! What the guard's oracle remembers of calls and permits.

use seawall::Mode;

use super::MILLION;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    Success,
    Failure,
    Throttled(Option<u64>),
    Ignored,
}

/// Of a million keys so many are refused; none where the stage is off.
pub fn share(mode: Mode) -> Option<u64> {
    match mode {
        Mode::Enforce => Some(MILLION),
        Mode::Shadow => Some(0),
        Mode::Canary(share) => Some(share.as_ppm().into()),
        Mode::Off => None,
    }
}

/// What a stage is to a call.
#[derive(Clone, Copy, PartialEq)]
pub enum Part {
    Enforced,
    Shadow,
    Off,
}

pub struct Call {
    pub shard: usize,
    pub key: u64,
    pub parts: [Part; 6],
    /// Whether the tokens restart after a pause, and after a close.
    pub restarts: [bool; 2],
    /// The stage in shadow that would have ended it.
    pub shadow: Option<&'static str>,
    pub cost: u32,
    pub began: u64,
    pub deadline: Option<u64>,
    pub ended: u32,
    pub previous: Option<u64>,
    pub verdict: Option<Verdict>,
    pub paid: Option<u64>,
}

#[derive(Clone, Copy)]
pub enum Verdict {
    Done,
    RetryAt(u64),
    GiveUp(&'static str),
}

pub struct Permit {
    pub call: usize,
    pub tokens: u32,
    /// Of the key of its call.
    pub keyed_tokens: u32,
    pub ended: u32,
    pub started: u64,
    pub limit: Option<usize>,
    pub breaker: Option<usize>,
    pub is_probe: bool,
    pub shadow: Option<&'static str>,
    pub is_out: bool,
}

impl Call {
    pub fn heeds(&self, stage: usize, shadow: Option<&'static str>) -> bool {
        match self.parts[stage] {
            Part::Enforced => true,
            Part::Shadow => shadow.is_none(),
            Part::Off => false,
        }
    }
}
