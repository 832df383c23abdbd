//! Nothing is missing from the catalogue, and nothing in it is left over.

use std::collections::{BTreeMap, BTreeSet};

use super::super::template::Template;
use super::super::zh;
use super::{parts, sources};

#[test]
fn every_sentence_of_the_sources_has_its_translation() {
    let known: BTreeSet<String> = zh().entries.iter().map(|entry| entry.english.shape()).collect();
    let all = sources::all();
    let missing: Vec<String> = all
        .iter()
        .filter(|sentence| sentence.is_for_a_person() && !known.contains(&sentence.shape))
        .map(|sentence| format!("{}: {}", sentence.file, sentence.shape))
        .collect();
    assert!(all.len() > 2000, "the sources are read: {}", all.len());
    assert!(
        missing.is_empty(),
        "add these to src/cli/language/zh, each with its Chinese line below:\n{}",
        missing.join("\n")
    );
}

#[test]
fn no_translation_is_left_over_and_no_exemption() {
    let (_, _, program) = parts();
    let all = sources::all();
    let said: BTreeSet<&str> = all.iter().map(|sentence| sentence.shape.as_str()).collect();
    let idle: Vec<String> = program
        .entries
        .iter()
        .map(|entry| entry.english.shape())
        .filter(|shape| !said.contains(shape.as_str()))
        .collect();
    assert!(
        idle.is_empty(),
        "no source says these any more:\n{}",
        idle.join("\n")
    );
    let idle = sources::idle_exemptions(all);
    assert!(idle.is_empty(), "these exempt nothing: {idle:?}");
}

#[test]
fn every_sentence_is_translated_once_and_keeps_its_holes_and_literals() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for entry in &zh().entries {
        let (english, other) = (&entry.english, &entry.other);
        *seen.entry(english.shape()).or_default() += 1;
        assert!(
            !english.shape().replace("{}", "").trim().is_empty(),
            "would match anything"
        );
        let holes = |template: &Template| template.holes().iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(holes(english), holes(other), "{}", english.shape());
        for (_, next) in english
            .holes()
            .windows(2)
            .enumerate()
            .filter(|(hole, _)| english.after(*hole).is_empty())
        {
            let mut pairs = other.holes().windows(2).enumerate();
            let stay = pairs.any(|(place, pair)| pair == next && other.after(place).is_empty());
            assert!(stay, "holes that touch must stay together: {}", other.shape());
        }
        assert_eq!(literals(english), literals(other), "{}", english.shape());
    }
    let twice: Vec<&String> = seen
        .iter()
        .filter(|(_, count)| **count > 1)
        .map(|(shape, _)| shape)
        .collect();
    assert!(twice.is_empty(), "{twice:#?}");
}

/// What stands between back-ticks and has no hole.
fn literals(template: &Template) -> BTreeSet<String> {
    let shape = template.shape();
    let quoted = shape.split('`').skip(1).step_by(2);
    quoted
        .filter(|text| !text.contains("{}"))
        .map(str::to_owned)
        .collect()
}
