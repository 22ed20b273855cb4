//! What is shown of the runs: a table, JSON, a picture, a page.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use anyhow::Context;

mod figure;
mod legend;
mod page;
mod series;

pub(crate) mod json;
pub(crate) mod panel;
pub(crate) mod table;

pub(crate) use figure::figure;
pub(crate) use page::page;

/// Whether `path` could be written, without leaving a trace: so that this is known before the runs and not after.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    if path.exists() {
        return OpenOptions::new().append(true).open(path).map(drop);
    }
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "allowed is the name of a file"));
    }
    // What is missing on the way there will be made.
    let there = path.ancestors().skip(1).find(|ancestor| ancestor.as_os_str().is_empty() || ancestor.exists());
    let there = there.filter(|ancestor| !ancestor.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::tempfile_in(there).map(drop)
}

/// Writes `text` to `path`, whose directory is made if need be.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_judged_before_the_runs_and_without_a_trace() {
        let directory = tempfile::tempdir().unwrap();
        let of = |path: &str| directory.path().join(path);
        std::fs::write(of("file"), "old").unwrap();
        for good in ["new", "made/on/the/way", "file"] {
            check(&of(good)).unwrap();
            write(&of(good), "text").unwrap();
            std::fs::remove_file(of(good)).unwrap();
            std::fs::write(of("file"), "old").unwrap();
        }
        check(Path::new("new")).unwrap();
        check(Path::new("/dev/null")).unwrap();
        for bad in ["", "file/below", "new/", "made/.."] {
            assert!(check(&of(bad)).is_err(), "{bad:?}");
        }
        assert!(check(Path::new("/proc/new/file")).is_err());
        assert_eq!(std::fs::read_to_string(of("file")).unwrap(), "old");
    }
}
