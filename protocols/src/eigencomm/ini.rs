//! The small settings files beside a `.binpkg`: sections, `key = value`, numbers in hex or decimal.
//!
//! Keys and sections are compared without regard to case; a key without a value counts as absent; `;` and `#` begin
//! a comment. Source: specs/eigencomm-agentboot.md §2.6 (V).

use std::collections::BTreeMap;

use crate::FormatError;

/// A settings file, read.
pub(super) struct Ini {
    /// The file's name, for errors.
    name: &'static str,
    /// By section and key, both in lower case.
    values: BTreeMap<(String, String), String>,
}

impl Ini {
    /// Reads any bytes; what is no setting is ignored.
    pub fn parse(name: &'static str, file: &[u8]) -> Ini {
        let text = String::from_utf8_lossy(file);
        let mut section = String::new();
        let mut values = BTreeMap::new();
        for line in text.trim_start_matches('\u{feff}').lines() {
            let line = line.split([';', '#']).next().unwrap_or_default().trim();
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.trim().to_ascii_lowercase();
            } else if let Some((key, value)) = line.split_once('=') {
                let value = value.trim().trim_matches('"').trim();
                if !value.is_empty() {
                    values.insert((section.clone(), key.trim().to_ascii_lowercase()), value.into());
                }
            }
        }
        Ini { name, values }
    }

    /// The number of a key, if the file has that key.
    ///
    /// # Errors
    /// [`FormatError::Corrupt`] when the value is no number of 32 bits.
    pub fn number(&self, section: &str, key: &str) -> Result<Option<u32>, FormatError> {
        let place = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
        let Some(value) = self.values.get(&place) else {
            return Ok(None);
        };
        let number = number(value).ok_or_else(|| FormatError::Corrupt {
            what: self.place(section, key),
            why: format!("`{value}` is not a number"),
        });
        number.map(Some)
    }

    /// The number of a key that must be there.
    ///
    /// # Errors
    /// [`FormatError`] when it is not, or is no number of 32 bits.
    pub fn needed(&self, section: &str, key: &str) -> Result<u32, FormatError> {
        self.number(section, key)?.ok_or_else(|| FormatError::Missing {
            what: self.place(section, key),
        })
    }

    fn place(&self, section: &str, key: &str) -> String {
        format!("`{key}` of `[{section}]` in `{}`", self.name)
    }
}

/// A number as the vendor's files write it: hex only after `0x`. Source: §2.6, §11 no. 18.
pub(super) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}
