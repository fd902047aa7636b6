//! Every rule over small trees that break it: a rule that cannot fail is worth nothing.

use crate::tree::Tree;
use crate::{Rule, house, layers, paper, source, words};

#[track_caller]
fn fails(rule: Rule, files: &[(&str, &str)], with: &str) {
    let broken = rule(&Tree::made_of(files));
    assert!(broken.iter().any(|line| line.contains(with)), "expected a finding with `{with}`, found {broken:?}");
}

#[track_caller]
fn passes(rule: Rule, files: &[(&str, &str)]) {
    assert_eq!(rule(&Tree::made_of(files)), Vec::<String>::new());
}

fn crate_with(name: &str, dependencies: &str) -> String {
    format!("[package]\nname = \"{name}\"\n[lints]\nworkspace = true\n{dependencies}")
}

#[test]
fn a_dependency_that_points_upwards_is_found() {
    let rule = layers::crates_depend_only_downwards;
    for (path, name, dependencies, with) in [
        ("crates/domain/Cargo.toml", "fulmar-domain", "[dependencies]\ntokio.workspace = true", "`tokio`"),
        ("crates/domain/Cargo.toml", "fulmar-domain", "[build-dependencies]\nactix.workspace = true", "`actix`"),
        ("crates/domain/Cargo.toml", "fulmar-domain", "[dependencies]\nfulmar-ports.workspace = true", "`fulmar-ports`"),
        ("crates/domain/Cargo.toml", "fulmar-domain", "[dev-dependencies]\nfulmar-simex.workspace = true", "`fulmar-simex`"),
        ("crates/domain/Cargo.toml", "fulmar-domain", "[dependencies]\nserde = { package = \"chrono\", version = \"1\" }", "`chrono`"),
        ("crates/domain/Cargo.toml", "fulmar-domain", "[target.'cfg(unix)'.dependencies]\nlibc = \"1\"", "`libc`"),
        ("crates/ports/Cargo.toml", "fulmar-ports", "[dependencies.fulmar-actors]\nworkspace = true", "`fulmar-actors`"),
        ("actors/Cargo.toml", "fulmar-actors", "[dependencies]\nfulmar-adapters.workspace = true", "`fulmar-adapters`"),
        ("actors/Cargo.toml", "fulmar-actors", "[dependencies]\nfulmar-simex.workspace = true", "`fulmar-simex`"),
        ("actors/Cargo.toml", "fulmar-actors", "[dependencies]\nsqlx.workspace = true", "`sqlx`"),
        ("crates/adapters/Cargo.toml", "fulmar-adapters", "[dependencies]\nfulmar-actors.workspace = true", "`fulmar-actors`"),
        ("crates/adapters/Cargo.toml", "fulmar-adapters", "[dependencies]\nfulmar-simex.workspace = true", "`fulmar-simex`"),
        ("crates/simex/Cargo.toml", "fulmar-simex", "[dependencies]\nfulmar-adapters.workspace = true", "`fulmar-adapters`"),
        ("crates/simex/Cargo.toml", "fulmar-simex", "[dependencies]\nfulmar-ports.workspace = true", "`fulmar-ports`"),
        ("Cargo.toml", "fulmar", "[dependencies]\nfulmar-testkit.workspace = true", "`fulmar-testkit`"),
        ("crates/newcomer/Cargo.toml", "fulmar-newcomer", "", "no place in the house"),
    ] {
        fails(rule, &[(path, &crate_with(name, dependencies))], with);
    }
}

#[test]
fn a_dependency_that_points_downwards_passes() {
    let rule = layers::crates_depend_only_downwards;
    let domain = "[dependencies]\nserde.workspace = true\nthiserror.workspace = true\n[dev-dependencies]\nproptest.workspace = true\nfulmar-testkit.workspace = true";
    passes(rule, &[("crates/domain/Cargo.toml", &crate_with("fulmar-domain", domain))]);
    let adapters = "[dependencies]\nfulmar-domain.workspace = true\nfulmar-ports.workspace = true\nreqwest.workspace = true";
    passes(rule, &[("crates/adapters/Cargo.toml", &crate_with("fulmar-adapters", adapters))]);
}

#[test]
fn a_version_outside_the_table_is_found() {
    let rule = layers::versions_stand_in_one_table;
    fails(rule, &[("actors/Cargo.toml", &crate_with("fulmar-actors", "[dependencies]\nactix = \"0.13\""))], "`actix`");
    passes(rule, &[("actors/Cargo.toml", &crate_with("fulmar-actors", "[dependencies]\nactix = { workspace = true, features = [] }"))]);
}

