//! The embedded lease: a folder with one small file per epoch; the highest epoch counts.
//!
//! No lock is held at any time, so a process that is stopped in the middle of a call (SIGSTOP, a paused machine) blocks
//! nobody. Exclusion comes from two facts: a file `epoch-N` can be created by one process only, and each side writes its
//! own file before it looks at the other's.
//!
//! - To acquire: create `epoch-(N+1)` as a claim without expiry; look at every lower epoch: if one belongs to another holder
//!   and is in force, withdraw the claim; write the expiry; look for a higher epoch: if there is one, give way.
//! - To renew: write the new expiry into the own file; look for a higher epoch: if there is one, the lease is lost.
//!
//! A renewal and a steal that overlap see each other's file in at least one of the two looks, and whoever sees gives way.
//! Expiries are computed from the time the caller gave, so a writer that was paused writes an expiry that is over.
//!
//! Invariant: of two grants with overlapping validity at most one is ever answered with `Ok`; the highest file is never
//! removed once granted, so epochs never repeat, even across a power cut (grants are synced).

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use fulmar_ports::{
    BoxFuture,
    lease::{Lease, LeaseError, LeaseGrant},
};

const PREFIX: &str = "epoch-";
/// Names are printed and compared: short and plain.
const MAX_HOLDER_BYTES: usize = 128;

/// Numbers temporary files within this process.
static TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// A lease kept in a folder that all candidates share.
#[derive(Debug, Clone)]
pub struct FileLease {
    dir: PathBuf,
}

/// One epoch file: `None` is a claim that was not granted (yet).
type Epoch = (u64, Option<LeaseGrant>);

impl FileLease {
    /// A lease in the given folder, created when missing.
    ///
    /// # Errors
    /// [`LeaseError::Unavailable`] when it cannot be created.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, LeaseError> {
        let dir = dir.into();
        fs::create_dir_all(&dir).map_err(|e| unavailable(&dir, &e))?;
        Ok(Self { dir })
    }

    fn acquire_now(&self, holder: &str, ttl_ms: i64, now_ms: i64) -> Result<LeaseGrant, LeaseError> {
        check_request(holder, ttl_ms)?;
        let before = self.epochs()?;
        in_force_of_another(&before, holder, now_ms)?;
        let epoch = before.last().map_or(1, |(epoch, _)| epoch + 1);
        let path = self.path(epoch);
        match File::options().write(true).create_new(true).open(&path) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(LeaseError::Contended);
            }
            Err(e) => return Err(unavailable(&path, &e)),
        }
        let lower: Vec<Epoch> = self.epochs()?.into_iter().filter(|(e, _)| *e < epoch).collect();
        if let Err(held) = in_force_of_another(&lower, holder, now_ms) {
            self.remove(epoch)?;
            return Err(held);
        }
        let expiry_ms = now_ms.saturating_add(ttl_ms);
        let grant = LeaseGrant { holder: holder.to_owned(), epoch, expiry_ms };
        self.write(&grant, true)?;
        if let Some(newest) = self.higher_than(epoch)? {
            self.remove(epoch)?;
            tracing::debug!(epoch, newest, "lease: gave way to a newer claim");
            return Err(LeaseError::Contended);
        }
        for (old, _) in lower {
            self.remove(old)?;
        }
        Ok(grant)
    }

    fn renew_now(&self, grant: &LeaseGrant, ttl_ms: i64, now_ms: i64) -> Result<LeaseGrant, LeaseError> {
        check_request(&grant.holder, ttl_ms)?;
        let stored = self.own(grant)?;
        if stored.expiry_ms <= now_ms {
            return Err(LeaseError::Lost { epoch: grant.epoch, newest: grant.epoch });
        }
        // Never shortened: a caller whose clock stepped back keeps what it was promised.
        let expiry_ms = stored.expiry_ms.max(now_ms.saturating_add(ttl_ms));
        let renewed = LeaseGrant { expiry_ms, ..grant.clone() };
        self.write(&renewed, false)?;
        match self.higher_than(grant.epoch)? {
            None => Ok(renewed),
            Some(newest) => {
                // The file just written may stand in the way of the newer claim: take the extension back.
                self.write(&stored, false)?;
                Err(LeaseError::Lost { epoch: grant.epoch, newest })
            }
        }
    }

    fn release_now(&self, grant: &LeaseGrant) -> Result<(), LeaseError> {
        self.own(grant)?;
        self.write(&LeaseGrant { expiry_ms: 0, ..grant.clone() }, true)
    }

    /// The stored record of a grant that is still the newest.
    fn own(&self, grant: &LeaseGrant) -> Result<LeaseGrant, LeaseError> {
        let epochs = self.epochs()?;
        let newest = epochs.last().map_or(0, |(epoch, _)| *epoch);
        let stored = epochs.into_iter().find(|(epoch, _)| *epoch == grant.epoch).and_then(|(_, stored)| stored);
        match stored {
            Some(stored) if newest == grant.epoch && stored.holder == grant.holder => Ok(stored),
            _ => Err(LeaseError::Lost { epoch: grant.epoch, newest }),
        }
    }

    /// All epochs, lowest first.
    fn epochs(&self) -> Result<Vec<Epoch>, LeaseError> {
        let mut found = Vec::new();
        for number in self.numbers()? {
            let path = self.path(number);
            match fs::read(&path) {
                Ok(bytes) => found.push((number, parse(&path, number, &bytes)?)),
                // Withdrawn or tidied away since it was listed.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(unavailable(&path, &e)),
            }
        }
        found.sort_unstable_by_key(|(number, _)| *number);
        Ok(found)
    }

    fn numbers(&self) -> Result<Vec<u64>, LeaseError> {
        let mut numbers = Vec::new();
        for item in fs::read_dir(&self.dir).map_err(|e| unavailable(&self.dir, &e))? {
            let name = item.map_err(|e| unavailable(&self.dir, &e))?.file_name();
            let number: Option<u64> = name.to_str().and_then(|n| n.strip_prefix(PREFIX)).and_then(|n| n.parse().ok());
            numbers.extend(number);
        }
        Ok(numbers)
    }

    fn higher_than(&self, epoch: u64) -> Result<Option<u64>, LeaseError> {
        Ok(self.numbers()?.into_iter().max().filter(|newest| *newest > epoch))
    }

    /// Replaces an epoch's file as a whole.
    fn write(&self, grant: &LeaseGrant, durable: bool) -> Result<(), LeaseError> {
        let path = self.path(grant.epoch);
        let number = TEMPORARY.fetch_add(1, Ordering::Relaxed);
        let temporary = self.dir.join(format!(".{}-{}-{number}.tmp", grant.epoch, std::process::id()));
        let write = || {
            let mut file = File::create(&temporary)?;
            serde_json::to_writer(&file, grant)?;
            file.write_all(b"\n")?;
            if durable {
                file.sync_all()?;
            }
            fs::rename(&temporary, &path)?;
            if durable { File::open(&self.dir)?.sync_all() } else { Ok(()) }
        };
        write().map_err(|e| unavailable(&path, &e))
    }

    fn remove(&self, epoch: u64) -> Result<(), LeaseError> {
        let path = self.path(epoch);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(unavailable(&path, &e)),
            _ => Ok(()),
        }
    }

    fn path(&self, epoch: u64) -> PathBuf {
        self.dir.join(format!("{PREFIX}{epoch}"))
    }
}

