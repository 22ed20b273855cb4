//! `cargo bench --bench retry`
fn main() {
    seawall_benches::harness::main(seawall_benches::sections::retry::sections);
}