#[test]
fn a_domain_that_is_not_pure_is_found_whatever_it_names() {
    let path = "crates/domain/src/risk/check.rs";
    for line in [
        "let now = std::time::SystemTime::now();",
        "let now = Instant::now();",
        "let now = Utc::now();",
        "use tokio::sync::mpsc;",
        "use actix::prelude::*;",
        "let x: f64 = rand::random();",
        "std::fs::read(path)",
        "use std::net::TcpStream;",
        "std::thread::sleep(d);",
        "std::env::var(\"HOME\")",
        "pub async fn check() {}",
        "future.await",
        "use std::collections::HashMap;",
    ] {
        let text = format!("//! Rules.\n{line}\n");
        fails(words::domain_is_pure, &[(path, &text)], "crates/domain/src/risk/check.rs:2: ");
    }
}

#[test]
fn what_only_reads_like_a_clock_passes() {
    let text = r##"
        //! Reads no SystemTime. /* nor Instant::now() */
        /* tokio:: /* nested */ actix */
        fn f<'a>(operand: &'a str) -> &'a str { let c = '"'; let s = "std::fs \" rand::"; let r = r#"Utc::now "quoted" "#; operand }
        fn strand() { brand::new(); }
        #[cfg(test)]
        mod tests { use std::collections::HashMap; fn t() { std::thread::sleep(d) } }
        #[cfg(test)]
        use std::fs;
    "##;
    passes(words::domain_is_pure, &[("crates/domain/src/x.rs", text), ("crates/domain/src/x/tests.rs", "use std::fs;")]);
}

#[test]
fn code_after_a_test_module_is_looked_at_again() {
    let text = "#[cfg(test)]\nmod tests { fn f() { if a { b } } }\nfn g() { x.unwrap() }\n";
    fails(words::nothing_gives_up, &[("src/a.rs", text)], "src/a.rs:3: ");
    assert!(source::shipped("#[cfg(test)]\nmod tests;\nfn kept() {}").contains("kept"));
}

#[test]
fn an_actor_that_names_the_outside_or_sends_past_links_is_found() {
    let rule = words::actors_stay_inside;
    for line in [
        "use fulmar_adapters::store;",
        "use reqwest::Client;",
        "std::fs::write(a, b)",
        "std::thread::sleep(d);",
        "self.risk.do_send(intent);",
    ] {
        fails(rule, &[("actors/src/risk.rs", line)], "actors/src/risk.rs:1: ");
    }
    passes(rule, &[("actors/src/link.rs", "recipient.do_send(envelope)"), ("actors/src/risk.rs", "self.links.risk.push(intent)")]);
}

#[test]
fn an_adapter_that_names_an_actor_or_another_adapter_is_found() {
    let rule = words::adapters_stay_apart;
    let store = ("crates/adapters/src/store/sqlite.rs", "");
    fails(rule, &[store, ("crates/adapters/src/journal/a.rs", "use crate::store::sqlite;")], "journal/a.rs:1");
    fails(rule, &[store, ("crates/adapters/src/journal.rs", "use super::store::sqlite;")], "journal.rs:1");
    fails(rule, &[store, ("crates/adapters/src/journal/a.rs", "use super::super::store::sqlite;")], "journal/a.rs:1");
    fails(rule, &[("crates/adapters/src/journal/a.rs", "use fulmar_actors::link;")], "fulmar_actors");
    fails(rule, &[("crates/adapters/src/journal/a.rs", "use fulmar_simex::venue;")], "fulmar_simex");
    passes(
        rule,
        &[
            store,
            ("crates/adapters/src/store.rs", "use crate::store::sqlite; use super::store_x;"),
            ("crates/adapters/src/lib.rs", "pub mod store;"),
        ],
    );
}

#[test]
fn a_panic_on_purpose_outside_tests_is_found() {
    let rule = words::nothing_gives_up;
    for line in ["x.unwrap();", "x.expect(\"there\");", "todo!()", "unimplemented!()", "dbg!(x)"] {
        fails(rule, &[("crates/ports/src/a.rs", line)], "crates/ports/src/a.rs:1: ");
    }
    passes(rule, &[("crates/ports/tests/a.rs", "x.unwrap()"), ("crates/ports/src/b.rs", "x.unwrap_or(0); // x.unwrap()")]);
}

