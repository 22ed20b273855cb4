//! Open files: each request in flight is a socket at either end, and a storm has many.

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::lab::params::{Disturbance, Params};

/// Beside the sockets: logs, outboxes, connections that are kept.
const BESIDES: f64 = 500.0;

/// Lets this process and its children open as many files as the system allows it; fails if the server would not have
/// enough for `params`.
pub(super) fn allow_files(params: &Params) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    let messages = if let Disturbance::Herd(messages) = params.disturbance { f64::from(messages) } else { 0.0 };
    // A call is sent four times at most, and each attempt is out for a time-out at most.
    let need = (4.0 * params.load * params.capacity * params.timeout_s + messages + BESIDES).ceil();
    ensure!(
        limit.maximum.is_none_or(|most| most as f64 >= need),
        "this needs {need} open files in one process, and the system allows {}: raise `ulimit -Hn`",
        limit.maximum.unwrap_or(u64::MAX)
    );
    Ok(())
}
