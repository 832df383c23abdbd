//! The texts of the commands, and what the parser says: they come from `clap`, so it is asked for all of them.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory};

use super::super::catalogue::{cells, has_words};
use super::super::help::in_chinese;
use super::super::{Language, zh};
use super::parts;
use crate::cli::Cli;

/// Command lines that are refused, each for another reason.
const REFUSED: [&str; 19] = [
    "--json",
    "",
    "wirte fw.zip",
    "write",
    "res fw.zip",
    "write fw.zip --nope",
    "write fw.zip --prot x",
    "write fw.zip --ba x",
    "write fw.zip extra",
    "write fw.zip --port",
    "write fw.zip --baud fast",
    "write fw.zip --flash-baud 3",
    "write fw.zip --color blau",
    "write fw.zip --before auti",
    "write fw.zip --port a --port b",
    "write fw.zip --json --jsonl",
    "write fw.zip --wait 5",
    "write fw.zip --oc EC600N",
    "write fw.zip --timeout-scale 0",
];

/// Every command, with its subcommands.
fn commands() -> Vec<Command> {
    let mut all = vec![Language::Zh.prepare(Cli::command())];
    all[0].build();
    let mut at = 0;
    while let Some(command) = all.get(at) {
        let below: Vec<Command> = command.get_subcommands().cloned().collect();
        all.extend(below);
        at += 1;
    }
    all
}

fn helps() -> String {
    let texts = commands().into_iter().map(|mut command| {
        let (short, long) = (command.render_help(), command.render_long_help());
        format!("{short}\n{long}\n")
    });
    texts.collect()
}

fn refusals() -> String {
    let texts = REFUSED.iter().map(|line| {
        let words = ["qpyflash"].into_iter().chain(line.split_whitespace());
        let refused = Language::Zh.prepare(Cli::command()).try_get_matches_from(words);
        refused.unwrap_err().render().to_string()
    });
    texts.collect()
}

/// What is typed as it stands: options and commands.
fn is_typed(cell: &str) -> bool {
    let is_option = cell.starts_with('-') && !cell.contains(": ");
    is_option || commands().iter().any(|command| command.get_name() == cell)
}

#[test]
fn help_and_usage_errors_are_chinese_throughout() {
    for text in [helps(), refusals()] {
        let said: BTreeSet<&str> = text.lines().flat_map(cells).map(|(_, cell)| cell).collect();
        let left: Vec<&str> = said
            .into_iter()
            .filter(|cell| has_words(cell) && !zh().knows(cell) && !is_typed(cell))
            .collect();
        assert!(left.is_empty(), "{}", left.join("\n"));
    }
}

#[test]
fn the_parser_says_all_that_is_translated_for_it() {
    let (parser, _, _) = parts();
    let text = helps() + &refusals();
    let said: Vec<&str> = text.lines().flat_map(cells).map(|(_, cell)| cell).collect();
    let is_said = |cell: &str, shape: &str| cell == shape || cell.contains(shape.trim_end_matches("{}"));
    let idle: Vec<String> = parser
        .entries
        .iter()
        .filter(|entry| {
            let longest = entry.english.shape();
            let longest = longest
                .split("{}")
                .max_by_key(|literal| literal.len())
                .unwrap_or_default()
                .to_owned();
            !said.iter().any(|cell| is_said(cell, &longest))
        })
        .map(|entry| entry.english.shape())
        .collect();
    assert!(
        idle.is_empty(),
        "the parser does not say these:\n{}",
        idle.join("\n")
    );
}

#[test]
fn long_help_is_wrapped_under_its_column() {
    let text = format!("  --option  {}", "On a terminal [env: QPYFLASH_COLOR] ".repeat(4));
    let lines = in_chinese(&text);
    assert!(lines.lines().count() > 1);
    assert!(
        lines.lines().skip(1).all(|line| line.starts_with("            ")),
        "{lines}"
    );
}
