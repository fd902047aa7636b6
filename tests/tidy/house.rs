//! Names, sizes, profiles and lints.

use toml_edit::{DocumentMut, Item};

use crate::tree::Tree;

const SAYS_NOTHING: [&str; 8] = ["util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"];
const LARGEST: u64 = 1024 * 1024;

/// No file or folder is called after nothing.
pub fn names_say_something(tree: &Tree) -> Vec<String> {
    let empty = |path: &&str| path.split('/').any(|part| SAYS_NOTHING.contains(&part.split('.').next().unwrap_or_default()));
    tree.files().map(|(path, _)| path).filter(empty).map(|path| format!("{path}: name it after what it does")).collect()
}

/// Data stays out of the repository.
pub fn files_are_small(tree: &Tree) -> Vec<String> {
    let large = tree.files().filter(|(_, file)| file.size > LARGEST);
    large.map(|(path, file)| format!("{path}: {} bytes, more than 1 MiB: data does not belong here", file.size)).collect()
}

/// Supervision needs unwinding: no profile aborts, and the release profile says so.
pub fn panics_unwind(tree: &Tree) -> Vec<String> {
    let root = manifest(tree, "Cargo.toml");
    let panic_of = |profile: &Item| profile.get("panic").and_then(Item::as_str).map(str::to_owned);
    let mut broken = Vec::new();
    if root.get("profile").and_then(|p| p.get("release")).and_then(panic_of).as_deref() != Some("unwind") {
        broken.push("Cargo.toml: [profile.release] must say panic = \"unwind\": supervision catches panics".to_owned());
    }
    for path in ["Cargo.toml", ".cargo/config.toml"] {
        let file = manifest(tree, path);
        let profiles = file.get("profile").and_then(Item::as_table_like);
        let aborting = profiles.into_iter().flat_map(|p| p.iter()).filter(|(_, profile)| panic_of(profile).as_deref() == Some("abort"));
        broken.extend(aborting.map(|(name, _)| format!("{path}: [profile.{name}] aborts on panic: supervision catches panics")));
    }
    broken
}

/// Every crate takes the workspace's lints, and these forbid unsafe code. Fuzz targets need an exported symbol and are apart.
pub fn unsafe_is_forbidden(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    let lint = manifest(tree, "Cargo.toml").get("workspace").and_then(|w| w.get("lints")).and_then(|l| l.get("rust")).and_then(|r| {
        let lint = r.get("unsafe_code")?;
        lint.as_str().or_else(|| lint.get("level")?.as_str()).map(str::to_owned)
    });
    if lint.as_deref() != Some("forbid") {
        broken.push("Cargo.toml: [workspace.lints.rust] must say unsafe_code = \"forbid\"".to_owned());
    }
    let crates =
        tree.files().map(|(path, _)| path).filter(|p| (*p == "Cargo.toml" || p.ends_with("/Cargo.toml")) && !p.starts_with("fuzz/"));
    for path in crates {
        let file = manifest(tree, path);
        if file.get("package").is_some() && file.get("lints").and_then(|l| l.get("workspace")).and_then(Item::as_bool) != Some(true) {
            broken.push(format!("{path}: [lints] must say workspace = true"));
        }
    }
    broken
}

fn manifest(tree: &Tree, path: &str) -> DocumentMut {
    tree.text(path).unwrap_or_default().parse().unwrap_or_else(|e| panic!("{path}: {e}"))
}
