//! `cargo bench --bench guard`
fn main() {
    seawall_benches::harness::main(seawall_benches::sections::guard::sections);
}
