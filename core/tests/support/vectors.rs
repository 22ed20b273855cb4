//! Test vectors: what an oracle decided, in lines that a page of C can parse.
//!
//! A file is a list of lines. An empty line or one that starts with `#` says nothing. Any other is
//! an operation, its arguments, `->`, and the decision that must come out:
//!
//! ```text
//! new rate_count=10 period_ns=1000000000 burst=10 fill=full -> ok
//! try_take n=1 now=0 -> ok
//! try_take n=10 now=0 -> refused reason=not_yet retry_after_ns=100000000
//! ```
//!
//! One space between words; a word is a name or `name=value`; a value is a decimal `u64` or a
//! name; `none` stands for an absent value. `new` starts a fresh object.
//!
//! The oracle writes the lines, the product replays them. `SEAWALL_WRITE_VECTORS=1` writes the
//! files anew; without it a file that differs from what the oracle says fails the test.

use std::fmt::Write as _;
use std::path::PathBuf;

use seawall::Outcome;

/// One line: an operation with arguments, and the expected decision.
pub struct Step<'a> {
    pub operation: &'a str,
    arguments: Vec<(&'a str, &'a str)>,
    pub expected: &'a str,
}

impl<'a> Step<'a> {
    pub fn parse(line: &'a str) -> Self {
        let (left, expected) = line.split_once(" -> ").unwrap_or_else(|| panic!("no arrow in: {line}"));
        let mut words = left.split(' ');
        let operation = words.next().expect("split gives at least one word");
        let arguments =
            words.map(|word| word.split_once('=').unwrap_or_else(|| panic!("no value in: {word}"))).collect();
        Self { operation, arguments, expected }
    }

    /// The argument `name` as it stands.
    pub fn word(&self, name: &str) -> &'a str {
        self.arguments.iter().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("no {name} in {}", self.operation)).1
    }

    /// The argument `name` as a number.
    pub fn number(&self, name: &str) -> u64 {
        self.word(name).parse().unwrap_or_else(|_| panic!("{name} is no number"))
    }

    /// The argument `name` as an outcome, in the words of [`outcome_word`].
    pub fn outcome(&self, name: &str) -> Outcome {
        match self.word(name) {
            "success" => Outcome::Success,
            "failure" => Outcome::Failure,
            "throttled" => Outcome::Throttled(None),
            "ignored" => Outcome::Ignored,
            other => panic!("{name} is no outcome: {other}"),
        }
    }

    /// The argument `name` as a number, or nothing where it says `none`.
    pub fn optional(&self, name: &str) -> Option<u64> {
        (self.word(name) != "none").then(|| self.number(name))
    }
}

/// An outcome in the word of the files, where a throttle names no pause.
pub fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Throttled(None) => "throttled",
        Outcome::Ignored => "ignored",
        other => panic!("the files have no word for {other:?}"),
    }
}

/// Holds `lines` (the oracle's) against the committed file `core/tests/vectors/<name>.txt`, then gives each step to
/// `replay`, which answers with what the product decided, in the words of the file.
pub fn check(name: &str, lines: &[String], mut replay: impl FnMut(&Step) -> String) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(format!("{name}.txt"));
    let mut text = format!("# seawall test vectors, format 1: {name}. Written by the oracle of core/tests.\n");
    for line in lines {
        writeln!(text, "{line}").expect("a String takes all");
    }
    if std::env::var_os("SEAWALL_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &text).expect("the folder of vectors can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(
        committed == text,
        "{} is not what the oracle says: SEAWALL_WRITE_VECTORS=1 writes it anew",
        path.display()
    );
    for (number, line) in committed.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let step = Step::parse(line);
        let got = replay(&step);
        assert_eq!(got, step.expected, "{name}.txt line {}: {line}", number + 1);
    }
}
