//! What is written for people: the architecture page, the default configuration, decision records, links.

use crate::tree::Tree;

/// The file that holds every key.
pub const DEFAULT_CONFIG: &str = "config/default.toml";
const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";
const DECISIONS: &str = "docs/adr/";

/// The code map names every top-level folder, every crate and every folder of source.
pub fn architecture_names_every_folder(tree: &Tree) -> Vec<String> {
    let Some(page) = tree.text(ARCHITECTURE) else {
        return vec![format!("{ARCHITECTURE} is missing")];
    };
    let is_source = |path: &str| path.starts_with("src/") || path.contains("/src/");
    let folders = tree.folders().into_iter().filter(|path| !path.starts_with('.') && (!path.contains('/') || is_source(path)));
    let unnamed = folders.filter(|path| !page.contains(&format!("{}/", path.rsplit('/').next().unwrap_or(path))));
    let mut broken: Vec<String> = unnamed.map(|path| format!("{ARCHITECTURE} does not name `{path}/`: add it to the code map")).collect();
    for (path, file) in tree.files().filter(|(path, _)| path.ends_with("Cargo.toml") && !path.starts_with("fuzz/")) {
        let name = file.text.as_deref().unwrap_or_default().lines().find_map(|l| l.strip_prefix("name = \"")?.strip_suffix('"'));
        if let Some(name) = name.filter(|name| !page.contains(&format!("`{name}`"))) {
            broken.push(format!("{ARCHITECTURE} does not name the crate `{name}` ({path})"));
        }
    }
    broken
}

/// Every key stands below a comment, or has one behind it.
pub fn default_config_is_commented(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    let mut explained = false;
    for (number, line) in tree.text(DEFAULT_CONFIG).unwrap_or_default().lines().enumerate() {
        let line = line.trim();
        if line.starts_with('#') {
            explained = true;
            continue;
        }
        let key = line.split_once('=').map(|(key, _)| key.trim()).filter(|key| is_key(key));
        if let Some(key) = key.filter(|_| !explained && !line.contains(" # ")) {
            broken.push(format!("{DEFAULT_CONFIG}:{}: `{key}` is not explained: put a comment above it", number + 1));
        }
        explained = false;
    }
    broken
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.\"".contains(c))
}

/// Decision records are called `NNNN-title.md`, numbered from 0001 without gap or double, and open with `# NNNN. Title`.
pub fn decisions_are_numbered(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    let records = tree.files().filter_map(|(path, file)| Some((path, path.strip_prefix(DECISIONS)?, file.text.as_deref()?)));
    for (at, (path, name, text)) in records.enumerate() {
        let number = format!("{:04}", at + 1);
        if !name.starts_with(&format!("{number}-")) || !name.ends_with(".md") {
            broken.push(format!("{path}: the next record is called {number}-title.md"));
        } else if !text.starts_with(&format!("# {number}. ")) {
            broken.push(format!("{path}: its first line must begin with `# {number}. `"));
        }
    }
    broken
}

/// A relative link of a page leads to a file or folder that exists.
pub fn links_lead_somewhere(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, file) in tree.files().filter(|(path, _)| path.ends_with(".md")) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for target in links(file.text.as_deref().unwrap_or_default()) {
            let place = target.split('#').next().unwrap_or_default();
            if !place.is_empty() && !resolve(folder, place).is_some_and(|p| tree.has(&p)) {
                broken.push(format!("{path}: the link to `{target}` leads nowhere"));
            }
        }
    }
    broken
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    targets.filter(|t| !t.contains("://") && !t.starts_with("mailto:"))
}

/// `place` as seen from `folder`; `None` where it leaves the project.
fn resolve(folder: &str, place: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in place.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}
