//! House rules as tests: what prose asks for and the compiler does not check.
//!
//! Each rule is a function from a tree of files to the list of what breaks it. The first half of this file runs every rule over
//! the project; the second half runs each over small made-up trees that break it, so that a rule that can no longer fail is found.
#![allow(clippy::unwrap_used, reason = "a rule that cannot read the project must fail")]

#[path = "tidy/house.rs"]
mod house;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/paper.rs"]
mod paper;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/words.rs"]
mod words;

#[path = "tidy/broken.rs"]
mod broken;

use tree::Tree;

/// A rule: what breaks it, one line each.
type Rule = fn(&Tree) -> Vec<String>;

#[track_caller]
fn holds(rule: Rule) {
    let broken = rule(&Tree::of_project());
    assert!(broken.is_empty(), "\n  {}\n", broken.join("\n  "));
}

#[test]
fn crates_depend_only_downwards() {
    holds(layers::crates_depend_only_downwards);
}

#[test]
fn versions_stand_in_one_table() {
    holds(layers::versions_stand_in_one_table);
}

#[test]
fn the_domain_is_pure() {
    holds(words::domain_is_pure);
}

#[test]
fn actors_name_no_adapter_and_send_only_through_links() {
    holds(words::actors_stay_inside);
}

#[test]
fn adapters_name_neither_actors_nor_each_other() {
    holds(words::adapters_stay_apart);
}

#[test]
fn nothing_outside_tests_unwraps_or_is_left_undone() {
    holds(words::nothing_gives_up);
}

#[test]
fn every_file_has_a_name_that_says_something_and_fits_into_the_repository() {
    holds(house::names_say_something);
    holds(house::files_are_small);
}

#[test]
fn a_panic_unwinds_and_unsafe_code_is_forbidden_everywhere() {
    holds(house::panics_unwind);
    holds(house::unsafe_is_forbidden);
}

#[test]
fn the_architecture_page_names_every_folder_and_crate() {
    holds(paper::architecture_names_every_folder);
}

#[test]
fn every_key_of_the_default_configuration_is_explained() {
    let tree = Tree::of_project();
    if tree.text(paper::DEFAULT_CONFIG).is_none() {
        println!("SKIPPED: every_key_of_the_default_configuration_is_explained needs {}", paper::DEFAULT_CONFIG);
        return;
    }
    holds(paper::default_config_is_commented);
}

#[test]
fn decisions_are_numbered_without_gaps_and_links_lead_somewhere() {
    holds(paper::decisions_are_numbered);
    holds(paper::links_lead_somewhere);
}
