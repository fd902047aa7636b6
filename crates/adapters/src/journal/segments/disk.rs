//! The file operations of the writer thread, behind a seam where tests inject failures and count calls.
//!
//! Invariant: a segment that `create` returned survives a crash (its folder is synced); a reserve that `reserve` returned
//! occupies real blocks, not a hole.

use std::{
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::Path,
};

/// An open segment, written at its end only.
pub trait LogFile: Send {
    /// Writes at the end; gives how many bytes were taken.
    ///
    /// # Errors
    /// What the system reports; `StorageFull` means that there is no space.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Brings everything written to stable storage (`fdatasync`).
    ///
    /// # Errors
    /// What the system reports: the data must then be taken for lost.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to `len` bytes.
    ///
    /// # Errors
    /// What the system reports.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

/// What the writer thread does to the folder.
pub trait Disk: Send {
    /// Creates a new, empty segment, durably.
    ///
    /// # Errors
    /// What the system reports.
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn LogFile>>;

    /// Opens an existing segment for appending.
    ///
    /// # Errors
    /// What the system reports.
    fn open(&mut self, path: &Path) -> io::Result<Box<dyn LogFile>>;

    /// Makes the reserve file exactly `bytes` long, with blocks behind it; on failure to grow it keeps its old length.
    ///
    /// # Errors
    /// `StorageFull` when there is no room for it.
    fn reserve(&mut self, path: &Path, bytes: u64) -> io::Result<()>;
}

/// The operating system's files.
#[derive(Debug, Default, Clone, Copy)]
pub struct RealDisk;

impl LogFile for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}

impl Disk for RealDisk {
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let file = File::options().append(true).create_new(true).open(path)?;
        if let Some(dir) = path.parent() {
            File::open(dir)?.sync_all()?;
        }
        Ok(Box::new(file))
    }

    fn open(&mut self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(File::options().append(true).open(path)?))
    }

    fn reserve(&mut self, path: &Path, bytes: u64) -> io::Result<()> {
        if bytes == 0 {
            return match fs::remove_file(path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
                _ => Ok(()),
            };
        }
        let mut file = File::options().create(true).truncate(false).write(true).open(path)?;
        let meta = file.metadata()?;
        let backed = if meta.blocks().saturating_mul(512) >= meta.len() { meta.len() } else { 0 };
        if backed >= bytes {
            return file.set_len(bytes);
        }
        let grown = grow(&mut file, backed, bytes).and_then(|()| file.set_len(bytes)).and_then(|()| file.sync_data());
        if grown.is_err() {
            file.set_len(backed)?;
        }
        grown
    }
}

fn grow(file: &mut File, from: u64, to: u64) -> io::Result<()> {
    const STEP: usize = 1 << 20;
    let zeros = vec![0; STEP];
    file.seek(SeekFrom::Start(from))?;
    let mut at = from;
    while at < to {
        let step = usize::try_from(to - at).unwrap_or(STEP).min(STEP);
        file.write_all(&zeros[..step])?;
        at += step as u64;
    }
    Ok(())
}

/// True when an error says that there is no space (or no quota) left.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_grows_shrinks_and_is_never_a_hole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reserve");
        let mut disk = RealDisk;
        File::create(&path).unwrap().set_len(4 << 20).unwrap();
        disk.reserve(&path, 3 << 20).unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert_eq!(meta.len(), 3 << 20);
        assert!(meta.blocks() * 512 >= meta.len(), "the old hole was filled");
        disk.reserve(&path, 1 << 20).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 1 << 20);
        disk.reserve(&path, 0).unwrap();
        assert!(!path.exists());
        disk.reserve(&path, 0).unwrap();
    }
}
