//! The catalogue and the sources are held together here.

mod choice;
mod completeness;
mod parser;
mod samples;
mod sources;
mod style;

use std::path::PathBuf;

use super::catalogue::Catalogue;
use super::{ZH, zh};

/// The texts of the commands and of the parser; what the operating system says; and what the sources say.
fn parts() -> (Catalogue, Catalogue, Catalogue) {
    (
        Catalogue::read(&ZH[..1]),
        Catalogue::read(&ZH[1..2]),
        Catalogue::read(&ZH[2..]),
    )
}

/// All sentences, side by side in both languages, for a person to read: `target/debug/messages.md`.
#[test]
fn all_messages_are_printed_side_by_side() {
    let mut page = String::from("# What a person may read\n");
    let mut file = "";
    let mut sentences: Vec<&sources::Sentence> = sources::all().iter().collect();
    sentences.sort_by_key(|one| (&one.file, &one.shape));
    for sentence in sentences.iter().filter(|one| one.is_for_a_person()) {
        if sentence.file != file {
            file = &sentence.file;
            page += &format!("\n## {file}\n\n");
        }
        let entry = zh()
            .entries
            .iter()
            .find(|entry| entry.english.shape() == sentence.shape);
        let other = entry.map_or("missing".into(), |entry| entry.other.shape());
        page += &format!("- {}\n  {other}\n", sentence.shape);
    }
    println!("{page}");
    let program = std::env::current_exe().unwrap();
    let folder = program
        .ancestors()
        .nth(2)
        .map_or(PathBuf::from("."), PathBuf::from);
    std::fs::write(folder.join("messages.md"), page).unwrap();
}
