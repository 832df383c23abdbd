//! Revision strings: `EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107`.
//!
//! `REV = OC10 "R" dd "A" dd [ "V" dd ] [ "M" [ d[d] [ "G" ] ] ] [ "_" TAIL ]`: the first part of an ordering
//! code, the release line, the application version, sometimes a minor version, the memory class, and tokens
//! that tell the kind of firmware. Source: specs/identity.md §1.4.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use regex::{Regex, bytes};
use serde::{Serialize, Serializer};

use super::{OrderingCode, Witness};

#[expect(clippy::expect_used, reason = "a constant pattern; every test compiles it")]
static WHOLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(E[CG][0-9]{3}[A-Z][A-Z]{2}[A-Z]{2})R([0-9]{2})A([0-9]{2})",
        r"(?:V([0-9]{2}))?(?:M([0-9]{1,2}[A-Z]?)?)?(?:_([!-~]+))?$"
    ))
    .expect("the pattern is valid")
});

/// As [`WHOLE`], with a tail of the tokens that occur in real firmware: upper case and digits, or a dotted
/// build number. So `_OCPU_QPY.sign.img` and `_BETA1107_merge.pac` end where the revision ends.
#[expect(clippy::expect_used, reason = "a constant pattern; every test compiles it")]
static INSIDE: LazyLock<bytes::Regex> = LazyLock::new(|| {
    bytes::Regex::new(concat!(
        r"(?-u)E[CG][0-9]{3}[A-Z]{5}R[0-9]{2}A[0-9]{2}",
        r"(?:V[0-9]{2})?(?:M(?:[0-9]{1,2}[A-Z]?)?)?(?:_[A-Z0-9]+(?:\.[0-9]+)*)*"
    ))
    .expect("the pattern is valid")
});

/// A whole revision string, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision {
    text: String,
    ordering_code: OrderingCode,
    line: u8,
    application: u8,
    minor: Option<u8>,
    memory: Option<String>,
    tail: Option<String>,
}

/// A text that is not a revision string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a firmware revision of a Cat.1 module, which looks like `EC600NCNLAR03A07M08`")]
pub struct RevisionError(String);

impl Revision {
    /// The text as found: `EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The ordering code it begins with; it has no options.
    pub fn ordering_code(&self) -> &OrderingCode {
        &self.ordering_code
    }

    /// The release line, `R03`: it follows the chip's SDK line. Lines do not grow with time.
    pub fn line(&self) -> u8 {
        self.line
    }

    /// The application version inside the line, `A01`.
    pub fn application(&self) -> u8 {
        self.application
    }

    /// The minor version, `V02`, which is rare.
    pub fn minor(&self) -> Option<u8> {
        self.minor
    }

    /// The memory class: `08` of `M08`, `2G` of `M2G`. It is not a constant of the ordering code.
    pub fn memory(&self) -> Option<&str> {
        self.memory.as_deref()
    }

    /// Everything after the first underscore: `BT_OCPU_QPY_BETA1107`.
    pub fn tail(&self) -> Option<&str> {
        self.tail.as_deref()
    }

    /// The tail's tokens.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.tail
            .iter()
            .flat_map(|tail| tail.split('_'))
            .filter(|token| !token.is_empty())
    }

    /// What the tail says about the kind of firmware. Source: specs/identity.md §3.3 point 0.
    pub fn witness(&self) -> Witness {
        let mut witness = Witness::Factory;
        for token in self.tokens() {
            match token {
                "QPY" | "PY" => return Witness::QuecPython,
                "OCPU" | "OCPY" | "OCP" => witness = Witness::OpenCpu,
                _ => {}
            }
        }
        witness
    }

    /// The token that marks a build which is no release: `BETA1107`, `TEST0810`.
    pub fn prerelease(&self) -> Option<&str> {
        self.tokens().find(|token| is_prerelease(token))
    }

    /// The variant or customer branch: `BT`, `AI_WS`; what is left of the tail when its other tokens are gone.
    pub fn variant(&self) -> Option<String> {
        let kept: Vec<&str> = self.tokens().filter(|token| is_variant(token)).collect();
        (!kept.is_empty()).then(|| kept.join("_"))
    }

    /// Every different revision string inside binary data, in order of first appearance.
    ///
    /// Only the whole pattern counts: frozen Python code holds bare words such as `EC600E` in packages for
    /// other modules. A string may stand directly behind machine code, so what precedes it does not matter;
    /// a letter or digit directly behind it means that it is something else. Source: specs/identity.md §4.3.
    pub fn find_in(data: &[u8]) -> Vec<Revision> {
        let mut found: Vec<Revision> = Vec::new();
        for hit in INSIDE.find_iter(data) {
            let ends = data
                .get(hit.end())
                .is_none_or(|next| !next.is_ascii_alphanumeric());
            let Some(revision) = std::str::from_utf8(hit.as_bytes())
                .ok()
                .and_then(|text| text.parse().ok())
            else {
                continue;
            };
            if ends && !found.contains(&revision) {
                found.push(revision);
            }
        }
        found
    }
}

fn is_prerelease(token: &str) -> bool {
    // `BETE` is a misspelling that was shipped.
    ["BETA", "BETE", "TEST"]
        .iter()
        .any(|mark| token.starts_with(mark))
}

fn is_variant(token: &str) -> bool {
    let kind = matches!(token, "QPY" | "PY" | "OCPU" | "OCPY" | "OCP");
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let version = digits(token.strip_prefix('V').unwrap_or(token));
    !kind && !version && !is_prerelease(token)
}

impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let wrong = || RevisionError(text.chars().take(64).collect());
        let parts = WHOLE.captures(text).ok_or_else(wrong)?;
        let number = |group: usize| parts.get(group).and_then(|digits| digits.as_str().parse().ok());
        let word = |group: usize| parts.get(group).map(|text| text.as_str().to_owned());
        Ok(Revision {
            text: text.to_owned(),
            ordering_code: parts[1].parse().map_err(|_| wrong())?,
            line: number(2).ok_or_else(wrong)?,
            application: number(3).ok_or_else(wrong)?,
            minor: number(4),
            memory: word(5),
            tail: word(6),
        })
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Revision {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

#[cfg(test)]
#[path = "revision_tests.rs"]
mod tests;
