//! What a budget is made of: amounts, prices, and defaults for what a user knows.

use core::fmt;
use core::time::Duration;

use crate::rate::Rate;
use crate::ratio::Ratio;
use crate::time::{SECOND, nanos};

const TOKEN: u32 = 1_000_000;
const MIN_LIFETIME: Duration = Duration::from_millis(100);

/// The most that the budget's word is made for.
pub(super) const MAX_CAP: RetryTokens = RetryTokens::whole(1_000);

/// An amount of retry budget, exact to a millionth of a token.
///
/// ```
/// use seawall::RetryTokens;
/// assert_eq!(RetryTokens::whole(2), RetryTokens::from_millionths(2_000_000));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct RetryTokens(u32);

impl RetryTokens {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One token: what one retry of a plain error costs.
    pub const ONE: Self = Self(TOKEN);

    /// `tokens` tokens; 4,295 and more count as 4,294.967295, which is more than any budget holds.
    ///
    /// ```
    /// assert!(seawall::RetryTokens::whole(u32::MAX) > seawall::RetryTokens::whole(1_000));
    /// ```
    #[must_use]
    pub const fn whole(tokens: u32) -> Self {
        Self(tokens.saturating_mul(TOKEN))
    }

    /// `millionths` millionths of a token.
    ///
    /// ```
    /// assert_eq!(seawall::RetryTokens::from_millionths(500_000).as_millionths(), 500_000);
    /// ```
    #[must_use]
    pub const fn from_millionths(millionths: u32) -> Self {
        Self(millionths)
    }

    /// In millionths of a token.
    ///
    /// ```
    /// assert_eq!(seawall::RetryTokens::ONE.as_millionths(), 1_000_000);
    /// ```
    #[must_use]
    pub const fn as_millionths(self) -> u32 {
        self.0
    }
}

/// What one retry takes, by what made it necessary.
///
/// ```
/// use seawall::{RetryCost, RetryTokens};
/// assert_eq!(RetryCost::Timeout.tokens(), RetryTokens::whole(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryCost {
    /// The attempt was answered with an error: one token.
    Error,
    /// The attempt was not answered in time: two tokens, for its work is still going on in the server.
    Timeout,
    /// A second send while the first is still under way (a hedge): one token, as it is load like any retry.
    Hedge,
    /// So much.
    Tokens(RetryTokens),
}

impl RetryCost {
    /// The price.
    ///
    /// ```
    /// use seawall::{RetryCost, RetryTokens};
    /// assert_eq!(RetryCost::Hedge.tokens(), RetryTokens::ONE);
    /// assert_eq!(RetryCost::Timeout.tokens(), RetryTokens::whole(2));
    /// ```
    #[must_use]
    pub const fn tokens(self) -> RetryTokens {
        match self {
            Self::Error | Self::Hedge => RetryTokens::ONE,
            Self::Timeout => RetryTokens::whole(2),
            Self::Tokens(tokens) => tokens,
        }
    }
}

/// What a [`RetryBudget`](crate::RetryBudget) is made of.
///
/// ```
/// use core::time::Duration;
/// use seawall::{Rate, RetryBudgetConfig, RetryTokens};
///
/// // A client of 20 calls a second with a time-out of one second: the cap's upper limit, one token to begin with.
/// let config = RetryBudgetConfig::from_rate(Rate::per_second(20), Duration::from_secs(1));
/// assert_eq!((config.cap, config.initial), (RetryTokens::whole(10), RetryTokens::ONE));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudgetConfig {
    /// What a first try that succeeds earns, in tokens: the share of retries that a healthy service can sustain.
    pub share: Ratio,
    /// The most that the budget ever holds, at most 1,000 tokens; 0 means never a retry.
    pub cap: RetryTokens,
    /// What the budget holds when it is new; at most `cap`.
    pub initial: RetryTokens,
    /// Up to where the balance decays: what is left after any idle time. It does not rise to it. At most `cap`.
    pub floor: RetryTokens,
    /// How long a token beyond the floor lives in the mean, at least 100 ms. `Duration::MAX`: decades.
    pub lifetime: Duration,
}

impl RetryBudgetConfig {
    /// For unknown traffic: one retry per ten successes, at most ten saved, one to begin with (so that the first
    /// failure of a small client is repaired and a restarted fleet of them sends at most twice), ten seconds of
    /// memory.
    pub const DEFAULT: Self = Self {
        // 100,000 parts per million are in range.
        share: match Ratio::from_ppm(100_000) {
            Ok(share) => share,
            Err(_) => Ratio::ZERO,
        },
        cap: RetryTokens::whole(10),
        initial: RetryTokens::ONE,
        floor: RetryTokens::ONE,
        lifetime: Duration::from_secs(10),
    };

