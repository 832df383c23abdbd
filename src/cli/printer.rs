//! The one place that writes to stdout and stderr.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

use qpyflash::Error;
use qpyflash::flash::{ErrorReport, Outcome};
use serde::Serialize;

use super::language::Language;
use super::options::{Color, Global};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a person.
    Text,
    /// One object.
    Json,
    /// One line an event.
    JsonLines,
}

/// Writes results to stdout and everything else to stderr.
#[derive(Debug, Clone)]
pub struct Printer {
    pub form: Form,
    pub quiet: bool,
    pub verbose: u8,
    pub bars: bool,
    color: bool,
    language: Language,
}

impl Printer {
    pub fn new(global: &Global, language: Language) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let printer = Printer {
            form: match (global.json, global.jsonl) {
                (true, _) => Form::Json,
                (_, true) => Form::JsonLines,
                _ => Form::Text,
            },
            quiet: global.quiet,
            verbose: global.verbose,
            bars: terminal && global.verbose == 0 && !global.quiet,
            color: match global.color {
                Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none(),
                Color::Always => true,
                Color::Never => false,
            },
            language,
        };
        printer.start_log();
        printer
    }

    fn start_log(&self) {
        let level = match self.verbose {
            0 | 1 => log::LevelFilter::Warn,
            _ => log::LevelFilter::Trace,
        };
        let mut log = env_logger::Builder::new();
        log.filter_module("qpyflash", level)
            .format_timestamp_millis()
            .format_target(false);
        let _ = log.try_init();
    }

    /// A text in the person's language.
    pub fn words<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.language.words(text)
    }

    /// The result, for a person.
    pub fn result(&self, text: &str) {
        self.line(text);
    }

    /// One line of a result that goes on; false when nobody reads any more.
    pub fn line(&self, text: &str) -> bool {
        self.verbatim(&self.words(text))
    }

    /// A result that another program reads, or that is the contents of a file; false when nobody reads any more.
    pub fn verbatim(&self, text: &str) -> bool {
        writeln!(std::io::stdout().lock(), "{}", text.trim_end()).is_ok()
    }

    /// The result, for a machine.
    pub fn json(&self, value: &impl Serialize) {
        self.json_line(value);
    }

    /// One object of a result that goes on; false when nobody reads any more.
    pub fn json_line(&self, value: &impl Serialize) -> bool {
        let mut out = std::io::stdout().lock();
        let written = match self.form {
            Form::JsonLines => serde_json::to_writer(&mut out, value),
            _ => serde_json::to_writer_pretty(&mut out, value),
        };
        written.is_ok() && writeln!(out).is_ok()
    }

    /// Progress, for a person.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr().lock(), "{}", self.words(text));
        }
    }

    /// What is wrong and does not end the command.
    pub fn warn(&self, text: &str) {
        let text = self.labelled("1;33", "warning:", text);
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// A question to the person at the terminal.
    pub fn ask(&self, text: &str) {
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "{}", self.words(text)).and_then(|()| err.flush());
    }

    /// A text behind a painted word: `warning: …`.
    pub fn labelled(&self, style: &str, label: &str, text: &str) -> String {
        let label = self.words(label);
        let gap = if label.ends_with(':') { " " } else { "" };
        format!("{}{gap}{}", self.paint(style, &label), self.words(text))
    }

    /// Paints a word.
    pub fn paint(&self, style: &str, text: &str) -> String {
        if self.color {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// A failure that ended a command.
    pub fn error(&self, error: &Error) {
        match self.form {
            Form::Text => self.failure(&ErrorReport::of(error), None),
            _ => self.json(&serde_json::json!({ "schema": 1, "error": ErrorReport::of(error) })),
        }
    }

    /// A failure that ended a run.
    pub fn failed_run(&self, error: &ErrorReport, outcome: &Outcome) {
        self.failure(error, Some(&outcome.written.to_string()));
    }

    fn failure(&self, error: &ErrorReport, written: Option<&str>) {
        let mut text = self.labelled("1;31", "error:", &error.message) + "\n";
        if let Some(written) = written {
            text += &format!("  {}\n", self.words(written));
        }
        if self.verbose > 0 {
            for detail in &error.details {
                text += &format!("  {}\n", self.words(detail).replace('\n', "\n    "));
            }
        }
        for hint in &error.hints {
            text += &(self.labelled("1;36", "hint:", hint) + "\n");
        }
        let _ = write!(std::io::stderr().lock(), "{text}");
    }
}
