//! `cargo bench --bench keyed_buckets`
fn main() {
    seawall_benches::harness::main(seawall_benches::sections::keyed_buckets::sections);
}
