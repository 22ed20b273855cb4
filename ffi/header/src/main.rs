//! Makes `include/seawall.h` of the sources of `seawall-ffi`.
//!
//! Without arguments it writes the header; with `--check` it says whether the header is what it would write.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let face = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let header = face.join("../include/seawall.h");
    let config = cbindgen::Config::from_file(face.join("cbindgen.toml")).expect("ffi/cbindgen.toml can be read");
    let bindings =
        cbindgen::Builder::new().with_crate(&face).with_config(config).generate().expect("ffi/src is understood");
    let mut text = Vec::new();
    bindings.write(&mut text);
    if std::env::args().nth(1).as_deref() != Some("--check") {
        std::fs::write(&header, text).expect("the header can be written");
        return ExitCode::SUCCESS;
    }
    if std::fs::read(&header).is_ok_and(|there| there == text) {
        return ExitCode::SUCCESS;
    }
    eprintln!("include/seawall.h is not what ffi/src says: run scripts/header");
    ExitCode::FAILURE
}
