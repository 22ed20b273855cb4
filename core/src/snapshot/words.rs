//! Words, numbers and durations into a text of bounded length, sentence by sentence.

use core::time::Duration;

use heapless::String;

use crate::rate::Rate;
use crate::time::{SECOND, nanos};

/// Where words go.
pub(super) trait Words {
    fn say(&mut self, word: &str);
}

/// Counts the bytes only.
struct Length(usize);

impl Words for Length {
    fn say(&mut self, word: &str) {
        self.0 = self.0.saturating_add(word.len());
    }
}

impl<const N: usize> Words for String<N> {
    fn say(&mut self, word: &str) {
        // There is room: the sentence was measured.
        let _ = self.push_str(word);
    }
}

/// A caller's memory.
pub(super) struct Buffer<'a> {
    bytes: &'a mut [u8],
    length: usize,
}

impl<'a> Buffer<'a> {
    pub(super) const fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, length: 0 }
    }

    pub(super) fn text(self) -> &'a str {
        // Words are text, and each was written whole or not at all.
        self.bytes.get(..self.length).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl Words for Buffer<'_> {
    fn say(&mut self, word: &str) {
        // There is room: the sentence was measured.
        let Some(place) = self.bytes.get_mut(self.length..).and_then(|rest| rest.get_mut(..word.len())) else { return };
        for (to, from) in place.iter_mut().zip(word.as_bytes()) {
            *to = *from;
        }
        self.length += word.len();
    }
}

/// A text of at most `room` bytes, of whole sentences.
pub(super) struct Text<'a> {
    to: &'a mut dyn Words,
    length: usize,
    room: usize,
    is_full: bool,
}

impl<'a> Text<'a> {
    pub(super) fn new(to: &'a mut dyn Words, room: usize) -> Self {
        Self { to, length: 0, room, is_full: false }
    }

    /// Adds what `tell` says as a sentence, or nothing at all from the first one on that does not fit. `tell` is asked
    /// twice, and says the same.
    pub(super) fn sentence(&mut self, tell: &dyn Fn(&mut dyn Words)) {
        let mut length = Length(if self.length == 0 { 0 } else { 1 });
        tell(&mut length);
        if self.is_full || length.0 > self.room.saturating_sub(self.length) {
            self.is_full = true;
            return;
        }
        if self.length != 0 {
            self.to.say(" ");
        }
        tell(self.to);
        // At most the room.
        self.length += length.0;
    }
}

/// In decimal.
pub(super) fn number(to: &mut dyn Words, value: u64) {
    const DIGITS: &str = "0123456789";
    // From the highest digit on: at most twenty deep.
    if value >= 10 {
        number(to, value / 10);
    }
    let digit = (value % 10) as usize;
    to.say(DIGITS.get(digit..=digit).unwrap_or_default());
}

/// `tenths` tenths: "7", "0.7".
pub(super) fn tenths(to: &mut dyn Words, tenths: u64) {
    number(to, tenths / 10);
    if !tenths.is_multiple_of(10) {
        to.say(".");
        number(to, tenths % 10);
    }
}

/// `count` and what it counts: "1 attempt", "12 attempts".
pub(super) fn counted(to: &mut dyn Words, count: u64, one: &str, many: &str) {
    number(to, count);
    to.say(" ");
    to.say(if count == 1 { one } else { many });
}

/// In the unit that suits, rounded up: "850 ns", "1.5 ms", "30 s", "5 min".
pub(super) fn duration(to: &mut dyn Words, duration: Duration) {
    const UNITS: [(u64, u64, &str); 6] = [
        (1_000, 1_000, " µs"),
        (1_000_000, 1_000, " ms"),
        (SECOND, 120, " s"),
        (60 * SECOND, 120, " min"),
        (3_600 * SECOND, 48, " h"),
        (86_400 * SECOND, u64::MAX, " d"),
    ];
    let nanos = nanos(duration);
    if nanos < 1_000 {
        number(to, nanos);
        return to.say(" ns");
    }
    for (unit, end, name) in UNITS {
        let whole = nanos.div_ceil(unit);
        if whole < end {
            let fine = nanos.div_ceil(unit / 10);
            // Whole ones from ten up: nobody asks for more.
            if fine < 100 {
                tenths(to, fine)
            } else {
                number(to, whole)
            }
            return to.say(name);
        }
    }
}

