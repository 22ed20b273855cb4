//! The outbox: a client's messages in an SQLite file, so that a killed client loses none.
//!
//! A message is `pending` until a client claims it, `sending` while that client is at it, then `sent` or, after too
//! many failures, `dead` (kept for a human, not lost). A client that starts puts every `sending` back to `pending`: its
//! predecessor died without knowing how the attempt ended. The message may then be sent again, and the server stores
//! it once, as it knows messages by id.
//!
//! The file is in WAL mode with `synchronous = NORMAL`: a committed change outlives the death of the process. (To
//! outlive a power cut as well, a real outbox takes `FULL`.)

use std::path::Path;

use rusqlite::{Connection, Result, params};

/// The outbox of one client.
#[derive(Debug)]
pub(crate) struct Outbox(Connection);

/// A message that was claimed for sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) text: String,
    /// Attempts that failed so far, those of earlier processes included.
    pub(crate) failures: u32,
}

/// How many messages stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) pending: u64,
    pub(crate) sending: u64,
    pub(crate) sent: u64,
    pub(crate) dead: u64,
}

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS message (
        number   INTEGER PRIMARY KEY,
        id       TEXT NOT NULL UNIQUE,
        text     TEXT NOT NULL,
        state    TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sending', 'sent', 'dead')),
        failures INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX IF NOT EXISTS message_state ON message (state, number);";

impl Outbox {
    /// Opens the outbox at `path`, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.busy_timeout(std::time::Duration::from_secs(2))?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(connection))
    }

    /// Accepts messages, all or none.
    pub(crate) fn accept(&mut self, messages: impl IntoIterator<Item = (String, String)>) -> Result<()> {
        let transaction = self.0.transaction()?;
        for (id, text) in messages {
            transaction.prepare_cached("INSERT INTO message (id, text) VALUES (?1, ?2)")?.execute([id, text])?;
        }
        transaction.commit()
    }

    /// Puts what a dead predecessor was sending back to `pending`; how many that were.
    pub(crate) fn recover(&self) -> Result<usize> {
        self.0.execute("UPDATE message SET state = 'pending' WHERE state = 'sending'", [])
    }

    /// Claims up to `most` pending messages, the oldest first.
    pub(crate) fn claim(&self, most: usize) -> Result<Vec<Message>> {
        let mut statement = self.0.prepare_cached(
            "UPDATE message SET state = 'sending' WHERE number IN
                 (SELECT number FROM message WHERE state = 'pending' ORDER BY number LIMIT ?1)
             RETURNING id, text, failures",
        )?;
        let claimed = statement.query_map([most], |row| {
            Ok(Message { id: row.get("id")?, text: row.get("text")?, failures: row.get("failures")? })
        })?;
        claimed.collect()
    }

    /// The server has it.
    pub(crate) fn mark_sent(&self, id: &str) -> Result<()> {
        self.0.prepare_cached("UPDATE message SET state = 'sent' WHERE id = ?1")?.execute([id]).map(drop)
    }

    /// Given up on; kept for a human.
    pub(crate) fn mark_dead(&self, id: &str) -> Result<()> {
        self.0.prepare_cached("UPDATE message SET state = 'dead' WHERE id = ?1")?.execute([id]).map(drop)
    }

    /// An attempt failed; the message stays claimed.
    pub(crate) fn note_failures(&self, id: &str, failures: u32) -> Result<()> {
        self.0
            .prepare_cached("UPDATE message SET failures = ?2 WHERE id = ?1")?
            .execute(params![id, failures])
            .map(drop)
    }

    /// Counts the messages by state.
    pub(crate) fn census(&self) -> Result<Census> {
        let mut census = Census::default();
        let mut statement = self.0.prepare_cached("SELECT state, count(*) FROM message GROUP BY state")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let count = row.get(1)?;
            match row.get_ref(0)?.as_str()? {
                "pending" => census.pending = count,
                "sending" => census.sending = count,
                "sent" => census.sent = count,
                _ => census.dead = count,
            }
        }
        Ok(census)
    }

    /// Every message's id, with whether the outbox still answers for it (pending, sending or dead-lettered).
    pub(crate) fn ids(&self) -> Result<Vec<(String, bool)>> {
        let mut statement = self.0.prepare("SELECT id, state <> 'sent' FROM message ORDER BY number")?;
        let ids = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        ids.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(count: usize) -> impl Iterator<Item = (String, String)> {
        (0..count).map(|number| (format!("m-{number}"), "hello".to_owned()))
    }

    #[test]
    fn a_message_goes_from_pending_over_sending_to_sent_or_dead() {
        let directory = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(&directory.path().join("outbox.db")).unwrap();
        outbox.accept(numbered(5)).unwrap();
        let claimed = outbox.claim(3).unwrap();
        assert_eq!(claimed.len(), 3);
        outbox.mark_sent(&claimed[0].id).unwrap();
        outbox.mark_dead(&claimed[1].id).unwrap();
        assert_eq!(outbox.census().unwrap(), Census { pending: 2, sending: 1, sent: 1, dead: 1 });
        assert_eq!(outbox.ids().unwrap().iter().filter(|(_, kept)| *kept).count(), 4);
    }

    #[test]
    fn what_a_dead_client_was_sending_is_pending_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("outbox.db");
        let mut outbox = Outbox::open(&path).unwrap();
        outbox.accept(numbered(5)).unwrap();
        let claimed = outbox.claim(4).unwrap();
        outbox.note_failures(&claimed[0].id, 2).unwrap();
        drop(outbox);
        let outbox = Outbox::open(&path).unwrap();
        assert_eq!(outbox.recover().unwrap(), 4);
        assert_eq!(outbox.census().unwrap().pending, 5);
        assert_eq!(outbox.claim(1).unwrap()[0].failures, 2, "failures are remembered over a crash");
    }

    #[test]
    fn a_message_is_accepted_once() {
        let directory = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(&directory.path().join("outbox.db")).unwrap();
        outbox.accept(numbered(2)).unwrap();
        assert!(outbox.accept(numbered(3)).is_err());
        assert_eq!(outbox.census().unwrap().pending, 2, "all or none");
    }
}
