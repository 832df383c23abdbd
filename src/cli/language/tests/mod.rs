//! The catalogue and the sources are held together here.

mod sources;

use std::collections::{BTreeMap, BTreeSet};

use clap::{Command, CommandFactory};

use super::catalogue::{Entry, cells, has_words};
use super::{help, zh};

/// Every command's help, each text on one line.
fn helps() -> String {
    let mut text = String::new();
    let mut commands = vec![crate::cli::Cli::command().term_width(0)];
    commands.iter_mut().for_each(Command::build);
    while let Some(mut command) = commands.pop() {
        text += &format!("{}\n{}\n", command.render_help(), command.render_long_help());
        commands.extend(command.get_subcommands().cloned());
    }
    text
}

#[test]
fn dump_help() {
    let text = helps();
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        for (_, cell) in cells(line) {
            if has_words(cell) && seen.insert(cell.to_owned()) {
                println!("{cell}");
            }
        }
    }
}

#[test]
fn dump() {
    let known: BTreeSet<String> = zh().entries.iter().map(|e| e.english.shape()).collect();
    let all = sources::all();
    for s in &all {
        if s.has_words() && !s.is_exempt() && !known.contains(&s.shape) {
            println!("missing {} {}", s.file, s.shape);
        }
    }
    let have: BTreeSet<&str> = all.iter().map(|s| s.shape.as_str()).collect();
    for k in &known {
        if !have.contains(k.as_str()) {
            println!("idle {k}");
        }
    }
    println!("idle {:?}", sources::idle_exemptions(&all));
}
