//! How long a window looks back, and what is refused.

use core::fmt;
use core::time::Duration;

use crate::time::{SECOND, nanos};

/// How far a [`SlidingWindow`](crate::SlidingWindow) looks back.
///
/// ```
/// use core::time::Duration;
/// use seawall::WindowConfig;
/// assert_eq!(WindowConfig::DEFAULT.window, Duration::from_secs(30));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowConfig {
    /// What is older than this is forgotten. 1 ms to 365 days.
    pub window: Duration,
}

impl WindowConfig {
    /// 30 seconds.
    pub const DEFAULT: Self = Self { window: Duration::from_secs(30) };

    /// The width of one of `slices` slices.
    pub(crate) const fn slice_ns(self, slices: u64) -> Result<u64, WindowConfigError> {
        let window = nanos(self.window);
        if window < SHORTEST {
            Err(WindowConfigError::TooShort)
        } else if window > LONGEST {
            Err(WindowConfigError::TooLong)
        } else {
            Ok(window.div_ceil(slices))
        }
    }
}

const SHORTEST: u64 = SECOND / 1_000;
const LONGEST: u64 = 365 * 86_400 * SECOND;

/// Why a [`WindowConfig`] was not accepted.
///
/// ```
/// use core::time::Duration;
/// use seawall::{SlidingWindow, WindowConfig, WindowConfigError};
/// let error = SlidingWindow::<8, 64>::new(WindowConfig { window: Duration::ZERO }).unwrap_err();
/// assert_eq!(error, WindowConfigError::TooShort);
/// assert_eq!(error.to_string(), "the window is shorter than a millisecond: allowed are 1 ms to 365 days");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WindowConfigError {
    /// The window was shorter than a millisecond.
    TooShort,
    /// The window was longer than 365 days.
    TooLong,
    /// The number of slices, where it is chosen at run time, was not a power of two from 2 to 1024.
    Slices,
    /// The number of cells, where it is chosen at run time, was not a power of two from 32 to 1024.
    Cells,
    /// The number of shards, where it is chosen at run time, was not 1 to 65,536.
    Shards,
    /// The storage has fewer words than the sizes need.
    Storage,
}

impl WindowConfigError {
    /// What was wrong, and what is allowed.
    ///
    /// ```
    /// use seawall::WindowConfigError;
    /// assert!(WindowConfigError::TooShort.message().contains(": allowed"));
    /// ```
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::TooShort => "the window is shorter than a millisecond: allowed are 1 ms to 365 days",
            Self::TooLong => "the window is longer than 365 days: allowed are 1 ms to 365 days",
            Self::Slices => "the number of slices is not a power of two from 2 to 1024: allowed are 2, 4, 8 to 1024",
            Self::Cells => "the number of cells is not a power of two from 32 to 1024: allowed are 32, 64 to 1024",
            Self::Shards => "the number of shards is out of range: allowed are 1 to 65536",
            Self::Storage => {
                "the storage is too small for these sizes: allowed are as many words as they need, or more"
            }
        }
    }
}

impl fmt::Display for WindowConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for WindowConfigError {}
