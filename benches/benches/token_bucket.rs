//! `cargo bench --bench token_bucket`
fn main() {
    seawall_benches::harness::main(seawall_benches::sections::token_bucket::sections);
}
