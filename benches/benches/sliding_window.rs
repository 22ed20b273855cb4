//! `cargo bench --bench sliding_window`
fn main() {
    seawall_benches::harness::main(seawall_benches::sections::sliding_window::sections);
}
