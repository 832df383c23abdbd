//! What a person reads, in the person's language.
//!
//! The library speaks English, and so does every machine-readable form: codes, keys and texts of `--json` and `--jsonl`
//! are the same everywhere. A sentence is translated here, on its way to the person, by a catalogue of pairs:
//!
//! ```text
//! no answer to `{sent}` within {} s ({tries} tries)
//! 发送 `{sent}` 后 {} 秒内没有应答（尝试 {tries} 次）
//! ```
//!
//! What fills a hole is translated, too, where it is a sentence itself; what stands between back-ticks, and a hole whose
//! name begins with `=`, never is. A new sentence is written where it belongs, and its pair goes into `zh`: tests hold the
//! catalogue and the sources together. A sentence that is not in it is shown in English.

mod catalogue;
mod help;
mod template;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ffi::OsString;
use std::sync::OnceLock;

use clap::ValueEnum;

use catalogue::Catalogue;

/// The variable that names the language, below the flag and above the locale.
pub const VARIABLE: &str = "QPYFLASH_LANG";
/// The locale's variables, the strongest first. Source: POSIX.1-2017, XBD 8.2.
const LOCALE: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];

/// The catalogue's files: the parser's, the system's, then one for each part of the program.
const ZH: [&str; 16] = [
    include_str!("zh/help.txt"),
    include_str!("zh/system.txt"),
    include_str!("zh/cli.txt"),
    include_str!("zh/fleet.txt"),
    include_str!("zh/flash.txt"),
    include_str!("zh/doctor.txt"),
    include_str!("zh/module.txt"),
    include_str!("zh/link.txt"),
    include_str!("zh/gate.txt"),
    include_str!("zh/identity.txt"),
    include_str!("zh/firmware.txt"),
    include_str!("zh/trace.txt"),
    include_str!("zh/protocols.txt"),
    include_str!("zh/asr.txt"),
    include_str!("zh/unisoc.txt"),
    include_str!("zh/eigencomm.txt"),
];

/// The language of everything that is for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// English
    En,
    /// Chinese (中文)
    Zh,
}

impl Language {
    /// The language that this command line asks for, known before it is parsed: help and usage errors need it.
    pub fn wanted() -> Language {
        choose(std::env::args_os().skip(1), |name| std::env::var(name).ok())
    }

    /// A text of the program, whatever its number of lines.
    pub fn words(self, text: &str) -> Cow<'_, str> {
        match self {
            Language::En => Cow::Borrowed(text),
            Language::Zh => Cow::Owned(zh().text(text)),
        }
    }
}

fn zh() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| Catalogue::read(&ZH))
}

/// The flag beats the program's own variable, and that beats the locale.
fn choose(arguments: impl Iterator<Item = OsString>, variable: impl Fn(&str) -> Option<String>) -> Language {
    let named = |name: &str| Language::from_str(name, true).ok();
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let by_locale = || {
        let locale = LOCALE.into_iter().find_map(set).or_else(of_system)?;
        locale.starts_with("zh").then_some(Language::Zh)
    };
    flag(arguments)
        .as_deref()
        .and_then(named)
        .or_else(|| named(&set(VARIABLE)?))
        .or_else(by_locale)
        .unwrap_or(Language::En)
}

/// The value of `--lang`; the last one, as the parser has it.
fn flag(arguments: impl Iterator<Item = OsString>) -> Option<String> {
    let (mut value, mut is_next) = (None, false);
    for argument in arguments.map(|argument| argument.to_string_lossy().into_owned()) {
        if argument == "--" {
            break;
        }
        if is_next {
            value = Some(argument.clone());
        } else if let Some(given) = argument.strip_prefix("--lang=") {
            value = Some(given.to_owned());
        }
        is_next = !is_next && argument == "--lang";
    }
    value
}

/// The language of a system that tells it otherwise than by variables.
#[cfg(windows)]
fn of_system() -> Option<String> {
    winreg::RegKey::predef(winreg::enums::HKEY_CURRENT_USER)
        .open_subkey("Control Panel\\International")
        .and_then(|key| key.get_value("LocaleName"))
        .ok()
}

#[cfg(not(windows))]
fn of_system() -> Option<String> {
    None
}
