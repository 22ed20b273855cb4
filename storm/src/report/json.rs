//! The figures as JSON.

use std::path::Path;

use serde::Serialize;

use crate::measure::Figures;

#[derive(Serialize)]
struct Report<'a> {
    runs: &'a [Figures],
}

/// Writes `{"runs": […]}` to `path`.
pub(crate) fn write(path: &Path, runs: &[Figures]) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(&Report { runs })?;
    super::write(path, &(text + "\n"))
}
