//! Help and usage errors: the texts of the commands, and the parser's own words.

use std::io::Write;

use clap::{Command, Error};
use textwrap::Options;
use unicode_width::UnicodeWidthStr;

use super::{Language, catalogue, zh};

/// Columns of a help text, as in the English one.
const WIDTH: usize = 100;

impl Language {
    /// The command as it must be for its help to be translated: each text on one line.
    pub fn prepare(self, command: Command) -> Command {
        match self {
            Language::En => command,
            Language::Zh => command.term_width(0),
        }
    }

    /// Shows help, the version or a usage error, and returns the exit code.
    pub fn print(self, error: &Error) -> u8 {
        let _ = match self {
            Language::En => error.print(),
            Language::Zh => {
                let text = in_chinese(&error.render().to_string());
                match error.use_stderr() {
                    true => std::io::stderr().write_all(text.as_bytes()),
                    false => std::io::stdout().write_all(text.as_bytes()),
                }
            }
        };
        u8::try_from(error.exit_code()).unwrap_or(2)
    }
}

/// What the parser has rendered, wrapped for a terminal.
pub(super) fn in_chinese(text: &str) -> String {
    let wrapped = |line: &str| {
        let (column, _) = catalogue::cells(line).pop().unwrap_or_default();
        let indent = " ".repeat(if column < WIDTH / 2 { column } else { 0 });
        let width = WIDTH.min(textwrap::termwidth().max(WIDTH / 2));
        match line.width() > width {
            true => textwrap::fill(line, Options::new(width).subsequent_indent(&indent)),
            false => line.to_owned(),
        }
    };
    let lines: Vec<String> = zh().text(text).split('\n').map(wrapped).collect();
    lines.join("\n")
}
