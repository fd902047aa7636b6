//! Secrets from a folder with one file per name, each readable by its owner alone (mode 0600 or stricter).

use std::{
    fs::File,
    io::{ErrorKind, Read},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};

use fulmar_ports::{
    BoxFuture,
    secrets::{Secret, SecretError, Secrets},
};

use super::{MAX_SECRET_BYTES, check_name, missing, refused};

/// Reads files of one folder.
#[derive(Debug, Clone)]
pub struct FileSecrets {
    dir: PathBuf,
}

impl FileSecrets {
    /// Files of the given folder.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    fn read(&self, name: &str) -> Result<Secret, SecretError> {
        check_name(name, "the secrets folder")?;
        let path = self.dir.join(name);
        let source = format!("file {}", path.display());
        let unavailable = |e: std::io::Error| SecretError::Unavailable { source_name: source.clone(), reason: e.to_string() };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(missing(name, &source)),
            Err(e) => return Err(unavailable(e)),
        };
        // Mode and content are read from the same open file, so it cannot be exchanged between the two looks.
        let meta = file.metadata().map_err(unavailable)?;
        if !meta.is_file() {
            return Err(refused(name, &source, "it is not a regular file"));
        }
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o177 != 0 {
            return Err(refused(name, &source, format!("mode {mode:04o} lets others in: run chmod 600")));
        }
        let mut bytes = Vec::new();
        file.take(MAX_SECRET_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unavailable)?;
        if bytes.len() > MAX_SECRET_BYTES {
            return Err(refused(name, &source, format!("it is longer than {MAX_SECRET_BYTES} bytes")));
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) if text.trim().is_empty() => Err(refused(name, &source, "it is empty")),
            Ok(text) => Ok(Secret::new(text.trim())),
            Err(_) => Err(refused(name, &source, "it is not UTF-8 text")),
        }
    }
}

impl Secrets for FileSecrets {
    fn get<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Secret, SecretError>> {
        Box::pin(async move { self.read(name) })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    fn put(dir: &tempfile::TempDir, name: &str, content: &[u8], mode: u32) {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn only_a_file_of_its_owner_alone_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = FileSecrets::new(dir.path());
        for mode in [0o600, 0o400] {
            put(&dir, "key", b"canary\n", mode);
            assert_eq!(secrets.read("key").unwrap().expose(), "canary");
            fs::remove_file(dir.path().join("key")).unwrap();
        }
        for mode in [0o640, 0o604, 0o660, 0o666, 0o700, 0o644] {
            put(&dir, "wide", b"canary", mode);
            let error = secrets.read("wide").unwrap_err();
            assert!(matches!(&error, SecretError::Refused { reason, .. } if reason.contains("chmod 600")), "{mode:o}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }

    #[test]
    fn names_cannot_leave_the_folder_and_odd_contents_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = FileSecrets::new(dir.path().join("inner"));
        fs::create_dir(dir.path().join("inner")).unwrap();
        put(&dir, "outside", b"canary", 0o600);
        for name in ["../outside", "/etc/passwd", ".", "", "a/b"] {
            assert!(matches!(secrets.read(name), Err(SecretError::Refused { .. })), "{name}");
        }
        assert!(matches!(secrets.read("none"), Err(SecretError::Missing { .. })));
        put(&dir, "inner/empty", b" \n", 0o600);
        put(&dir, "inner/binary", &[0xff, 0xfe], 0o600);
        put(&dir, "inner/huge", &vec![b'x'; MAX_SECRET_BYTES + 1], 0o600);
        for name in ["empty", "binary", "huge"] {
            assert!(matches!(secrets.read(name), Err(SecretError::Refused { .. })), "{name}");
        }
    }
}
