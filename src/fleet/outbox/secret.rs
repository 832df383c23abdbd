//! Passwords and tokens: where they are, and that nobody sees them.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny};

use crate::error::{Error, Kind};

/// A password or a token. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// For the one who sends it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// What is no text is not quoted in the error, as it would be otherwise.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Found {
            Text(String),
            Other(IgnoredAny),
        }
        match Found::deserialize(deserializer)? {
            Found::Text(text) => Ok(Secret(text)),
            Found::Other(_) => Err(D::Error::custom("a text in quotation marks is needed")),
        }
    }
}

/// Where a secret is. A file that only the line's user may read, or a variable, is better than the text itself: the
/// configuration is copied and shown around.
#[derive(Debug, Clone)]
pub enum Source {
    /// In the configuration itself.
    Here(Secret),
    /// In a file, alone.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
}

impl Source {
    /// At most one of the three may be given for the secret called `name`.
    pub(super) fn choose(
        name: &str,
        folder: &Path,
        here: Option<Secret>,
        file: Option<PathBuf>,
        variable: Option<String>,
    ) -> Result<Option<Self>, String> {
        match (here, file, variable) {
            (None, None, None) => Ok(None),
            (Some(secret), None, None) => Ok(Some(Source::Here(secret))),
            (None, Some(file), None) => Ok(Some(Source::File(folder.join(file)))),
            (None, None, Some(variable)) => Ok(Some(Source::Variable(variable))),
            _ => Err(format!(
                "only one of `{name}`, `{name}_file` and `{name}_env` can be meant"
            )),
        }
    }

    /// The secret itself.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there is none where it should be.
    pub(super) fn read(&self) -> Result<Secret, Error> {
        let usage = |text: String| Error::new(Kind::Usage, text);
        let text = match self {
            Source::Here(secret) => return Ok(secret.clone()),
            Source::File(file) => std::fs::read_to_string(file)
                .map_err(|why| usage(format!("cannot read the secret in `{}`: {why}", file.display())))?,
            Source::Variable(name) => std::env::var(name).map_err(|_| {
                usage(format!(
                    "the secret should be in the variable `{name}`, which is not set, or no text"
                ))
            })?,
        };
        Ok(Secret(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        #[derive(Debug, serde::Deserialize)]
        struct Text {
            password: Secret,
        }
        let text: Text = toml::from_str("password = \"4711\"").unwrap();
        assert_eq!(text.password.reveal(), "4711");
        assert!(!format!("{text:?}").contains("4711"));
        let error = toml::from_str::<Text>("password = 4711").unwrap_err();
        assert!(!error.message().contains("4711"), "{}", error.message());
    }

    #[test]
    fn a_secret_in_a_file_ends_before_the_line_end() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), " a b \r\n").unwrap();
        let source = Source::choose("token", folder.path(), None, Some("token".into()), None);
        assert_eq!(source.unwrap().unwrap().read().unwrap().reveal(), " a b ");
        let none = Source::File(folder.path().join("none"));
        assert_eq!(none.read().unwrap_err().kind, Kind::Usage);
    }
}
