//! What keeps this host from working with modules, and one thing to do about each of it.
//!
//! Every check looks and changes nothing: no port is opened, no module is asked. What is looked at lies below a root
//! folder, so that a recorded host can be examined like this one.

mod absent;
mod brltty;
mod busy;
mod driver;
mod host;
mod modem_manager;
mod permission;
mod rules;
mod stuck;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

pub use host::Host;

use serde::Serialize;

use crate::error::{Error, Kind};
use crate::module::{Attached, UsbEntry, survey};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// May disturb.
    Warning,
    /// Nothing works until it is dealt with.
    Obstacle,
}

/// What one check has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check: `driver`, `busy` and so on.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub text: String,
    /// The one thing to do.
    pub remedy: Option<String>,
    /// The exit code that a command would end with because of it.
    #[serde(skip)]
    code: u8,
}

impl Finding {
    fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Finding {
            check,
            level: Level::Ok,
            text: text.into(),
            remedy: None,
            code: 0,
        }
    }

    fn warning(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding {
            level: Level::Warning,
            remedy: Some(remedy.into()),
            ..Finding::ok(check, text)
        }
    }

    /// What makes every command fail with `kind`.
    fn obstacle(check: &'static str, kind: Kind, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding {
            level: Level::Obstacle,
            code: Error::new(kind, "").exit_code(),
            ..Finding::warning(check, text, remedy)
        }
    }
}

/// What was found on a host.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The version of this form.
    pub schema: u32,
    /// Every finding, in the order of the checks.
    pub findings: Vec<Finding>,
    /// 0 when nothing stands in the way; 4 when there is no module to work with; 8 when there is one that cannot be
    /// opened.
    pub exit_code: u8,
}

/// What is plugged in.
struct Seen {
    modules: Vec<Attached>,
    others: Vec<UsbEntry>,
}

/// Examines a host.
///
/// # Errors
/// [`Kind::LinkFailed`] when the bus cannot be read.
pub fn examine(host: &Host) -> Result<Report, Error> {
    let (modules, others) = survey(host.bus())?;
    let seen = Seen { modules, others };
    let checks: [fn(&Host, &Seen) -> Vec<Finding>; 8] = [
        absent::check,
        driver::check,
        permission::check,
        busy::check,
        modem_manager::check,
        brltty::check,
        rules::check,
        stuck::check,
    ];
    let findings: Vec<Finding> = checks.iter().flat_map(|check| check(host, &seen)).collect();
    Ok(Report {
        schema: 1,
        exit_code: findings.iter().map(|finding| finding.code).max().unwrap_or(0),
        findings,
    })
}

/// What may disturb a run on this module and is no obstacle before it begins: a program that may take a port while
/// the module is written.
pub fn disturbance(host: &Host, module: &Attached) -> Option<Finding> {
    modem_manager::of(host, module)
}

/// `1-4.2 (2c7c:6001)`.
fn name(module: &Attached) -> String {
    format!("{} ({})", module.topology, module.usb_id)
}
