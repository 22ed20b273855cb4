//! `cargo bench --bench circuit_breaker`
fn main() {
    seawall_benches::harness::main(seawall_benches::sections::circuit_breaker::sections);
}
