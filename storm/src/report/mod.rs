//! What is shown of the runs: a table, JSON, a picture, a page.

use std::path::Path;

use anyhow::Context;

mod figure;
mod page;
mod panel;
mod series;

pub(crate) mod json;
pub(crate) mod table;

pub(crate) use figure::figure;
pub(crate) use page::page;

/// Writes `text` to `path`, whose directory is made if need be.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}
