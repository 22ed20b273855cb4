use std::time::Duration;

use gungraun::{library_benchmark, library_benchmark_group};
use seawall::{Instant, OneWriter, OwnedWindow, Ratio, ShardedWindow, SlidingWindow, WindowConfig};

use crate::leaked;

type Window = SlidingWindow<16, 512>;

const SECOND: WindowConfig = WindowConfig { window: Duration::from_secs(1) };
const END: Instant = Instant::from_nanos(999_999_999);

/// 8,192 samples all over its second, in so many octaves.
fn of_octaves(octaves: u32) -> &'static Window {
    let window = Window::new(SECOND).unwrap();
    for number in 0..8_192_u64 {
        let now = Instant::from_nanos(number * 122_070);
        let octave = (number % u64::from(octaves)) as u32;
        let latency = (8_192 + number * 7_919 % 8_192) << octave;
        window.record(Duration::from_nanos(latency), true, now);
    }
    leaked(window)
}

#[library_benchmark]
#[bench::is(of_octaves(6))]
fn window_record(window: &'static Window) {
    window.record(Duration::from_micros(300), true, END);
}

// Longer than the latencies whose code is the latency itself, and not the longest.
#[library_benchmark]
#[bench::is(of_octaves(24))]
fn window_record_of_a_second(window: &'static Window) {
    window.record(Duration::from_secs(1), true, END);
}

fn owned() -> OwnedWindow<'static, 16, 512> {
    let windows = leaked(ShardedWindow::<2, 16, 512, OneWriter>::for_owners(SECOND).unwrap());
    let mut owned = windows.own(1).unwrap();
    owned.record(Duration::from_micros(300), true, END);
    owned
}

#[library_benchmark]
#[bench::is(&mut *Box::leak(Box::new(owned())))]
fn window_record_of_an_owner(window: &'static mut OwnedWindow<'static, 16, 512>) {
    window.record(Duration::from_micros(300), true, END);
}

#[library_benchmark]
#[bench::of_6_octaves(of_octaves(6))]
#[bench::of_24_octaves(of_octaves(24))]
fn window_p95(window: &'static Window) -> Option<Duration> {
    window.quantile(Ratio::percent(95).unwrap(), END)
}

library_benchmark_group!(
    name = window_paths,
    benchmarks = [window_record, window_record_of_a_second, window_record_of_an_owner, window_p95]
);
