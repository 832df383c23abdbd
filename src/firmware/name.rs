//! The grammar of firmware file names. Source: specs/identity.md §4.2.
//!
//! ```text
//! PUBLIC = "QPY" ["_OCPU"] ["_" ("V"|"BETA") dddd] "_" SERIES "_" SUBMODEL [VARIANT] "_FW" ["_" VARIANT] ["_" date]
//! BUILD  = ["8915DM_cat1_open_"] REVISION ["_merge"|"_flash_delete"|"_pyfs_erase"|"_release_pack"]
//! ```
//! A name is a claim and the weakest evidence: files of one name differ in content.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::identity::{OrderingCode, Revision};

/// The version in a public name.
///
/// The order is that of the vendor's download page: betas of a submodel before its releases. It is not an
/// order in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `BETA0002`.
    Beta(u16),
    /// `V0006`.
    Release(u16),
}

impl Version {
    /// It is no release.
    pub fn is_beta(&self) -> bool {
        matches!(self, Version::Beta(_))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Version::Beta(number) => write!(f, "BETA{number:04}"),
            Version::Release(number) => write!(f, "V{number:04}"),
        }
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Which product of a build a name in build form means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The plain revision: an ASR package, or the application alone of a Unisoc build.
    Plain,
    /// `8915DM_cat1_open_…`: the core without application.
    Core,
    /// `…_merge`: core and application, the firmware of a Unisoc build.
    Merge,
    /// `…_flash_delete`.
    FlashDelete,
    /// `…_pyfs_erase`.
    PyfsErase,
    /// `…_release_pack`.
    ReleasePack,
}

/// A firmware file, folder or member name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    ordering_code: OrderingCode,
    variant: Option<String>,
    version: Option<Version>,
    revision: Option<Revision>,
    part: Part,
    merged: Option<String>,
}

impl FileName {
    /// Takes a name apart; a path may stand before it, extensions and a browser's ` (1)` behind it.
    /// Nothing for a name of neither form.
    pub fn parse(name: &str) -> Option<FileName> {
        let base = name.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next()?;
        let stem = stem(base).to_ascii_uppercase();
        public_form(&stem).or_else(|| build_form(&stem))
    }

    /// Series and submodel the name claims, as an ordering code without options.
    pub fn ordering_code(&self) -> &OrderingCode {
        &self.ordering_code
    }

    /// `EC600N`.
    pub fn series(&self) -> &str {
        self.ordering_code.series()
    }

    /// `CNLA`.
    pub fn submodel(&self) -> &str {
        self.ordering_code.submodel()
    }

    /// `BT`, `EXTFS8M`, `VOLTE`: a build that may need parts on the board.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// `V0006` or `BETA0002` of a public name.
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// The revision of a name in build form.
    pub fn revision(&self) -> Option<&Revision> {
        self.revision.as_ref()
    }

    /// Which product of a build it is; [`Part::Plain`] for public names.
    pub fn part(&self) -> Part {
        self.part
    }

    /// `20230410-1322`, when QPYcom merged a user's application into the firmware then.
    pub fn merged(&self) -> Option<&str> {
        self.merged.as_deref()
    }
}

/// The name without extensions, a browser's ` (1)` and blanks.
///
/// An extension begins with a letter, so the dots of a build number (`_01.300.01.300`) stay.
fn stem(base: &str) -> &str {
    let mut stem = base.trim();
    loop {
        let shorter = without_extension(without_copy_number(stem)).trim();
        if shorter.len() == stem.len() {
            return stem;
        }
        stem = shorter;
    }
}

fn without_extension(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((before, extension)) if extension == "7z" || starts_with_letter(extension) => before,
        _ => name,
    }
}

fn starts_with_letter(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
}

/// `name (1)`, `name(12)`.
fn without_copy_number(name: &str) -> &str {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match name.strip_suffix(')').and_then(|open| open.rsplit_once('(')) {
        Some((before, digits)) if number(digits) => before,
        _ => name,
    }
}

/// `QPY_OCPU_V0006_EC600N_CNLA_FW`, in upper case.
fn public_form(stem: &str) -> Option<FileName> {
    let mut tokens = stem.split('_').peekable();
    if tokens.next() != Some("QPY") {
        return None;
    }
    tokens.next_if_eq(&"OCPU");
    let version = tokens.peek().copied().and_then(version);
    if version.is_some() {
        tokens.next();
    }
    let series = tokens.next()?;
    let (submodel, joined) = tokens.next()?.split_at_checked(4)?;
    let ordering_code = OrderingCode::from_parts(series, submodel).ok()?;

    let mut variants: Vec<&str> = Vec::new();
    let mut merged = None;
    for token in std::iter::once(joined).chain(tokens) {
        match token {
            "" | "FW" => {}
            _ if is_merge_date(token) => merged = Some(token.to_owned()),
            _ => variants.push(token),
        }
    }
    let variant = (!variants.is_empty()).then(|| variants.join("_"));
    Some(FileName {
        ordering_code,
        variant,
        version,
        revision: None,
        part: Part::Plain,
        merged,
    })
}

/// `V0006` or `BETA0002`: four digits.
fn version(token: &str) -> Option<Version> {
    let number = |digits: &str| (digits.len() == 4).then(|| digits.parse().ok()).flatten();
    match token.strip_prefix("BETA") {
        Some(digits) => number(digits).map(Version::Beta),
        None => token.strip_prefix('V').and_then(number).map(Version::Release),
    }
}

/// `20230410-1322`.
fn is_merge_date(token: &str) -> bool {
    let digits = |text: &str, len: usize| text.len() == len && text.bytes().all(|b| b.is_ascii_digit());
    token
        .split_once('-')
        .is_some_and(|(date, time)| digits(date, 8) && digits(time, 4))
}

/// `8915DM_CAT1_OPEN_EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107_MERGE`, in upper case.
fn build_form(stem: &str) -> Option<FileName> {
    let (prefixed, rest) = match stem.strip_prefix("8915DM_CAT1_OPEN_") {
        Some(rest) => (true, rest),
        None => (false, stem),
    };
    let (rest, merged) = match rest.rsplit_once('_') {
        Some((before, token)) if is_merge_date(token) => (before, Some(token.to_owned())),
        _ => (rest, None),
    };
    let (rest, part) = [
        ("_MERGE", Part::Merge),
        ("_FLASH_DELETE", Part::FlashDelete),
        ("_PYFS_ERASE", Part::PyfsErase),
        ("_RELEASE_PACK", Part::ReleasePack),
    ]
    .into_iter()
    .find_map(|(suffix, part)| Some((rest.strip_suffix(suffix)?, part)))
    .unwrap_or((rest, if prefixed { Part::Core } else { Part::Plain }));

    let revision: Revision = rest.parse().ok()?;
    Some(FileName {
        ordering_code: revision.ordering_code().clone(),
        variant: revision.variant(),
        version: None,
        revision: Some(revision),
        part,
        merged,
    })
}

#[cfg(test)]
#[path = "name_tests.rs"]
mod tests;
