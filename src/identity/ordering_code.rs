//! Ordering codes: `EC800MCNGA-I05-SGNSA`, the name printed on a module's shield can.
//!
//! The first part is always ten characters: series (`EC800M`), region (`CN`) and sub (`GA`). Region and sub
//! together are the submodel (`CNGA`). Firmware names speak of the same ten characters as `EC800M_CNGA`.
//! Source: specs/identity.md §4.1.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// Characters of the series, `EC800M`.
const SERIES_LEN: usize = 6;
/// Characters of series and region, `EC800MCN`.
const REGION_END: usize = 8;

#[expect(clippy::expect_used, reason = "a constant pattern; every test compiles it")]
static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(E[CG][0-9]{3}[A-Z])[-_ ]?([A-Z]{2})[-_ ]?([A-Z]{2})(?:[-_ ]([A-Z0-9]+(?:[-_ ][A-Z0-9]+)*))?$",
    )
    .expect("the pattern is valid")
});

/// A complete ordering code: series, region and sub, and whatever the label says after them.
///
/// Two codes are equal when all of their parts are; what decides over firmware is only
/// [`same_submodel`](Self::same_submodel).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderingCode {
    /// Ten ASCII characters, upper case, without separators.
    first_part: String,
    /// `I05-SGNSA`.
    options: Option<String>,
}

/// A text that is not a complete ordering code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderingCodeError {
    /// The series is there, but not the submodel that firmware depends on.
    #[error(
        "`{0}` names a series only; the submodel is missing: type the whole first part from the label, like `EC600NCNLA`"
    )]
    Incomplete(String),
    /// A revision string was given.
    #[error(
        "`{0}` is a firmware revision, not an ordering code; the label on the module shows the ordering code"
    )]
    Revision(String),
    /// Anything else.
    #[error("`{0}` is not the ordering code of a Cat.1 module, which looks like `EC800MCNGA-I05-SGNSA`")]
    Malformed(String),
}

impl OrderingCode {
    /// The ten characters that decide: `EC800MCNGA`.
    pub fn first_part(&self) -> &str {
        &self.first_part
    }

    /// The series: `EC800M`.
    pub fn series(&self) -> &str {
        &self.first_part[..SERIES_LEN]
    }

    /// The region: `CN`.
    pub fn region(&self) -> &str {
        &self.first_part[SERIES_LEN..REGION_END]
    }

    /// Region and sub, as firmware names write them: `CNGA`.
    pub fn submodel(&self) -> &str {
        &self.first_part[SERIES_LEN..]
    }

    /// What the label says after the first part: `I05-SGNSA`. It never decides anything.
    pub fn options(&self) -> Option<&str> {
        self.options.as_deref()
    }

    /// The ten characters as firmware names write them: `EC800M_CNGA`.
    pub fn firmware_name(&self) -> String {
        format!("{}_{}", self.series(), self.submodel())
    }

    /// The same series and submodel; the options do not matter.
    pub fn same_submodel(&self, other: &OrderingCode) -> bool {
        self.first_part == other.first_part
    }

    /// The code made of a series and a submodel: `EC800M` and `CNGA`.
    ///
    /// # Errors
    /// [`OrderingCodeError`] when the two do not make a complete code.
    pub fn from_parts(series: &str, submodel: &str) -> Result<Self, OrderingCodeError> {
        format!("{series}_{submodel}").parse()
    }
}

impl FromStr for OrderingCode {
    type Err = OrderingCodeError;

    /// Upper or lower case; one `-`, `_` or space may stand between series, region and sub.
    /// Source: specs/identity.md §1.6.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.trim().to_ascii_uppercase();
        let Some(parts) = PATTERN.captures(&upper) else {
            return Err(reason_for(text.trim(), &upper));
        };
        let options = parts.get(4).map(|rest| rest.as_str().replace(['_', ' '], "-"));
        Ok(OrderingCode {
            first_part: [&parts[1], &parts[2], &parts[3]].concat(),
            options,
        })
    }
}

/// Why `text` is not an ordering code, for the person who typed it.
fn reason_for(text: &str, upper: &str) -> OrderingCodeError {
    let shown: String = text.chars().take(64).collect();
    if upper.parse::<super::Revision>().is_ok() {
        OrderingCodeError::Revision(shown)
    } else if super::series_of(upper).is_some() && upper.len() < 10 {
        OrderingCodeError::Incomplete(shown)
    } else {
        OrderingCodeError::Malformed(shown)
    }
}

impl fmt::Display for OrderingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first_part)?;
        match &self.options {
            Some(options) => write!(f, "-{options}"),
            None => Ok(()),
        }
    }
}