#[test]
fn a_name_that_says_nothing_is_found() {
    for path in ["src/utils.rs", "crates/ports/src/common/a.rs", "actors/src/order_x/helpers.rs", "tests/misc.py", "src/manager/mod.rs"] {
        fails(house::names_say_something, &[(path, "")], path);
    }
    passes(house::names_say_something, &[("src/commonwealth.rs", ""), ("src/utilisation.rs", "")]);
}

#[test]
fn a_large_file_is_found() {
    let large = "x".repeat(1024 * 1024 + 1);
    fails(house::files_are_small, &[("docs/a.png", &large)], "docs/a.png");
    passes(house::files_are_small, &[("docs/a.png", &large[1..])]);
}

#[test]
fn a_profile_that_aborts_is_found() {
    let rule = house::panics_unwind;
    fails(rule, &[("Cargo.toml", "[profile.release]\nlto = true")], "must say panic");
    fails(rule, &[("Cargo.toml", "[profile.release]\npanic = \"abort\"")], "must say panic");
    fails(rule, &[("Cargo.toml", "[profile.release]\npanic = \"unwind\"\n[profile.small]\npanic = \"abort\"")], "profile.small");
    fails(
        rule,
        &[("Cargo.toml", "[profile.release]\npanic = \"unwind\""), (".cargo/config.toml", "[profile.release]\npanic = \"abort\"")],
        ".cargo",
    );
    passes(rule, &[("Cargo.toml", "[profile.release]\npanic = \"unwind\"")]);
}

#[test]
fn a_crate_that_could_hold_unsafe_code_is_found() {
    let rule = house::unsafe_is_forbidden;
    let root = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n[package]\nname = \"fulmar\"\n[lints]\nworkspace = true";
    passes(rule, &[("Cargo.toml", root), ("fuzz/Cargo.toml", "[package]\nname = \"fuzz\"")]);
    fails(rule, &[("Cargo.toml", &root.replace("forbid", "deny"))], "unsafe_code");
    fails(rule, &[("Cargo.toml", root), ("actors/Cargo.toml", "[package]\nname = \"a\"")], "actors/Cargo.toml");
}

#[test]
fn a_folder_or_crate_that_the_architecture_page_forgets_is_found() {
    let rule = paper::architecture_names_every_folder;
    let page = ("docs/ARCHITECTURE.md", "`src/` `docs/` `api/` and the package `fulmar`");
    let root = ("Cargo.toml", "[package]\nname = \"fulmar\"");
    passes(rule, &[page, root, ("src/api/mod.rs", "")]);
    fails(rule, &[page, ("deploy/x", "")], "`deploy/`");
    fails(rule, &[page, ("src/wiring/mod.rs", "")], "`src/wiring/`");
    fails(rule, &[page, ("src/Cargo.toml", "name = \"fulmar-other\"")], "`fulmar-other`");
    fails(rule, &[root], "is missing");
}

#[test]
fn a_key_without_comment_is_found() {
    let rule = paper::default_config_is_commented;
    let config = |text| [(paper::DEFAULT_CONFIG, text)];
    passes(rule, &config("# Where.\n[api]\n# Address.\nlisten = \"a=b\"\nport = 1 # number\n# List.\nlist = [\n  \"x\",\n]\n"));
    fails(rule, &config("# Where.\n[api]\nlisten = \"a\"\n"), "default.toml:3: `listen`");
    fails(rule, &config("# One.\na = 1\nb = 2\n"), "default.toml:3: `b`");
}

#[test]
fn a_decision_without_its_number_is_found() {
    let rule = paper::decisions_are_numbered;
    let first = ("docs/adr/0001-a.md", "# 0001. A\n");
    passes(rule, &[first, ("docs/adr/0002-b.md", "# 0002. B\n")]);
    fails(rule, &[first, ("docs/adr/0003-b.md", "# 0003. B\n")], "0002-title.md");
    fails(rule, &[first, ("docs/adr/0001-b.md", "# 0001. B\n")], "0002-title.md");
    fails(rule, &[first, ("docs/adr/notes.md", "")], "0002-title.md");
    fails(rule, &[("docs/adr/0001-a.md", "# A\n")], "# 0001. ");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let rule = paper::links_lead_somewhere;
    let page = |text| [("docs/a.md", text), ("README.md", ""), ("docs/adr/0001-a.md", "")];
    passes(rule, &page("[r](../README.md#top) [d](adr/) [w](https://example.org/x) [s](#here)"));
    fails(rule, &page("[r](README.md)"), "`README.md`");
    fails(rule, &page("![p](../../elsewhere.png)"), "leads nowhere");
}
