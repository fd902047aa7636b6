//! The task that keeps the store up with the journal. Whatever goes wrong here delays queries and nothing else.

use std::{sync::Arc, time::Duration};

use fulmar_ports::{
    journal::{Journal, JournalTail, Record},
    store::StoreError,
};
use sqlx::Row;
use tokio::sync::watch;

use super::{SqliteStore, project::Failure, unavailable};

/// How long the task sleeps in the journal's tail before it looks at the file and the stop sign.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Waits after a failure: doubled from the first to the last.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

impl SqliteStore {
    /// Opens the store and follows the journal until it is closed or `stop` becomes true (or its sender is gone), and everything durable until then
    /// is stored. After a failure the store is closed and tried again; another journal than the one projected, a replaced
    /// file or a damaged one lead to a rebuild.
    pub async fn follow(&self, journal: Arc<dyn Journal>, mut stop: watch::Receiver<bool>) {
        let mut wait = BACK_OFF.0;
        loop {
            match self.follow_once(&journal, &stop, &mut wait).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, retry_ms = wait.as_millis() as u64, "store: not following, trading goes on");
                    self.close(&error.to_string()).await;
                }
            }
            let pause = tokio::time::sleep(wait);
            wait = (wait * 2).min(BACK_OFF.1);
            tokio::select! {
                () = pause => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn follow_once(&self, journal: &Arc<dyn Journal>, stop: &watch::Receiver<bool>, wait: &mut Duration) -> Result<(), StoreError> {
        self.open().await?;
        let mut tail = self.tail_of(journal).await?;
        loop {
            let stopping = *stop.borrow() || stop.has_changed().is_err();
            let sleep = if stopping { Duration::ZERO } else { LOOK_EVERY };
            let (back, batch) = read(tail, sleep, self.settings.batch).await?;
            tail = back;
            if batch.is_empty() {
                if stopping || tail.finished() {
                    return Ok(());
                }
                let open = self.opened()?;
                if !self.is_in_place(&open) {
                    return Err(StoreError::Unavailable { reason: "the database file was removed or replaced".into() });
                }
                continue;
            }
            match self.apply_batch(&batch).await {
                Ok(()) => *wait = BACK_OFF.0,
                Err(Failure::Damaged(reason)) => {
                    self.close("it is damaged and is being built anew").await;
                    tracing::error!(%reason, "store: damaged, moved aside; it is built anew");
                    self.move_aside()?;
                    return Err(StoreError::Unavailable { reason });
                }
                Err(Failure::Store(error)) => return Err(error),
            }
        }
    }

    /// A reader behind what is stored; what is stored of another journal is cleared first.
    async fn tail_of(&self, journal: &Arc<dyn Journal>) -> Result<Box<dyn JournalTail>, StoreError> {
        let open = self.opened()?;
        let row = sqlx::query("SELECT projected_seq, prev FROM progress").fetch_one(&open.writer).await.map_err(unavailable)?;
        let projected: i64 = row.try_get(0).map_err(unavailable)?;
        let prev: Vec<u8> = row.try_get(1).map_err(unavailable)?;
        let projected = u64::try_from(projected).unwrap_or_default();
        if projected == 0 {
            return Ok(journal.tail(1)?);
        }
        let (tail, last) = read(journal.tail(projected)?, Duration::ZERO, 1).await?;
        if last.first().is_some_and(|record| record.prev.as_slice() == prev) {
            return Ok(tail);
        }
        tracing::warn!(projected, "store: it was fed from another journal; it is built anew");
        self.clear().await?;
        Ok(journal.tail(1)?)
    }
}

/// Waits for records and reads them, on the pool for blocking calls.
async fn read(mut tail: Box<dyn JournalTail>, wait: Duration, max: usize) -> Result<(Box<dyn JournalTail>, Vec<Record>), StoreError> {
    let task = tokio::task::spawn_blocking(move || {
        tail.wait(wait);
        let batch = tail.read(max)?;
        Ok::<_, StoreError>((tail, batch))
    });
    task.await.map_err(|e| StoreError::Unavailable { reason: format!("reading the journal failed: {e}") })?
}