fn check_request(holder: &str, ttl_ms: i64) -> Result<(), LeaseError> {
    let invalid = |reason: &str| Err(LeaseError::Invalid { reason: reason.to_owned() });
    if holder.is_empty() || holder.len() > MAX_HOLDER_BYTES {
        return invalid("a holder's name has 1 to 128 bytes");
    }
    if ttl_ms <= 0 {
        return invalid("a lease lasts longer than 0 ms");
    }
    Ok(())
}

/// Refuses when another holder's grant is in force.
fn in_force_of_another(epochs: &[Epoch], holder: &str, now_ms: i64) -> Result<(), LeaseError> {
    let other = epochs.iter().rev().filter_map(|(_, grant)| grant.as_ref());
    match other.into_iter().find(|grant| grant.holder != holder && grant.expiry_ms > now_ms) {
        None => Ok(()),
        Some(grant) => Err(LeaseError::Held { holder: grant.holder.clone(), epoch: grant.epoch, expiry_ms: grant.expiry_ms }),
    }
}

fn parse(path: &Path, number: u64, bytes: &[u8]) -> Result<Option<LeaseGrant>, LeaseError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let corrupt = |reason: String| LeaseError::Corrupt { place: path.display().to_string(), reason };
    let grant: LeaseGrant = serde_json::from_slice(bytes).map_err(|e| corrupt(e.to_string()))?;
    if grant.epoch != number {
        return Err(corrupt(format!("it speaks of epoch {}", grant.epoch)));
    }
    Ok(Some(grant))
}

fn unavailable(path: &Path, error: &io::Error) -> LeaseError {
    LeaseError::Unavailable { place: path.display().to_string(), reason: error.to_string() }
}

// The calls touch a few tiny local files; they are done in place, in some tens of microseconds (a sync on acquisition).
impl Lease for FileLease {
    fn acquire<'a>(&'a self, holder: &'a str, ttl_ms: i64, now_ms: i64) -> BoxFuture<'a, Result<LeaseGrant, LeaseError>> {
        Box::pin(async move { self.acquire_now(holder, ttl_ms, now_ms) })
    }

    fn renew<'a>(&'a self, grant: &'a LeaseGrant, ttl_ms: i64, now_ms: i64) -> BoxFuture<'a, Result<LeaseGrant, LeaseError>> {
        Box::pin(async move { self.renew_now(grant, ttl_ms, now_ms) })
    }

    fn release<'a>(&'a self, grant: &'a LeaseGrant) -> BoxFuture<'a, Result<(), LeaseError>> {
        Box::pin(async move { self.release_now(grant) })
    }

    fn read(&self) -> BoxFuture<'_, Result<Option<LeaseGrant>, LeaseError>> {
        Box::pin(async move { Ok(self.epochs()?.into_iter().rev().find_map(|(_, grant)| grant)) })
    }
}
