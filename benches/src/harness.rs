//! The same rows under criterion: `cargo bench`, one file a mechanism.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};

use crate::crew::{Crew, pin};
use crate::row::{Batch, Section};

/// Runs the sections and ends as criterion's own `main` does.
pub fn main(sections: impl FnOnce() -> Vec<Section> + Send + 'static) {
    crate::sections::with_room(move || {
        pin(0);
        let mut criterion = Criterion::default()
            .warm_up_time(Duration::from_millis(50))
            .measurement_time(Duration::from_millis(250))
            .sample_size(20)
            .configure_from_args();
        for section in sections() {
            let mut group = criterion.benchmark_group(section.name);
            run(&mut group, section);
            group.finish();
        }
        criterion.final_summary();
    });
}

fn run(group: &mut BenchmarkGroup<'_, WallTime>, section: Section) {
    let crew = Crew::start(section.together);
    for row in &section.rows {
        let mut batches: Vec<Batch> = (0..section.together.max(1)).map(|thread| row.worker(thread)).collect();
        // Once before it is measured: it does what it says.
        row.check(batches[0](1_000), 1_000);
        batches[0](0);
        if section.alone {
            group.bench_function(&row.name, |bencher| {
                bencher.iter_custom(|calls| {
                    let start = Instant::now();
                    batches[0](calls);
                    start.elapsed()
                });
            });
        }
        if section.together > 1 && row.is_shared {
            let batches: Vec<_> = batches.into_iter().map(|batch| Arc::new(Mutex::new(batch))).collect();
            group.bench_function(format!("{}, {} threads", row.name, section.together), |bencher| {
                bencher.iter_custom(|calls| crew.calls(&batches, calls));
            });
        }
    }
}
