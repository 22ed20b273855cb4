//! `cargo bench --bench concurrency_limit`
fn main() {
    seawall_benches::harness::main(seawall_benches::sections::concurrency_limit::sections);
}
