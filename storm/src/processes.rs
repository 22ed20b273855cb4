//! Child processes, and that none of them outlives this one.
//!
//! Every child is this same program under a hidden name. A child is killed when its handle is dropped, which covers
//! every way out of the orchestrator but its own SIGKILL; for that, each child watches its standard input, which the
//! orchestrator holds open, and ends at the end of it.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context;

/// How often a wait looks whether the user interrupted it.
const LISTEN: Duration = Duration::from_millis(20);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The user pressed Ctrl-C, or the system asked this program to end.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted: every process was ended and every temporary file removed")
    }
}

impl std::error::Error for Interrupted {}

/// From now on Ctrl-C (and SIGTERM, SIGHUP) make [`go_on`] fail instead of ending the program at once.
pub(crate) fn catch_interrupts() -> anyhow::Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)).context("Ctrl-C cannot be caught")
}

/// Ctrl-C (and SIGTERM, SIGHUP) end this process at once, also where a shell started it in the background, which has its
/// commands ignore Ctrl-C.
pub(crate) fn end_on_interrupt() -> anyhow::Result<()> {
    ctrlc::set_handler(|| std::process::exit(130)).context("Ctrl-C cannot be caught")
}

/// Fails once the user has interrupted.
pub(crate) fn go_on() -> Result<(), Interrupted> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err(Interrupted) } else { Ok(()) }
}

/// Ends this (child) process as soon as its parent is gone.
pub(crate) fn die_with_parent() {
    std::thread::spawn(|| {
        let mut nothing = [0; 16];
        // Nothing is ever written: the read returns at the end of the parent.
        while matches!(std::io::stdin().read(&mut nothing), Ok(1..)) {}
        std::process::exit(1);
    });
}

/// A running child; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts this program with `arguments`.
    pub(crate) fn start(name: impl Into<String>, arguments: &[String]) -> anyhow::Result<Self> {
        let name = name.into();
        let program = std::env::current_exe().context("this program does not know where it lies")?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A Ctrl-C at the terminal reaches the orchestrator alone: it ends the children in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("the {name} cannot be started"))?;
        Ok(Self { name, child })
    }

    /// The first line that it prints; an interrupt ends the wait for it.
    pub(crate) fn first_line(&mut self) -> anyhow::Result<String> {
        let output = self.child.stdout.take().context("the output is read once")?;
        let (sender, receiver) = mpsc::channel();
        // A read cannot be interrupted. This one ends with the child, which does not outlive its handle.
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(output).read_line(&mut line).map(|_| line);
            // Nobody waits any more after an interrupt.
            let _ = sender.send(read);
        });
        let line = loop {
            go_on()?;
            match receiver.recv_timeout(LISTEN) {
                Ok(line) => break line?,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => anyhow::bail!("the {} cannot be heard", self.name),
            }
        };
        anyhow::ensure!(!line.is_empty(), "the {} ended without a word", self.name);
        Ok(line.trim().to_owned())
    }

    /// SIGKILL: it gets no chance to tidy up.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Fails if it ended by itself.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("the {} ended by itself: {status}", self.name),
        }
    }

    fn end(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