/// "20/s", "3/min", "7 in 1.5 s".
pub(super) fn rate(to: &mut dyn Words, rate: Rate) {
    const UNITS: [(u64, &str); 4] =
        [(SECOND, "/s"), (60 * SECOND, "/min"), (3_600 * SECOND, "/h"), (86_400 * SECOND, "/d")];
    number(to, rate.count());
    match UNITS.iter().find(|(period, _)| nanos(rate.period()) == *period) {
        Some((_, name)) => to.say(name),
        None => {
            to.say(" in ");
            duration(to, rate.period());
        }
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    fn said(tell: impl Fn(&mut dyn Words)) -> std::string::String {
        let mut text = String::<64>::new();
        Text::new(&mut text, 64).sentence(&tell);
        text.as_str().into()
    }

    #[test]
    fn numbers_are_said_in_decimal() {
        for value in [0, 1, 9, 10, 99, 100, 1_000_000_007, u64::MAX - 1, u64::MAX] {
            assert_eq!(said(|to| number(to, value)), std::format!("{value}"));
        }
    }

    #[test]
    fn a_wait_is_never_said_too_short() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1 µs"),
            (1_001, "1.1 µs"),
            (50_000_000, "50 ms"),
            (700_000_000, "700 ms"),
            (999_000_001, "1 s"),
            (1_000_000_001, "1.1 s"),
            (9_900_000_001, "10 s"),
            (29_999_999_999, "30 s"),
            (119 * SECOND, "119 s"),
            (119 * SECOND + 1, "2 min"),
            (7_200 * SECOND, "2 h"),
            (48 * 3_600 * SECOND, "2 d"),
            (u64::MAX, "213504 d"),
        ];
        for (nanos, words) in cases {
            assert_eq!(said(|to| duration(to, Duration::from_nanos(nanos))), words);
        }
    }

    #[test]
    fn a_rate_is_said_in_the_unit_that_it_was_given_in() {
        assert_eq!(said(|to| rate(to, Rate::per_second(20))), "20/s");
        assert_eq!(said(|to| rate(to, Rate::per_minute(1))), "1/min");
        assert_eq!(said(|to| rate(to, Rate::per_hour(3))), "3/h");
        assert_eq!(said(|to| rate(to, Rate::per_day(3))), "3/d");
        assert_eq!(said(|to| rate(to, Rate::new(7, Duration::from_millis(1_500)).unwrap())), "7 in 1.5 s");
    }

    #[test]
    fn a_text_ends_at_the_first_sentence_that_does_not_fit() {
        let said = |room, sentences: &[&str]| {
            let (mut string, mut bytes) = (String::<16>::new(), [0; 16]);
            let mut buffer = Buffer::new(&mut bytes);
            for to in [&mut string as &mut dyn Words, &mut buffer] {
                let mut text = Text::new(to, room);
                for sentence in sentences {
                    text.sentence(&|to| to.say(sentence));
                }
            }
            assert_eq!(buffer.text(), string);
            string
        };
        assert_eq!(said(10, &["Some.", "Much too long.", "So."]), "Some.");
        assert_eq!(said(9, &["Some.", "So."]), "Some. So.");
        assert_eq!(said(8, &["Some.", "So."]), "Some.");
    }

    #[test]
    fn what_is_said_past_the_end_of_a_buffer_is_left_out_as_a_whole() {
        let mut bytes = [0; 5];
        let mut buffer = Buffer::new(&mut bytes);
        for word in ["µs", "Ωmega", "s."] {
            buffer.say(word);
        }
        assert_eq!(buffer.text(), "µss.");
    }
}
