//! `cargo bench --bench storm`
fn main() {
    seawall_benches::harness::main(seawall_benches::sections::storm::sections);
}
