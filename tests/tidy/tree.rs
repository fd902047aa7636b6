//! The files that the rules look at: the project's own, or a made-up few.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Folders that are made by a build or a run and never committed.
const NOT_OURS: [&str; 4] = [".git", "target", "node_modules", "__pycache__"];

/// One file.
pub struct File {
    /// Size in bytes.
    pub size: u64,
    /// Its text; missing where it is not UTF-8.
    pub text: Option<String>,
}

/// Files by their path from the root, with `/` between folders.
#[derive(Default)]
pub struct Tree(BTreeMap<String, File>);

impl Tree {
    /// The project that this test belongs to.
    pub fn of_project() -> Self {
        let mut tree = Self::default();
        tree.walk(Path::new(env!("CARGO_MANIFEST_DIR")), "");
        tree
    }

    /// A made-up tree.
    pub fn made_of(files: &[(&str, &str)]) -> Self {
        let file = |text: &str| File { size: text.len() as u64, text: Some(text.to_owned()) };
        Self(files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect())
    }

    fn walk(&mut self, folder: &Path, prefix: &str) {
        let mut entries: Vec<_> =
            fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())).map(Result::unwrap).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !NOT_OURS.contains(&name.as_str()) && path != "data" {
                self.walk(&entry.path(), &format!("{path}/"));
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).unwrap();
                self.0.insert(path, File { size: bytes.len() as u64, text: String::from_utf8(bytes).ok() });
            }
        }
    }

    /// The text of one file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).and_then(|f| f.text.as_deref())
    }

    /// Whether a file or a folder stands at `path`.
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty() || self.0.keys().any(|p| p == path || p.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    }

    /// All files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &File)> {
        self.0.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// Rust files below a folder, with their text.
    pub fn rust<'a>(&'a self, below: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files()
            .filter(move |(path, _)| path.starts_with(below) && path.ends_with(".rs"))
            .filter_map(|(p, f)| Some((p, f.text.as_deref()?)))
    }

    /// Every folder that holds a file, at any depth, sorted, without trailing slash.
    pub fn folders(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.0.keys().flat_map(|path| path.match_indices('/').map(|(at, _)| &path[..at])).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}
