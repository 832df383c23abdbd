//! The catalogue: English sentences and what they are in another language.

use std::borrow::Cow;
use std::collections::HashMap;

use unicode_width::UnicodeWidthStr;

use super::template::Template;

/// Letters that make sure that a template is the right one even where what fills it is not known.
const A_SENTENCE: usize = 6;
/// Bytes of a sentence that is looked up: what a module says may be longer, and is none of ours.
const LONGEST: usize = 1000;

/// One English sentence and its translation.
#[derive(Debug)]
pub struct Entry {
    pub english: Template,
    pub other: Template,
    letters: usize,
}

/// Pairs of sentences, those with most letters first.
#[derive(Debug)]
pub struct Catalogue {
    pub entries: Vec<Entry>,
}

impl Catalogue {
    /// From files of pairs: an English line, the other language's line below it, an empty line; `#` begins a comment.
    pub fn read(files: &[&'static str]) -> Catalogue {
        let lines = files.iter().flat_map(|file| file.lines());
        let mut texts = lines.filter(|line| !line.is_empty() && !line.starts_with("# "));
        let mut entries = Vec::new();
        while let (Some(english), Some(other)) = (texts.next(), texts.next()) {
            let english = Template::parse(english);
            let (letters, other) = (english.letters(), Template::parse(other));
            entries.push(Entry {
                english,
                other,
                letters,
            });
        }
        entries.sort_by_key(|entry: &Entry| std::cmp::Reverse(entry.letters));
        Catalogue { entries }
    }

    /// A text of any number of lines. Indentation and columns stay where they are; a sentence that is not in the
    /// catalogue stays as it is.
    pub fn text(&self, text: &str) -> String {
        let lines: Vec<String> = text.split('\n').map(|line| self.line(line)).collect();
        lines.join("\n")
    }

    fn line(&self, line: &str) -> String {
        let mut text = String::new();
        for (column, cell) in cells(line) {
            if column > 0 {
                let least = if text.trim().is_empty() { 0 } else { 2 };
                let gap = column.saturating_sub(text.width()).max(least);
                text += &" ".repeat(gap);
            }
            text += self.sentence(cell).as_deref().unwrap_or(cell);
        }
        text
    }

    /// A sentence that is in the catalogue. What fills its holes is a sentence, too, where the catalogue knows it, and
    /// otherwise stays as it is, like everything between back-ticks.
    pub fn sentence(&self, text: &str) -> Option<String> {
        let found = self.find(text, &mut HashMap::new())?;
        Some(found.text)
    }

    /// Whether every word of a sentence is translated.
    #[cfg(test)]
    pub fn knows(&self, text: &str) -> bool {
        let found = self.find(text, &mut HashMap::new());
        found.is_some_and(|found| found.unknown == 0)
    }

    fn find<'t>(&self, text: &'t str, met: &mut HashMap<&'t str, Option<Found>>) -> Option<Found> {
        if text.len() > LONGEST || !text.contains(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        if let Some(found) = met.get(text) {
            return found.clone();
        }
        let found = self.joined(text, met).or_else(|| self.single(text, met));
        met.insert(text, found.clone());
        found
    }

    /// Two sentences that punctuation joins, when both are known: `doing: cause`.
    fn joined<'t>(&self, text: &'t str, met: &mut HashMap<&'t str, Option<Found>>) -> Option<Found> {
        for entry in self.entries.iter().rev().take_while(|entry| entry.letters == 0) {
            for reading in entry.english.readings(text) {
                let mut values = Vec::new();
                for part in &reading {
                    match self.find(part, met).filter(|found| found.unknown == 0) {
                        Some(found) => values.push(Cow::Owned(found.text)),
                        None => break,
                    }
                }
                if values.len() == reading.len() {
                    let text = entry.other.fill(entry.english.holes(), &values);
                    return Some(Found { text, unknown: 0 });
                }
            }
        }
        None
    }

    /// The template that leaves no word untranslated; failing that, the first that is surely the right one.
    fn single<'t>(&self, text: &'t str, met: &mut HashMap<&'t str, Option<Found>>) -> Option<Found> {
        let mut partly = None;
        for entry in &self.entries {
            for reading in entry.english.readings(text) {
                let (mut known, mut unknown, mut values) = (entry.letters, 0, Vec::new());
                for (hole, part) in reading.iter().enumerate() {
                    let found = match entry.english.is_value(hole) {
                        true => None,
                        false => self.find(part, met),
                    };
                    let left = match &found {
                        Some(found) => found.unknown,
                        None if entry.english.is_value(hole) || !has_words(part) => 0,
                        None => letters(part),
                    };
                    unknown += left;
                    if found.is_some() {
                        known += letters(part).saturating_sub(left);
                    }
                    values.push(found.map_or(Cow::Borrowed(*part), |found| Cow::Owned(found.text)));
                }
                let found = || Found {
                    text: entry.other.fill(entry.english.holes(), &values),
                    unknown,
                };
                if unknown == 0 && known > 0 {
                    return Some(found());
                }
                if partly.is_none() && (entry.letters >= A_SENTENCE || known > unknown) {
                    partly = Some(found());
                }
            }
        }
        partly
    }
}

/// A translation, and how many letters in it are not translated.
#[derive(Debug, Clone)]
struct Found {
    text: String,
    unknown: usize,
}

fn letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphabetic()).count()
}

/// Whether a text holds English words, and not only names, numbers and what stands between back-ticks.
pub fn has_words(text: &str) -> bool {
    let outside = text.split('`').step_by(2);
    let is_word = |word: &str| {
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
        word.len() > 1
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c == '\'' || c == '-')
    };
    outside.flat_map(str::split_whitespace).any(is_word)
}

/// The cells of a line, each with the column in which it begins: what two or more blanks divide, outside of
/// back-ticks.
pub fn cells(line: &str) -> Vec<(usize, &str)> {
    let (mut cells, mut begin, mut blanks, mut quoted) = (Vec::new(), 0, 0, false);
    for (at, c) in line.char_indices() {
        match c {
            ' ' if !quoted => blanks += 1,
            _ => {
                if blanks > 1 {
                    cells.push((begin, &line[begin..at - blanks]));
                    begin = at;
                }
                blanks = 0;
                quoted ^= c == '`';
            }
        }
    }
    cells.push((begin, &line[begin..]));
    let column = |(begin, cell): (usize, _)| (line[..begin].width(), cell);
    cells.into_iter().map(column).collect()
}
