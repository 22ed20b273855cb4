//! [`Ratio`]: a share between 0 and 1, in parts per million.

use core::fmt;

/// A share from 0 to 1, held in parts per million.
///
/// ```
/// use seawall::Ratio;
///
/// assert_eq!(Ratio::percent(5)?, Ratio::from_ppm(50_000)?);
/// assert_eq!(Ratio::of(1, 4), Ratio::percent(25)?);
/// assert!(Ratio::percent(101).is_err());
/// # Ok::<(), seawall::RatioError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Ratio(u32);

/// A share over 1 was asked for; allowed are 0 to 1 (0 to 1,000,000 parts per million).
///
/// ```
/// use seawall::{Ratio, RatioError};
/// assert_eq!(Ratio::percent(101), Err(RatioError));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatioError;

impl RatioError {
    /// What was wrong, and what is allowed.
    ///
    /// ```
    /// assert!(seawall::RatioError.message().contains(": allowed"));
    /// ```
    #[must_use]
    pub const fn message(self) -> &'static str {
        "a ratio is over 1: allowed are 0 to 1, that is 0 to 1,000,000 parts per million"
    }
}

impl fmt::Display for RatioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for RatioError {}

const MILLION: u32 = 1_000_000;

impl Ratio {
    /// None of it.
    pub const ZERO: Self = Self(0);
    /// A half.
    pub const HALF: Self = Self(MILLION / 2);
    /// All of it.
    pub const ONE: Self = Self(MILLION);

    /// `ppm` parts per million.
    ///
    /// # Errors
    /// [`RatioError`] if `ppm` is over 1,000,000.
    ///
    /// ```
    /// assert_eq!(seawall::Ratio::from_ppm(1_000_000)?, seawall::Ratio::ONE);
    /// # Ok::<(), seawall::RatioError>(())
    /// ```
    pub const fn from_ppm(ppm: u32) -> Result<Self, RatioError> {
        if ppm > MILLION { Err(RatioError) } else { Ok(Self(ppm)) }
    }

    /// `ppm` parts per million, for the constants of this crate; more than all of it is all of it.
    pub(crate) const fn ppm(ppm: u32) -> Self {
        if ppm > MILLION { Self::ONE } else { Self(ppm) }
    }

    /// `percent` per cent.
    ///
    /// # Errors
    /// [`RatioError`] if `percent` is over 100.
    ///
    /// ```
    /// assert_eq!(seawall::Ratio::percent(50)?, seawall::Ratio::HALF);
    /// # Ok::<(), seawall::RatioError>(())
    /// ```
    pub const fn percent(percent: u32) -> Result<Self, RatioError> {
        if percent > 100 { Err(RatioError) } else { Ok(Self(percent * (MILLION / 100))) }
    }

    /// `part / whole`, rounded down to a part per million; a whole of 0 gives 0, a part over the whole gives 1.
    ///
    /// ```
    /// use seawall::Ratio;
    /// assert_eq!(Ratio::of(0, 0), Ratio::ZERO);
    /// assert_eq!(Ratio::of(3, 2), Ratio::ONE);
    /// ```
    #[must_use]
    pub const fn of(part: u64, whole: u64) -> Self {
        if whole == 0 {
            Self::ZERO
        } else if part >= whole {
            Self::ONE
        } else {
            // Under a million, as part < whole.
            Self((part as u128 * MILLION as u128 / whole as u128) as u32)
        }
    }

    /// Parts per million, 0 to 1,000,000.
    ///
    /// ```
    /// assert_eq!(seawall::Ratio::HALF.as_ppm(), 500_000);
    /// ```
    #[must_use]
    pub const fn as_ppm(self) -> u32 {
        self.0
    }

    /// This share of `whole`, rounded down.
    ///
    /// ```
    /// assert_eq!(seawall::Ratio::HALF.share_of(7), 3);
    /// ```
    #[must_use]
    pub const fn share_of(self, whole: u64) -> u64 {
        // Never more than `whole`, as the share is at most 1.
        (whole as u128 * self.0 as u128 / MILLION as u128) as u64
    }
}
