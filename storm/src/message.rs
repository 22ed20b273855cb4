//! [`Message`]: what clients and server send each other.

use serde::{Deserialize, Serialize};

/// A message on the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) text: String,
}
