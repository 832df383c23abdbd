//! Sentences with holes, and the ways in which a sentence fills them.

use std::borrow::Cow;

/// Ways in which one sentence may fill one template that are looked at.
const MOST_READINGS: usize = 64;

/// A sentence with holes: ``no answer to `{sent}` within {seconds} s``. Holes without a name are numbered from 1.
#[derive(Debug)]
pub struct Template {
    /// The text around the holes: one more than there are holes.
    literals: Vec<&'static str>,
    holes: Vec<String>,
}

impl Template {
    pub fn parse(text: &'static str) -> Template {
        let (mut literals, mut holes, mut unnamed, mut rest) = (Vec::new(), Vec::new(), 0, text);
        while let Some((before, name, after)) = next_hole(rest) {
            if name.is_empty() {
                unnamed += 1;
            }
            literals.push(before);
            holes.push(match name {
                "" => unnamed.to_string(),
                name => name.to_owned(),
            });
            rest = after;
        }
        literals.push(rest);
        Template { literals, holes }
    }

    pub fn holes(&self) -> &[String] {
        &self.holes
    }

    /// The text without the names of its holes: what makes a template.
    #[cfg(test)]
    pub fn shape(&self) -> String {
        self.literals.join("{}")
    }

    /// Letters that a sentence must share with this template.
    pub fn letters(&self) -> usize {
        let letters = |literal: &&str| literal.chars().filter(|c| c.is_alphabetic()).count();
        self.literals.iter().map(letters).sum()
    }

    /// Whether what fills a hole is never a sentence: it stands between back-ticks, or its name begins with `=`.
    pub fn is_value(&self, hole: usize) -> bool {
        self.holes[hole].starts_with('=') || !is_closed(&self.literals[..=hole].concat())
    }

    /// The text between a hole and the next.
    #[cfg(test)]
    pub fn after(&self, hole: usize) -> &'static str {
        self.literals[hole + 1]
    }

    /// The ways in which `text` fills the holes, those with the shortest first values first.
    pub fn readings<'t>(&self, text: &'t str) -> Vec<Vec<&'t str>> {
        let mut found = Vec::new();
        match text.strip_prefix(self.literals[0]) {
            Some("") if self.holes.is_empty() => found.push(Vec::new()),
            Some(rest) if !self.holes.is_empty() => self.read(rest, &mut Vec::new(), &mut found),
            _ => {}
        }
        found
    }

    fn read<'t>(&self, rest: &'t str, values: &mut Vec<&'t str>, found: &mut Vec<Vec<&'t str>>) {
        let literal = self.literals[values.len() + 1];
        if values.len() + 1 == self.holes.len() {
            if let Some(value) = rest.strip_suffix(literal).filter(|value| is_closed(value)) {
                found.push([values.as_slice(), &[value]].concat());
            }
            return;
        }
        for (at, _) in rest.match_indices(literal) {
            if is_closed(&rest[..at]) && found.len() < MOST_READINGS {
                values.push(&rest[..at]);
                self.read(&rest[at + literal.len()..], values, found);
                values.pop();
            }
        }
    }

    /// The sentence with its holes filled. A blank stands between Chinese and Latin letters, and none in Chinese.
    pub fn fill(&self, names: &[String], values: &[Cow<'_, str>]) -> String {
        let mut text = String::new();
        for (index, literal) in self.literals.iter().enumerate() {
            append(&mut text, literal);
            let hole = self.holes.get(index);
            let place = hole.and_then(|hole| names.iter().position(|name| name == hole));
            append(
                &mut text,
                place
                    .and_then(|place| values.get(place))
                    .map_or("", |value| value),
            );
        }
        text
    }
}

fn append(text: &mut String, more: &str) {
    let (mut before, mut after) = (text.chars().rev(), more.chars());
    let (last, last_but_one) = (before.next().unwrap_or(' '), before.next().unwrap_or(' '));
    let (first, second) = (after.next().unwrap_or(' '), after.next().unwrap_or(' '));
    let is_latin = |c: char| c.is_ascii_alphanumeric() || c == '`';
    let mut more = more;
    if last == ' ' && is_joined(last_but_one, first) {
        text.pop();
    } else if first == ' ' && is_joined(last, second) {
        more = more.strip_prefix(' ').unwrap_or(more);
    } else if is_ideograph(last) && is_latin(first) || is_latin(last) && is_ideograph(first) {
        text.push(' ');
    }
    text.push_str(more);
}

/// No blank stands between two Chinese characters, and none beside Chinese punctuation.
fn is_joined(one: char, other: char) -> bool {
    let is_punctuation =
        |c: char| ('\u{3000}'..='\u{303f}').contains(&c) || ('\u{ff00}'..='\u{ffef}').contains(&c);
    is_punctuation(one) || is_punctuation(other) || is_ideograph(one) && is_ideograph(other)
}

fn is_ideograph(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// Text before the next hole, the hole's name without its format, and what follows.
fn next_hole(text: &'static str) -> Option<(&'static str, &'static str, &'static str)> {
    let (before, rest) = text.split_once('{')?;
    let (hole, after) = rest.split_once('}')?;
    Some((before, hole.split(':').next().unwrap_or_default(), after))
}

/// Every back-tick that is opened is closed.
fn is_closed(text: &str) -> bool {
    text.matches('`').count().is_multiple_of(2)
}
