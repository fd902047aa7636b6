//! Every command in README.md exists: its program, subcommands, flags, files and paths of the API.
//!
//! Commands of the program itself are asked for their help, which lists their flags; those that neither trade nor write are run.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PROGRAM: &str = env!("CARGO_BIN_EXE_fulmar");

/// Commands of the README that are quick and harmless, and so are run as they stand.
const RUN: [&str; 1] = ["fulmar strategies"];

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(ROOT).join(path)).ok()
}

/// The lines behind `$ ` in the page's console blocks.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_console = false;
    for line in page.lines() {
        if line.starts_with("```") {
            in_console = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| in_console) {
            found.push(command.to_owned());
        }
    }
    found
}

/// A command line cut at blanks, quotes respected, with the leading assignments of variables apart.
fn words(command: &str) -> (Vec<String>, Vec<String>) {
    let (mut all, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in command.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == '(' && word.ends_with('$') => quote = Some(')'),
            None if c == ' ' => all.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    all.push(word);
    all.retain(|w| !w.is_empty());
    let is_assignment = |w: &String| w.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
    let first = all.iter().position(|w| !is_assignment(w)).unwrap_or(all.len());
    let rest = all.split_off(first);
    (all, rest)
}

fn output(arguments: &[&str]) -> String {
    let out = Command::new(PROGRAM).args(arguments).current_dir(ROOT).output().unwrap();
    assert!(out.status.success(), "`fulmar {}` failed: {}", arguments.join(" "), String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// The subcommands at the head of the arguments, and what follows them.
fn split_subcommands(arguments: &[String]) -> (Vec<&str>, &[String]) {
    let depth = match arguments.first().map(String::as_str) {
        Some("journal" | "store") => 2,
        Some(first) if !first.starts_with('-') => 1,
        _ => 0,
    };
    (arguments[..depth].iter().map(String::as_str).collect(), &arguments[depth..])
}

fn check_program(arguments: &[String], helps: &mut BTreeMap<String, String>) -> Vec<String> {
    let (subcommands, rest) = split_subcommands(arguments);
    let asked = if subcommands.is_empty() { vec!["run"] } else { subcommands.clone() };
    let help = helps.entry(asked.join(" ")).or_insert_with(|| output(&[asked.as_slice(), &["--help"]].concat()));
    let known = |flag: &str| help.split([' ', ',', '\n', '=']).any(|word| word == flag);
    let flags = rest.iter().filter(|w| w.starts_with('-')).map(|w| w.split('=').next().unwrap_or(w));
    let mut wrong: Vec<String> = flags.filter(|flag| !known(flag)).map(|flag| format!("`{}` knows no `{flag}`", asked.join(" "))).collect();
    let files = rest.iter().filter(|w| w.starts_with("config/"));
    wrong.extend(files.filter(|file| !Path::new(ROOT).join(file).exists()).map(|file| format!("there is no {file}")));
    wrong
}

/// The path of a call to the API stands in its reference, whatever the values inside it.
fn check_call(arguments: &[String], reference: &str) -> Vec<String> {
    let url = arguments.iter().find_map(|w| w.strip_prefix("http://127.0.0.1:8080"));
    let Some(path) = url else { return vec!["no call to the engine's address".to_owned()] };
    // The page may leave the common head away.
    let below = |path: &str| path.strip_prefix("/api/v1").unwrap_or(path).trim_start_matches('/').to_owned();
    let known = |pattern: &str| {
        let (pattern, path) = (below(pattern), below(path));
        let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
        pattern.len() == path.len() && pattern.iter().zip(&path).all(|(p, s)| p == s || p.starts_with('{'))
    };
    let mut spans = reference.split('`').skip(1).step_by(2).flat_map(|span| span.split([' ', '?', ',', '\n']));
    let named = spans.any(known);
    if named || path == "/" { Vec::new() } else { vec![format!("docs/api.md does not name {path}")] }
}

#[test]
fn every_command_of_the_readme_exists() {
    let page = read("README.md").unwrap();
    let commands = commands(&page);
    assert!(commands.len() >= 15, "the README shows {} commands; is their mark still `$ `?", commands.len());
    let has_program = Command::new(PROGRAM).arg("--help").output().is_ok_and(|out| !out.stdout.is_empty());
    let reference = read("docs/api.md");
    if !has_program || reference.is_none() {
        println!("SKIPPED: every_command_of_the_readme_exists needs the command line of the program and docs/api.md");
    }
    let mut helps = BTreeMap::new();
    let mut wrong = Vec::new();
    for command in &commands {
        let (_, words) = words(command);
        let arguments = &words[1..];
        let found = match words[0].as_str() {
            "fulmar" if has_program => check_program(arguments, &mut helps),
            "cargo" => {
                let own = arguments.iter().position(|w| w == "--").map_or(&[][..], |at| &arguments[at + 1..]);
                if arguments[0] == "run" && (own.is_empty() || !has_program) { Vec::new() } else { check_program(own, &mut helps) }
            }
            "curl" => reference.as_deref().map_or_else(Vec::new, |reference| check_call(arguments, reference)),
            "python3" if Path::new(ROOT).join(&arguments[0]).exists() => Vec::new(),
            "docker" if read("docker-compose.yml").is_some() && read("Dockerfile").is_some() => Vec::new(),
            "./test.sh" if arguments.iter().all(|mode| mode == "quick") => Vec::new(),
            "fulmar" => Vec::new(),
            other => vec![format!("this test does not know `{other}`")],
        };
        wrong.extend(found.into_iter().map(|text| format!("$ {command}\n      {text}")));
    }
    assert!(wrong.is_empty(), "\n  {}\n", wrong.join("\n  "));
    for command in commands.iter().filter(|c| has_program && RUN.contains(&c.as_str())) {
        let (_, words) = words(command);
        assert!(!output(&words[1..].iter().map(String::as_str).collect::<Vec<_>>()).is_empty(), "`{command}` says nothing");
    }
}

#[test]
fn every_configuration_that_is_shipped_holds() {
    let mut files: Vec<_> = std::fs::read_dir(Path::new(ROOT).join("config")).into_iter().flatten().map(|f| f.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "toml"));
    if files.is_empty() {
        println!("SKIPPED: every_configuration_that_is_shipped_holds needs the folder config/");
    }
    for file in files {
        output(&["check-config", "--config", file.to_str().unwrap()]);
    }
}

#[test]
fn variables_of_the_readme_are_read_by_the_program() {
    let page = read("README.md").unwrap();
    let Some(defaults) = read("config/default.toml") else {
        println!("SKIPPED: variables_of_the_readme_are_read_by_the_program needs config/default.toml");
        return;
    };
    let mut keys = Vec::new();
    let mut section = String::new();
    for line in defaults.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, _)) = line.split_once('=').filter(|(key, _)| !key.starts_with('#')) {
            keys.push(format!("FULMAR__{section}__{}", key.trim()).to_uppercase());
        }
    }
    let names = page.split(|c: char| !c.is_ascii_uppercase() && c != '_').filter(|w| w.starts_with("FULMAR__"));
    let unknown: Vec<&str> = names.filter(|n| *n != "FULMAR__SECTION__KEY" && !keys.iter().any(|k| k == n)).collect();
    assert!(unknown.is_empty(), "no such keys in config/default.toml: {unknown:?}");
}

#[test]
fn a_command_line_is_cut_as_a_shell_would() {
    let (variables, rest) = words("A=1 B_C=$(x y) curl -d '{\"a\": 1}' http://x");
    assert_eq!(variables, ["A=1", "B_C=$x y"]);
    assert_eq!(rest, ["curl", "-d", "{\"a\": 1}", "http://x"]);
    assert_eq!(commands("```console\n$ a b\nout\n```\n```rust\n$ c\n```\n$ d\n"), ["a b"]);
}

#[test]
fn a_call_that_the_reference_does_not_name_is_found() {
    let reference = "| `/api/v1/status` | `GET /api/v1/strategies/{name}/pause` |";
    let call = |path: &str| check_call(&[format!("http://127.0.0.1:8080{path}")], reference);
    assert!(call("/api/v1/status").is_empty() && call("/api/v1/strategies/x/pause").is_empty());
    assert!(!call("/api/v1/state").is_empty() && !call("/api/v1/strategies/x/stop").is_empty());
}