impl TryFrom<String> for OrderingCode {
    type Error = OrderingCodeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<OrderingCode> for String {
    fn from(code: OrderingCode) -> String {
        code.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> OrderingCode {
        text.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn reads_every_form_people_and_modules_write() {
        for (text, shown, firmware) in [
            ("EC800MCNGA-I05-SGNSA", "EC800MCNGA-I05-SGNSA", "EC800M_CNGA"),
            ("ec800mcnga-i05-sgnsa", "EC800MCNGA-I05-SGNSA", "EC800M_CNGA"),
            (" EC800MCNGA ", "EC800MCNGA", "EC800M_CNGA"),
            ("EC800M_CNGA", "EC800MCNGA", "EC800M_CNGA"),
            ("EC800M-CNGA", "EC800MCNGA", "EC800M_CNGA"),
            ("EC800MCN_LA", "EC800MCNLA", "EC800M_CNLA"),
            (
                "EC800M CN GA - I05".replace(" - ", "-").as_str(),
                "EC800MCNGA-I05",
                "EC800M_CNGA",
            ),
            ("EC600N-CNLA-N05", "EC600NCNLA-N05", "EC600N_CNLA"),
            ("EC600N-CNLC-N06", "EC600NCNLC-N06", "EC600N_CNLC"),
            ("EC600NCNLA-N05-SNNSA", "EC600NCNLA-N05-SNNSA", "EC600N_CNLA"),
            ("EC600NCNLF-N06-SNNDA", "EC600NCNLF-N06-SNNDA", "EC600N_CNLF"),
            ("EC200UCNAA-N05-SGNSA", "EC200UCNAA-N05-SGNSA", "EC200U_CNAA"),
            ("EG915UEUAB-N05-SNNSA", "EG915UEUAB-N05-SNNSA", "EG915U_EUAB"),
            ("EC600MCN_CC_EXT", "EC600MCNCC-EXT", "EC600M_CNCC"),
        ] {
            let read = code(text);
            assert_eq!(read.to_string(), shown, "{text}");
            assert_eq!(read.firmware_name(), firmware, "{text}");
        }
    }

    #[test]
    fn names_its_parts() {
        let read = code("EC800MCNGA-I05-SGNSA");
        assert_eq!(
            (
                read.series(),
                read.region(),
                read.submodel(),
                read.first_part(),
                read.options()
            ),
            ("EC800M", "CN", "CNGA", "EC800MCNGA", Some("I05-SGNSA"))
        );
        assert!(read.same_submodel(&code("EC800M_CNGA")));
        assert_ne!(read, code("EC800M_CNGA"));
        assert!(!read.same_submodel(&code("EC800M_CNGB")));
    }

    #[test]
    fn a_series_alone_is_not_an_identity() {
        for text in ["EC600U-CN", "EC800M", "EC800M-CN", "ec600n", "EC600UCN"] {
            let found = text.parse::<OrderingCode>();
            assert!(
                matches!(found, Err(OrderingCodeError::Incomplete(_))),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn a_revision_is_not_an_ordering_code() {
        let found = "EC600NCNLAR03A07M08".parse::<OrderingCode>();
        assert!(matches!(found, Err(OrderingCodeError::Revision(_))), "{found:?}");
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "BG95M3",
            "BC25PA",
            "FCM360W",
            "FC41D",
            "UC200A",
            "EC20CEFHLG",
            "EG25GGB",
            "EM05GFA",
            "EC800MCNGA0",
            "EC800MCNG",
            "EC800M--CNGA",
            "EC8O0MCNGA",
            "EC800MCNGA-",
            "模块",
            "EC800MCNGA-é",
        ] {
            assert!(text.parse::<OrderingCode>().is_err(), "{text}");
        }
    }

    #[test]
    fn goes_through_json_as_one_string() {
        let json = serde_json::to_string(&code("EC800M_CNGA")).unwrap();
        assert_eq!(json, "\"EC800MCNGA\"");
        assert_eq!(
            serde_json::from_str::<OrderingCode>(&json).unwrap(),
            code("EC800MCNGA")
        );
        assert!(serde_json::from_str::<OrderingCode>("\"EC800M\"").is_err());
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC*") {
            let _ = text.parse::<OrderingCode>();
        }

        #[test]
        fn what_is_shown_reads_back(text in "E[CG][0-9]{3}[A-Z][-_ ]?[A-Z]{2}[-_ ]?[A-Z]{2}(-[A-Z0-9]{1,5}){0,2}") {
            let read = code(&text);
            proptest::prop_assert_eq!(code(&read.to_string()), read);
        }
    }
}
