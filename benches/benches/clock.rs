//! `cargo bench --bench clock`
fn main() {
    seawall_benches::harness::main(seawall_benches::sections::clock::sections);
}
