//! Changes of a table of buckets while others take from it: of its terms, by one exchange; and of all its keys at once.

use core::convert::Infallible;

use crate::keyed_buckets::config::{KeyedChangeError, KeyedConfig, WhenFull};
use crate::keyed_buckets::view::KeyedBucketsView;
use crate::rate::Rate;
use crate::time::Instant;

impl KeyedBucketsView {
    /// Changes the rate of every key from `now` on. The tokens at that instant are the same before and after; the burst
    /// stays.
    ///
    /// # Errors
    /// [`KeyedChangeError`]; the table is then as it was.
    ///
    /// # Concurrency
    /// Lock-free for three at once; takers never wait for it. One exchange, however many keys there are.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_second(1), WhenFull::FailOpen).burst(100);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// users.try_take(42, 100, Instant::ORIGIN).unwrap();
    /// let later = Instant::ORIGIN.saturating_add(Duration::from_secs(10));
    /// users.set_rate(Rate::per_second(50), later)?;
    /// assert_eq!(users.available(42, later), 10); // not 100
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_rate(&self, rate: Rate, now: Instant) -> Result<(), KeyedChangeError> {
        self.change(now, now, |old| KeyedConfig { rate, ..old })
    }

    /// Changes rate, burst and what happens when the table is full, from `now` on. The tokens at that instant are the
    /// same before and after, but those over a smaller burst are gone; under a larger burst every key earns the
    /// difference, those without an entry too.
    ///
    /// # Errors
    /// [`KeyedChangeError`]; the table is then as it was.
    ///
    /// # Concurrency
    /// As [`set_rate`](Self::set_rate).
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_second(3), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// users.set_config(config.burst(1), Instant::ORIGIN)?;
    /// assert_eq!(users.available(42, Instant::ORIGIN), 1);
    /// users.set_config(config, Instant::ORIGIN)?;
    /// assert_eq!(users.available(42, Instant::ORIGIN), 1);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_config(&self, config: KeyedConfig, now: Instant) -> Result<(), KeyedChangeError> {
        self.change(now, now, |_| config)
    }

    /// Changes the burst of every key from `now` on, and nothing else: see [`set_config`](Self::set_config).
    ///
    /// # Errors
    /// [`KeyedChangeError`]; the table is then as it was.
    ///
    /// # Concurrency
    /// As [`set_rate`](Self::set_rate); what others change meanwhile stays changed.
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_second(3), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// users.set_burst(1, Instant::ORIGIN)?;
    /// assert_eq!(users.config(), config.burst(1));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_burst(&self, burst: u32, now: Instant) -> Result<(), KeyedChangeError> {
        self.change(now, now, |old| KeyedConfig { burst, ..old })
    }

    /// Changes what becomes of a new key while the table is full, and nothing else: as under an attack.
    ///
    /// # Errors
    /// [`KeyedChangeError`]; the table is then as it was.
    ///
    /// # Concurrency
    /// As [`set_burst`](Self::set_burst).
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_second(3), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// users.set_when_full(WhenFull::FailClosed, Instant::ORIGIN)?;
    /// assert_eq!(users.config().when_full, WhenFull::FailClosed);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_when_full(&self, when_full: WhenFull, now: Instant) -> Result<(), KeyedChangeError> {
        self.change(now, now, |old| KeyedConfig { when_full, ..old })
    }

    /// Moves the table to a clock that reads `new_now` where the old one read `old_now`: what each key has on hand is the
    /// same before and after. For a clock that was set, or state that outlived the machine's boot; `old_now` is the
    /// newest reading that the table was given.
    ///
    /// # Errors
    /// [`KeyedChangeError`]; the table is then as it was.
    ///
    /// # Concurrency
    /// As [`set_rate`](Self::set_rate): one exchange, no key is touched.
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, Reason, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// let hour = Instant::ORIGIN.saturating_add(Duration::from_secs(3600));
    /// users.try_take(42, 1, hour).unwrap();
    /// assert_eq!(users.try_take(42, 1, Instant::ORIGIN).unwrap_err().reason(), Reason::ClockStepped);
    ///
    /// users.rebase(hour, Instant::ORIGIN)?;
    /// let refused = users.try_take(42, 1, Instant::ORIGIN).unwrap_err();
    /// assert_eq!(refused.retry_after(), Some(Duration::from_secs(60)));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn rebase(&self, old_now: Instant, new_now: Instant) -> Result<(), KeyedChangeError> {
        self.change(old_now, new_now, |old| old)
    }

    /// As [`rebase`](Self::rebase), after `first`, and only if that succeeds. `first` is not begun where this cannot be
    /// done; only another change that spends the range in between could still fail it.
    pub(crate) fn rebase_after<E>(
        &self,
        first: impl FnOnce() -> Result<(), E>,
        old_now: Instant,
        new_now: Instant,
    ) -> Result<Result<(), E>, KeyedChangeError> {
        self.change_after(first, old_now, new_now, |old| old)
    }

    /// Begins anew at `now`, with every bucket full and every place free, at the configuration in force. The count of
    /// what was let through goes on. For operators and tests, and for a clock that stepped by an unknown time.
    ///
    /// # Errors
    /// [`KeyedChangeError::Contended`]; the table is then as it was.
    ///
    /// # Concurrency
    /// Lock-free; not one step: what others take meanwhile may count or not.
    ///
    /// # Complexity
    /// Writes the whole table.
    ///
    /// ```
    /// use seawall::{Instant, KeyedBuckets, KeyedConfig, Rate, WhenFull};
    /// let config = KeyedConfig::new(Rate::per_minute(1), WhenFull::FailOpen);
    /// let users = KeyedBuckets::<8>::new(config, 7, Instant::ORIGIN)?;
    /// users.try_take(42, 1, Instant::MAX).unwrap();
    /// users.reset(Instant::ORIGIN)?;
    /// assert!(users.try_take(42, 1, Instant::ORIGIN).is_ok());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn reset(&self, now: Instant) -> Result<(), KeyedChangeError> {
        self.reset_after(unconditionally, now).map(|_| ())
    }

    /// As [`reset`](Self::reset), after `first`, and only if that succeeds. `first` is not begun where this cannot be
    /// done.
    pub(crate) fn reset_after<E>(
        &self,
        first: impl FnOnce() -> Result<(), E>,
        now: Instant,
    ) -> Result<Result<(), E>, KeyedChangeError> {
        let done = self.settings.change_after(first, |old| Ok(old.anew(now.as_nanos())))?;
        if done.is_ok() {
            self.clear();
        }
        Ok(done)
    }

    fn change(
        &self,
        now: Instant,
        new_now: Instant,
        to: impl Fn(KeyedConfig) -> KeyedConfig,
    ) -> Result<(), KeyedChangeError> {
        self.change_after(unconditionally, now, new_now, to).map(|_| ())
    }

    fn change_after<E>(
        &self,
        first: impl FnOnce() -> Result<(), E>,
        now: Instant,
        new_now: Instant,
        to: impl Fn(KeyedConfig) -> KeyedConfig,
    ) -> Result<Result<(), E>, KeyedChangeError> {
        self.settings.change_after(first, |old| old.next(&to(old.config()), now.as_nanos(), new_now.as_nanos()))
    }
}

/// What comes before a change that follows nothing.
const fn unconditionally() -> Result<(), Infallible> {
    Ok(())
}
