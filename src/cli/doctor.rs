//! `qpyflash doctor`

use std::path::PathBuf;

use clap::Args;
use qpyflash::Error;
use qpyflash::doctor::{Finding, Host, Level, examine};

use super::printer::{Form, Printer};

/// Options of `doctor`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Examine the host recorded below this folder
    #[arg(long, value_name = "DIR", hide = true)]
    pub root: Option<PathBuf>,
}

pub fn run(arguments: &Arguments, printer: &Printer) -> Result<u8, Error> {
    let host = arguments.root.as_ref().map_or_else(Host::this, Host::recorded);
    let report = examine(&host)?;
    match printer.form {
        Form::Text => report
            .findings
            .iter()
            .for_each(|finding| printer.result(&describe(finding, printer))),
        _ => printer.json(&report),
    }
    Ok(report.exit_code)
}

fn describe(finding: &Finding, printer: &Printer) -> String {
    let sign = match finding.level {
        Level::Ok => "ok",
        Level::Warning => "! ",
        Level::Obstacle => "x ",
    };
    let text = format!("{sign} {:<14} {}", finding.check, finding.text);
    match &finding.remedy {
        Some(remedy) if !printer.quiet => format!("{text}\n   do: {remedy}"),
        _ => text,
    }
}
