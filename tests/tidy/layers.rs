//! The dependency rule: domain ← ports ← {actors, adapters, simex} ← root.

use toml_edit::{DocumentMut, Item, TableLike};

use crate::tree::Tree;

/// A crate's place in the house: what it may depend on.
struct Layer {
    manifest: &'static str,
    package: &'static str,
    /// Crates of the workspace.
    ours: &'static [&'static str],
    /// Other crates; `None` allows any.
    others: Option<&'static [&'static str]>,
}

const LAYERS: [Layer; 7] = [
    Layer { manifest: "crates/domain/Cargo.toml", package: "fulmar-domain", ours: &[], others: Some(&["serde", "thiserror"]) },
    Layer { manifest: "crates/ports/Cargo.toml", package: "fulmar-ports", ours: &["fulmar-domain"], others: Some(&["serde", "thiserror"]) },
    Layer {
        manifest: "actors/Cargo.toml",
        package: "fulmar-actors",
        ours: &["fulmar-domain", "fulmar-ports"],
        others: Some(&["actix", "actix-rt", "futures-util", "metrics", "parking_lot", "serde", "thiserror", "tokio", "tracing"]),
    },
    Layer { manifest: "crates/adapters/Cargo.toml", package: "fulmar-adapters", ours: &["fulmar-domain", "fulmar-ports"], others: None },
    Layer { manifest: "crates/simex/Cargo.toml", package: "fulmar-simex", ours: &["fulmar-domain"], others: None },
    Layer { manifest: "crates/testkit/Cargo.toml", package: "fulmar-testkit", ours: &["fulmar-domain", "fulmar-ports"], others: None },
    Layer {
        manifest: "Cargo.toml",
        package: "fulmar",
        ours: &["fulmar-domain", "fulmar-ports", "fulmar-actors", "fulmar-adapters", "fulmar-simex"],
        others: None,
    },
];

/// One entry of a dependency table.
struct Dependency {
    /// The package, also where it is renamed.
    package: String,
    /// Only for tests and benches.
    dev: bool,
    /// Its version comes from the workspace's table.
    from_table: bool,
}

/// Every crate names only those below it; the domain and the actors name only what their layer is made of.
pub fn crates_depend_only_downwards(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, manifest) in manifests(tree) {
        let name = manifest.get("package").and_then(|p| p.get("name")).and_then(Item::as_str).unwrap_or_default().to_owned();
        let Some(layer) = LAYERS.iter().find(|l| l.manifest == path && l.package == name) else {
            broken.push(format!("{path}: crate `{name}` has no place in the house: give it one in tests/tidy/layers.rs"));
            continue;
        };
        for dependency in dependencies(&manifest) {
            let package = dependency.package.as_str();
            let allowed = match (package.starts_with("fulmar"), dependency.dev, layer.others) {
                (true, true, _) if package == "fulmar-testkit" => true,
                (true, ..) => layer.ours.contains(&package),
                (false, true, _) | (false, false, None) => true,
                (false, false, Some(others)) => others.contains(&package),
            };
            if !allowed {
                broken.push(format!("{path}: `{name}` may not depend on `{package}`"));
            }
        }
    }
    broken
}

/// A version stands in the root's `[workspace.dependencies]` and nowhere else.
pub fn versions_stand_in_one_table(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, manifest) in manifests(tree) {
        let own = dependencies(&manifest).into_iter().filter(|d| !d.from_table);
        broken.extend(own.map(|d| format!("{path}: `{}` brings a version of its own: write `workspace = true`", d.package)));
    }
    broken
}

/// The manifests of the workspace. Fuzz targets are a workspace of their own.
fn manifests(tree: &Tree) -> Vec<(&str, DocumentMut)> {
    let ours = tree.files().filter(|(path, _)| (*path == "Cargo.toml" || path.ends_with("/Cargo.toml")) && !path.starts_with("fuzz/"));
    ours.map(|(path, file)| {
        let text = file.text.as_deref().unwrap_or_default();
        (path, text.parse().unwrap_or_else(|e| panic!("{path}: {e}")))
    })
    .collect()
}

fn dependencies(manifest: &DocumentMut) -> Vec<Dependency> {
    let mut found = Vec::new();
    in_tables(manifest.as_table(), &mut found);
    if let Some(targets) = manifest.get("target").and_then(Item::as_table_like) {
        targets.iter().filter_map(|(_, target)| target.as_table_like()).for_each(|target| in_tables(target, &mut found));
    }
    found
}

fn in_tables(holder: &dyn TableLike, found: &mut Vec<Dependency>) {
    for (table, dev) in [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)] {
        let Some(entries) = holder.get(table).and_then(Item::as_table_like) else { continue };
        found.extend(entries.iter().map(|(key, entry)| Dependency {
            package: entry.get("package").and_then(Item::as_str).unwrap_or(key).to_owned(),
            dev,
            from_table: entry.get("workspace").and_then(Item::as_bool) == Some(true),
        }));
    }
}
