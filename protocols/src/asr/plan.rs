//! A package, validated: what will be asked of the module, in order.

use std::sync::Arc;

use super::rehearsal::Rehearsal;
use super::script::Script;
use super::tables::Table;
use super::unsupported;
use crate::FormatError;

/// What a package asks to be done, validated.
///
/// Everything that can be known without the module has been checked: every command is one we run, every image is
/// present, fits its partition and is of the right form.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) route: Route,
    pub(super) images: Vec<Image>,
    pub(super) helpers: Vec<Image>,
    pub(super) warnings: Vec<String>,
    pub(super) production: Option<Production>,
}

/// The two forms a package comes in. Source: specs/asr-aboot.md §5.1.
#[derive(Debug, Clone)]
pub(super) enum Route {
    /// `download.json`: decisions are taken while it runs.
    Entries(Vec<Entry>),
    /// `firmware.bin`: a flat list of commands and expected replies.
    Script(Script),
}

/// One image of a package. The data is shared by all modules that are written at once.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its name in the package; in a script, which has no names, that of its partition or purpose.
    pub name: String,
    /// The partition it goes to; empty for what only goes to RAM.
    pub target: String,
    /// Its bytes, expanded if the package had it in sparse form.
    pub data: Arc<[u8]>,
    /// Whether it is left out unless production mode is asked for.
    pub production: bool,
}

/// What a package keeps for the factory. Source: §5.2: `productionOnly` (V).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Production {
    /// The groups that are skipped in upgrade mode, in the order of the package.
    pub groups: Vec<String>,
    /// Why the package cannot be written without them, if so.
    pub required: Option<String>,
    /// Why they cannot be run by us even if asked for; empty when they can.
    pub blocked: Vec<String>,
}

/// One entry of `download.json`.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Run it only on a boot ROM of exactly this version.
    pub version_bootrom: Option<String>,
    /// Whether its group is for production only.
    pub production: bool,
    pub action: Action,
}

/// What an entry asks for. Source: §5.2 (V).
#[derive(Debug, Clone)]
pub(super) enum Action {
    /// Stop unless a variable has one of these values.
    Require(Condition),
    /// Stop if it has.
    Reject(Condition),
    /// Weight of all work, for the module's percentages.
    Progress(u32),
    /// Load code into RAM and run it.
    Call(Image),
    /// Hand a table to the flasher.
    Partition(Image, Table),
    /// Erase a partition.
    Erase(String),
    /// Write an image.
    Flash(Image),
    /// Start the firmware when finished.
    Go,
    /// Sent as it is to flashers of a newer generation. Source: §11 no. 4.
    Enable,
}

/// A variable and the values wanted or rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub variable: String,
    /// As in the package: alternatives between `|`, a trailing `*` for any ending.
    pub value: String,
}

impl Condition {
    /// Whether `actual` is one of the values. Source: §5.2: blanks trimmed, case counts.
    pub fn matches(&self, actual: &str) -> bool {
        self.value
            .split('|')
            .map(str::trim)
            .any(|wanted| match wanted.strip_suffix('*') {
                Some(beginning) => actual.starts_with(beginning),
                None => actual == wanted,
            })
    }
}

/// A plan that asks for nothing; [`write`](super::write) refuses it.
impl Default for Plan {
    fn default() -> Self {
        Plan {
            route: Route::Entries(Vec::new()),
            images: Vec::new(),
            helpers: Vec::new(),
            warnings: Vec::new(),
            production: None,
        }
    }
}

impl Plan {
    /// What goes to flash, in the order of the package, production images included.
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// What only goes to RAM: preboot, flasher and the tables.
    pub fn helpers(&self) -> &[Image] {
        &self.helpers
    }

    /// What a person should know before writing it.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The groups that are left out unless production mode is asked for.
    pub fn needs_production(&self) -> Option<&Production> {
        self.production.as_ref()
    }

    /// Whether the package can be written in this mode. [`write`](super::write) asks the same before it sends
    /// anything.
    ///
    /// # Errors
    /// [`FormatError::Unsupported`] with the reason.
    pub fn check(&self, production: bool) -> Result<(), FormatError> {
        match &self.production {
            Some(Production {
                required: Some(why), ..
            }) if !production => Err(unsupported("this package without production mode", why)),
            Some(Production { blocked, .. }) if production && !blocked.is_empty() => {
                Err(unsupported("production mode of this package", blocked.join("; ")))
            }
            _ => Ok(()),
        }
    }
}

/// The entries that run on a boot ROM of this version.
pub(super) fn selection<'e>(
    entries: &'e [Entry],
    version_bootrom: Option<&'e str>,
    production: bool,
) -> impl Iterator<Item = &'e Entry> {
    entries.iter().filter(move |entry| {
        (production || !entry.production)
            && entry
                .version_bootrom
                .as_deref()
                .is_none_or(|wanted| Some(wanted) == version_bootrom)
    })
}

/// Goes through a selection as the module would; returns what a person should know.
pub(super) fn rehearse<'e>(entries: impl Iterator<Item = &'e Entry>) -> Result<Vec<String>, FormatError> {
    let mut rehearsal = Rehearsal::default();
    for entry in entries {
        match &entry.action {
            Action::Require(condition) => rehearsal.require(&condition.variable),
            Action::Call(_) => rehearsal.call(),
            Action::Partition(image, table) => rehearsal.partition(&image.name, table)?,
            Action::Erase(partition) => rehearsal.erase(partition)?,
            Action::Flash(image) => {
                rehearsal.flash(&image.name, &image.target, image.data.len() as u64)?;
            }
            Action::Reject(_) | Action::Progress(_) | Action::Go | Action::Enable => {}
        }
    }
    rehearsal.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_values_as_the_vendor_does() {
        let matches = |value: &str, actual: &str| {
            Condition {
                variable: "product".into(),
                value: value.into(),
            }
            .matches(actual)
        };
        assert!(matches("arom-tiny", "arom-tiny"));
        assert!(matches("arom | arom-tiny", "arom-tiny"));
        assert!(matches("arom*", "arom-tiny"));
        assert!(matches("x|2020.*", "2020.07.30"));
        assert!(!matches("arom", "arom-tiny"));
        assert!(!matches("AROM-TINY", "arom-tiny"));
        assert!(!matches("*-tiny", "arom-tiny"));
        assert!(!matches("arom", ""));
    }
}
