//! Several threads: started once, pinned, released together by a spin barrier for windows of a millisecond.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::Pid;

use crate::alone::calls_in;
use crate::row::{Batch, Section};

/// How long a window lasts.
const WINDOW: Duration = Duration::from_millis(1);
/// How long the calls between two looks at the clock take, on one thread.
const CHUNK_NS: f64 = 8_000.0;

/// What a thread did in a window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    calls: u64,
    right: u64,
    took: Duration,
    preempted: bool,
}

/// What a row reached, one of each a round.
#[derive(Default)]
pub struct Rates {
    /// The calls a second of one thread.
    pub one: Vec<f64>,
    /// The calls a second of all together.
    pub all: Vec<f64>,
}

/// Until when a thread calls.
#[derive(Clone, Copy)]
enum Until {
    Time(Duration),
    Calls(u64),
}

struct Job {
    batch: Arc<Mutex<Batch>>,
    chunk: u64,
    until: Until,
    arrived: Arc<AtomicUsize>,
    threads: usize,
}

/// Threads that wait for work, each on a core of its own.
pub struct Crew {
    jobs: Vec<Sender<Job>>,
    done: Receiver<Window>,
}

impl Crew {
    /// Starts so many threads; they end with the program.
    ///
    /// # Panics
    /// Where the system starts no more threads.
    #[must_use]
    pub fn start(threads: usize) -> Self {
        let (report, done) = mpsc::channel();
        let jobs = (0..threads)
            .map(|thread| {
                let (sender, jobs) = mpsc::channel::<Job>();
                let report = report.clone();
                std::thread::spawn(move || {
                    pin(thread);
                    for job in jobs {
                        if report.send(job.run()).is_err() {
                            return;
                        }
                    }
                });
                sender
            })
            .collect();
        Self { jobs, done }
    }

    /// One window on as many threads as there are batches, from the `first` one on.
    fn run(&self, first: usize, batches: &[Arc<Mutex<Batch>>], chunk: u64, until: Until) -> Vec<Window> {
        let arrived = Arc::new(AtomicUsize::new(0));
        let threads = batches.len();
        for (jobs, batch) in self.jobs[first..].iter().zip(batches) {
            let (batch, arrived) = (Arc::clone(batch), Arc::clone(&arrived));
            jobs.send(Job { batch, chunk, until, arrived, threads }).expect("a thread of the crew is gone");
        }
        batches.iter().map(|_| self.done.recv().expect("a thread of the crew is gone")).collect()
    }

    /// The longest time that any of the threads takes for its `calls`.
    #[must_use]
    pub fn calls(&self, batches: &[Arc<Mutex<Batch>>], calls: u64) -> Duration {
        let chunk = calls.clamp(1, 4_096);
        let windows = self.run(0, batches, chunk, Until::Calls(calls));
        windows.iter().map(|window| window.took).max().unwrap_or_default()
    }

    /// The rates of each row that can be shared, for as many threads as the section asks for; and how many windows were thrown away because a thread was taken off its core.
    pub fn measure(&self, section: &Section, workers: Vec<Vec<Batch>>, rounds: usize) -> (Vec<Rates>, usize) {
        let rows = section.rows.len();
        let workers: Vec<Vec<Arc<Mutex<Batch>>>> = workers
            .into_iter()
            .map(|threads| threads.into_iter().map(|batch| Arc::new(Mutex::new(batch))).collect())
            .collect();
        let chunks: Vec<u64> = workers
            .iter()
            .map(|threads| {
                let mut first = threads[0].lock().expect("no batch has panicked");
                let calls = calls_in(&mut first, CHUNK_NS);
                first(0);
                calls
            })
            .collect();
        let mut right = vec![0; rows];
        let mut figures: Vec<Rates> = (0..rows).map(|_| Rates::default()).collect();
        let mut thrown_away = 0;
        for round in 0..rounds {
            for step in 0..rows {
                let row = (round + step) % rows;
                if !section.rows[row].is_shared {
                    continue;
                }
                let mut rate = |first: usize, threads: usize| loop {
                    let until = Until::Time(WINDOW);
                    let windows = self.run(first, &workers[row][first..first + threads], chunks[row], until);
                    let sum = |count: fn(&Window) -> u64| windows.iter().map(count).sum::<u64>();
                    section.rows[row].check(sum(|window| window.right), sum(|window| window.calls));
                    right[row] += sum(|window| window.right);
                    if windows.iter().any(|window| window.preempted) && thrown_away < 4 * rounds * rows {
                        thrown_away += 1;
                        continue;
                    }
                    let a_second = |window: &Window| window.calls as f64 / window.took.as_secs_f64();
                    break windows.iter().map(a_second).sum::<f64>();
                };
                // The one is each of them in turn, as cores differ by what else is done on them.
                let (one, all) = (rate(round % section.together, 1), rate(0, section.together));
                figures[row].one.push(one);
                figures[row].all.push(all);
            }
        }
        for (row, right) in section.rows.iter().zip(right) {
            assert!(!row.is_shared || right > 0, "{}: not even a trickle was allowed", row.name);
        }
        (figures, thrown_away)
    }
}

impl Job {
    fn run(self) -> Window {
        let mut batch = self.batch.lock().expect("no batch has panicked");
        batch(0);
        let switches = preempted();
        self.arrived.fetch_add(1, Ordering::AcqRel);
        while self.arrived.load(Ordering::Acquire) < self.threads {
            std::hint::spin_loop();
        }
        let mut window = Window::default();
        let start = Instant::now();
        loop {
            let chunk = match self.until {
                Until::Calls(calls) => self.chunk.min(calls - window.calls),
                Until::Time(_) => self.chunk,
            };
            window.right += batch(chunk);
            window.calls += chunk;
            window.took = start.elapsed();
            let is_over = match self.until {
                Until::Time(time) => window.took >= time,
                Until::Calls(calls) => window.calls >= calls,
            };
            if is_over {
                window.preempted = preempted() != switches;
                batch(0);
                return window;
            }
        }
    }
}

/// The cores that the program was given, asked before any thread is held to one.
fn given() -> &'static [usize] {
    static GIVEN: OnceLock<Vec<usize>> = OnceLock::new();
    GIVEN.get_or_init(|| {
        let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
        (0..CpuSet::count()).filter(|&core| set.is_set(core).unwrap_or(false)).take(64).collect()
    })
}

/// How many cores the program was given, at least one and at most 64.
#[must_use]
pub fn cores() -> usize {
    given().len().max(1)
}

/// Holds this thread to one of the cores. Where that is refused, it goes where it goes.
pub fn pin(thread: usize) {
    let cores = given();
    let mut one = CpuSet::new();
    if !cores.is_empty() && one.set(cores[thread % cores.len()]).is_ok() {
        let _ = sched_setaffinity(Pid::from_raw(0), &one);
    }
}

/// How often this thread was taken off its core.
pub fn preempted() -> i64 {
    getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| usage.involuntary_context_switches())
}