    /// For a process that expects `rate` calls and gives each `timeout`.
    ///
    /// With `n = rate x timeout`, the calls that can be lost before the first of them is noticed: cap `n`, but 1 to
    /// 10; share 12 %; lifetime sixty time-outs, but 1 s to an hour. Initial tokens and floor are one, whatever rate was
    /// told: more than one retry is only ever paid for by calls that were seen to succeed.
    ///
    /// What was earned is to be there still when it is needed: where every tenth attempt fails by chance, 98.8 % of the
    /// calls succeed in the lab, and 98.1 % with a lifetime of ten time-outs.
    ///
    /// Where `n` is under 2, the cap is under the price of a time-out, and a time-out is never retried: so small a
    /// client has nothing else under way by which to tell a lost call from a dead service, and in a fleet of such
    /// clients those retries would be the storm. Errors are retried as ever.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Rate, RetryBudgetConfig, RetryTokens};
    ///
    /// // One of very many small clients: one retry in hand, never more.
    /// let small = RetryBudgetConfig::from_rate(Rate::per_minute(18), Duration::from_secs(1));
    /// assert_eq!((small.cap, small.initial), (RetryTokens::ONE, RetryTokens::ONE));
    /// ```
    #[must_use]
    pub const fn from_rate(rate: Rate, timeout: Duration) -> Self {
        let timeout_ns = nanos(timeout);
        // The product of two u64 fits; where the next step saturates, the quotient is still over 10 tokens.
        let exact =
            (rate.count() as u128 * timeout_ns as u128).saturating_mul(TOKEN as u128) / rate.period_ns() as u128;
        let cap = clamped(exact, TOKEN, 10 * TOKEN);
        Self {
            share: match Ratio::from_ppm(120_000) {
                Ok(share) => share,
                Err(_) => Ratio::ZERO,
            },
            cap: RetryTokens(cap),
            initial: RetryTokens::ONE,
            floor: RetryTokens::ONE,
            lifetime: Duration::from_nanos(match timeout_ns.saturating_mul(60) {
                short if short < SECOND => SECOND,
                long if long > 3_600 * SECOND => 3_600 * SECOND,
                lifetime => lifetime,
            }),
        }
    }
}

const fn clamped(value: u128, least: u32, most: u32) -> u32 {
    if value < least as u128 {
        least
    } else if value > most as u128 {
        most
    } else {
        // Between two u32.
        value as u32
    }
}

impl RetryBudgetConfig {
    pub(super) const fn check(&self) -> Result<(), RetryBudgetError> {
        if self.cap.0 > MAX_CAP.0 {
            return Err(RetryBudgetError::CapTooLarge);
        }
        if self.initial.0 > self.cap.0 {
            return Err(RetryBudgetError::InitialOverCap);
        }
        if self.floor.0 > self.cap.0 {
            return Err(RetryBudgetError::FloorOverCap);
        }
        if nanos(self.lifetime) < nanos(MIN_LIFETIME) {
            return Err(RetryBudgetError::LifetimeTooShort);
        }
        Ok(())
    }
}

impl Default for RetryBudgetConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why a [`RetryBudgetConfig`] was not accepted.
///
/// ```
/// use seawall::{Instant, RetryBudget, RetryBudgetConfig, RetryBudgetError, RetryTokens};
/// let config = RetryBudgetConfig { initial: RetryTokens::whole(11), ..RetryBudgetConfig::DEFAULT };
/// assert_eq!(RetryBudget::new(config, Instant::ORIGIN).err(), Some(RetryBudgetError::InitialOverCap));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryBudgetError {
    /// `cap` was over 1,000 tokens.
    CapTooLarge,
    /// `initial` was over `cap`.
    InitialOverCap,
    /// `floor` was over `cap`.
    FloorOverCap,
    /// `lifetime` was under 100 ms.
    LifetimeTooShort,
}

impl RetryBudgetError {
    /// What was wrong, and what is allowed.
    ///
    /// ```
    /// use seawall::RetryBudgetError;
    /// assert!(RetryBudgetError::CapTooLarge.message().contains(": allowed"));
    /// ```
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::CapTooLarge => "the cap of a retry budget is over 1,000 tokens: allowed are 0 to 1,000",
            Self::InitialOverCap => "the initial tokens of a retry budget are over its cap: allowed are 0 to the cap",
            Self::FloorOverCap => "the floor of a retry budget is over its cap: allowed are 0 to the cap",
            Self::LifetimeTooShort => "the lifetime in a retry budget is under 100 ms: allowed are 100 ms and more",
        }
    }
}

impl fmt::Display for RetryBudgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for RetryBudgetError {}
