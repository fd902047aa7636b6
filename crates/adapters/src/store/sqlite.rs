//! The projection in a SQLite file.
//!
//! `project` writes journal records into tables, `follow` is the task that keeps the tables up with the journal, `query`
//! answers questions, `value` turns domain values into columns and back.
//!
//! [`SqliteStore::new`] never fails: the file is opened in the background by [`SqliteStore::follow`], again and again while
//! it is missing or locked, and until then queries answer [`StoreError::Unavailable`]. A file that is no database is moved
//! aside and built anew, for the journal has everything.
//!
//! Invariant: the tables hold exactly the records 1 to `projected_seq`; both change in one transaction.

mod follow;
mod project;
mod query;
mod value;

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use fulmar_ports::store::StoreError;
use parking_lot::Mutex;
use sqlx::{
    Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Settings of the embedded store.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The database file; its folder is created when missing.
    pub path: PathBuf,
    /// A query ends after this many milliseconds.
    pub query_limit_ms: u64,
    /// A write waits this long for another process's lock, in milliseconds.
    pub busy_ms: u64,
    /// Connections for queries.
    pub readers: u32,
    /// Records per transaction.
    pub batch: usize,
}

impl StoreSettings {
    /// The defaults for the given file: 2 s per query, 1 s for a lock, 4 readers, 5,000 records per transaction.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), query_limit_ms: 2_000, busy_ms: 1_000, readers: 4, batch: 5_000 }
    }
}

/// An open database: one connection writes, the others read.
#[derive(Clone)]
struct Open {
    writer: SqlitePool,
    readers: SqlitePool,
    /// Device and inode, to notice that the file was replaced or removed.
    file: (u64, u64),
}

enum State {
    Closed(String),
    Open(Open),
}

/// The store in a SQLite file.
pub struct SqliteStore {
    settings: StoreSettings,
    state: Mutex<State>,
}

impl SqliteStore {
    /// A store that is not open yet.
    pub fn new(settings: StoreSettings) -> Self {
        Self { settings, state: Mutex::new(State::Closed("it has not been opened yet".into())) }
    }

    /// Opens the file, creating or migrating it. A file that is no (sound) database is moved to `<name>.damaged` first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: no access, locked, or a newer version wrote it.
    pub async fn open(&self) -> Result<(), StoreError> {
        self.close("it is being opened").await;
        let opened = match self.connect().await {
            Err(error) if is_damaged(&error) => {
                tracing::error!(path = %self.settings.path.display(), %error, "store: damaged, moved aside; it is built anew");
                self.move_aside()?;
                self.connect().await
            }
            other => other,
        };
        match opened {
            Ok(open) => {
                *self.state.lock() = State::Open(open);
                Ok(())
            }
            Err(error) => {
                let reason = format!("{}: {error}", self.settings.path.display());
                *self.state.lock() = State::Closed(reason.clone());
                Err(StoreError::Unavailable { reason })
            }
        }
    }

    /// Closes the file; queries answer [`StoreError::Unavailable`] with the reason.
    pub async fn close(&self, reason: &str) {
        let before = std::mem::replace(&mut *self.state.lock(), State::Closed(reason.to_owned()));
        if let State::Open(open) = before {
            open.readers.close().await;
            open.writer.close().await;
        }
    }

    async fn connect(&self) -> Result<Open, sqlx::Error> {
        let path = &self.settings.path;
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            fs::create_dir_all(dir)?;
        }
        let busy = Duration::from_millis(self.settings.busy_ms);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(busy);
        // Above the lock's own limit, so that a lock is reported as such.
        let acquire = busy + Duration::from_secs(2);
        let writer = SqlitePoolOptions::new().max_connections(1).acquire_timeout(acquire).connect_with(options).await?;
        MIGRATIONS.run(&writer).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(inner) => inner,
            other => sqlx::Error::Protocol(other.to_string()),
        })?;
        let readers = SqlitePoolOptions::new()
            .max_connections(self.settings.readers.max(1))
            .acquire_timeout(Duration::from_millis(self.settings.query_limit_ms))
            .connect_lazy_with(SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(busy));
        let meta = fs::metadata(path)?;
        Ok(Open { writer, readers, file: (meta.dev(), meta.ino()) })
    }

    fn move_aside(&self) -> Result<(), StoreError> {
        let with = |suffix: &str| {
            let mut name = self.settings.path.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        let failed = |e: std::io::Error| StoreError::Unavailable { reason: format!("moving the damaged file aside: {e}") };
        fs::rename(&self.settings.path, with(".damaged")).map_err(failed)?;
        for suffix in ["-wal", "-shm"] {
            match fs::remove_file(with(suffix)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
                _ => {}
            }
        }
        Ok(())
    }

    fn opened(&self) -> Result<Open, StoreError> {
        match &*self.state.lock() {
            State::Open(open) => Ok(open.clone()),
            State::Closed(reason) => Err(StoreError::Unavailable { reason: reason.clone() }),
        }
    }

    /// True when the open file is still the one at the path.
    fn is_in_place(&self, open: &Open) -> bool {
        fs::metadata(&self.settings.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == open.file)
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.settings.path
    }

    /// A digest of the content of every table: equal for equal content, whatever the order in which it was written.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn digest(&self) -> Result<String, StoreError> {
        use sha2::{Digest, Sha256};
        let open = self.opened()?;
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' \
                      AND name NOT LIKE 'sqlite%' ORDER BY name";
        let names: Vec<String> = sqlx::query_scalar(tables).fetch_all(&open.readers).await.map_err(unavailable)?;
        let mut hash = Sha256::new();
        for name in names {
            let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?) ORDER BY cid")
                .bind(&name)
                .fetch_all(&open.readers)
                .await
                .map_err(unavailable)?;
            let quoted: Vec<String> = columns.iter().map(|c| format!("quote(\"{c}\")")).collect();
            // Table and column names come from the schema itself.
            let sql = format!("SELECT {} AS line FROM \"{name}\" ORDER BY line", quoted.join(" || '|' || "));
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&open.readers).await.map_err(unavailable)?;
            hash.update(name.as_bytes());
            for row in rows {
                let line: String = row.try_get(0).map_err(unavailable)?;
                hash.update(line.as_bytes());
                hash.update(b"\n");
            }
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn unavailable(error: sqlx::Error) -> StoreError {
    StoreError::Unavailable { reason: error.to_string() }
}

/// SQLITE_CORRUPT (11) or SQLITE_NOTADB (26), extended codes included.
fn is_damaged(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(inner) => {
            inner.code().and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| matches!(code & 0xff, 11 | 26))
        }
        _ => false,
    }
}
