//! Package and module become a [`WritePermit`] or a [`Refusal`]. The only place that decides; it never writes.
//!
//! There is no force. What an operator can add is the ordering code from the label (`--oc`), and, for a package
//! that says nowhere what it is built for, that statement (`--built-for`). Both are recorded in the permit.
//!
//! # Which module it is
//!
//! Sources: specs/identity.md §3.3 and §4.7 step 1, DESIGN §6 point 3. Where they can be read in two ways, the
//! reading that writes less holds.
//!
//! | label (`--oc`) | the module says | it is |
//! |---|---|---|
//! | – | nothing, or nothing that is trusted | unknown: ask for `--oc` |
//! | – | a trusted ordering code | that; after QuecPython or OpenCPU firmware a warning that it names the package flashed last |
//! | given | nothing (download mode, silent firmware) | the label's |
//! | given | the same ordering code | the label's |
//! | given | another one of the same shared group | the label's: shared firmware reports one code for all of them. Factory firmware must find the package acceptable as well |
//! | given | another one of the same series, from QuecPython or OpenCPU firmware | the label's, with a warning: such firmware only names the package flashed last, perhaps a wrong one |
//! | given | another one of the same series, from factory firmware | a contradiction: the label was misread, or the module is not what it seems |
//! | given | another series | a contradiction, always |
//!
//! "Another one" counts also when the module's word alone would not be trusted.
//!
//! # What the package is built for
//!
//! All its witnesses count: revisions inside it, names inside it, changelog, file name. Different ones are a
//! contradiction, unless all belong to one shared group; then every one of them must fit the module. A file name
//! alone is a claim, and enough with a warning. `--built-for` counts only when there is no witness at all.
//!
//! # Whether they fit
//!
//! | | verdict |
//! |---|---|
//! | series unknown or out of scope | refused |
//! | other platform (by ordering code or USB id) or other series | refused, and nothing can change that |
//! | same submodel | exact |
//! | in the shared-firmware table, in its direction | shared |
//! | another member of the module's shared group | refused; ask for the label |
//! | any other submodel | refused |
//!
//! Groups of a package that are for the factory are left out, and said to be, unless `--production` asks for
//! them; a package that cannot be written without them is refused until then.
//!
//! On a production line ([`Scan`]) the label does not win: a module whose firmware names another submodel, outside the
//! label's shared group, is a contradiction whatever that firmware is, and IMEI and serial number, where they were
//! scanned, must be those the module reports.
//!
//! A backup of NV items goes back to the module it was made of: the IMEI in it must be that of the label, or else
//! the one that the module reports. The label decides, since a module may carry the items of another.

mod backup;
mod judge;
mod module;
mod package;
mod refusal;
mod scan;
mod warning;

use std::sync::Arc;

use qpyflash_protocols::Platform;
use serde::Serialize;

use crate::firmware::Package;
use crate::identity::{Identity, OrderingCode};

pub use backup::{Backup, NotIts};
pub use judge::{Objection, Verdict, would_accept};
pub use refusal::{Parties, Refusal};
pub use scan::{NotScanned, Scan};
pub use warning::Warning;

use module::Subject;
use package::Testimony;

/// Everything that is known about the module that is to be written, and what the operator has stated.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The ordering code from the label (`--oc`).
    pub label: Option<&'a OrderingCode>,
    /// What the module has said.
    pub identity: Option<&'a Identity>,
    /// The platform its USB id proves.
    pub platform_by_usb: Option<Platform>,
    /// What the operator states the package to be built for (`--built-for`).
    pub built_for: Option<&'a OrderingCode>,
    /// The groups of the package that are for the factory shall run, too (`--production`).
    pub production: bool,
    /// What the package is needed for.
    pub purpose: Purpose,
    /// NV items that the run may write.
    pub backup: Option<Backup<'a>>,
    /// The label that a production line has scanned for this module.
    pub scan: Option<Scan<'a>>,
    /// The module is in download mode, where it cannot tell what it is.
    pub download_mode: bool,
    /// Where the module is, for messages: `1-4.2 (/dev/ttyUSB1)`.
    pub place: &'a str,
}

/// What a package is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// It is written.
    Write,
    /// Only its helpers run, in the module's RAM, to read or write NV items or RF data.
    Helpers,
    /// Its loaders erase the module.
    EraseAll,
}

/// How a package fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acceptance {
    /// It is built for the module's own submodel.
    Exact,
    /// It is built for another submodel, and the vendor's table lets this module take it.
    Shared,
}

/// How well the module is known. Source: specs/identity.md §3.3 point 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Level {
    /// The label, and the module says the same or another member of its shared group.
    A,
    /// No label; revision and system name agree.
    B,
    /// No label; the revision, told twice.
    C,
    /// The label alone, and the USB id fits.
    D,
    /// The label alone.
    E,
}

/// The permission to write one package to one module.
///
/// Only [`clear`] makes one, nothing changes or copies it, and flashing takes nothing else. It can be named
/// and read everywhere:
///
/// ```
/// fn announce(permit: &qpyflash::gate::WritePermit) -> String {
///     format!("{} takes {}", permit.ordering_code(), permit.package().sha256())
/// }
/// ```
///
/// It cannot be made outside the gate:
///
/// ```compile_fail,E0451
/// use std::sync::Arc;
/// fn forge(package: Arc<qpyflash::firmware::Package>, permit: qpyflash::gate::WritePermit) -> qpyflash::gate::WritePermit {
///     qpyflash::gate::WritePermit { package, ..permit }
/// }
/// ```
///
/// Nor altered:
///
/// ```compile_fail,E0616
/// fn alter(mut permit: qpyflash::gate::WritePermit, code: qpyflash::identity::OrderingCode) {
///     permit.ordering_code = code;
/// }
/// ```
///
/// Nor used twice:
///
/// ```compile_fail,E0599
/// fn again(permit: qpyflash::gate::WritePermit) -> [qpyflash::gate::WritePermit; 2] {
///     [permit.clone(), permit]
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct WritePermit {
    package: Arc<Package>,
    ordering_code: OrderingCode,
    acceptance: Acceptance,
    level: Level,
    warnings: Vec<Warning>,
    stated_built_for: Option<OrderingCode>,
    firmware: Vec<OrderingCode>,
    production: bool,
}

impl WritePermit {
    /// What may be written.
    pub fn package(&self) -> &Arc<Package> {
        &self.package
    }

    /// What the module is.
    pub fn ordering_code(&self) -> &OrderingCode {
        &self.ordering_code
    }

    /// How the package fits.
    pub fn acceptance(&self) -> Acceptance {
        self.acceptance
    }

    /// How well the module is known.
    pub fn level(&self) -> Level {
        self.level
    }

    /// What a person should know before it is written.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// What the operator stated the package to be built for, when nothing in the package says so.
    pub fn stated_built_for(&self) -> Option<&OrderingCode> {
        self.stated_built_for.as_ref()
    }

    /// The revision the module must report afterwards, when the package holds it inside.
    pub fn expected_revision(&self) -> Option<&str> {
        self.package.built_for().proven_revision()
    }

    /// Whether a module that reports `code` afterwards reports what the package is built for.
    pub fn is_built_for(&self, code: &OrderingCode) -> bool {
        self.firmware.iter().any(|firmware| firmware.same_submodel(code))
    }

    /// Whether the package's groups for the factory run, too.
    pub fn production(&self) -> bool {
        self.production
    }
}

/// Decides whether `package` may be written to the module that `claim` describes.
///
/// # Errors
/// [`Refusal`], with everything that contradicts named.
pub fn clear(package: &Arc<Package>, claim: &Claim<'_>) -> Result<WritePermit, Refusal> {
    let testimony = Testimony::of(package.built_for());
    let parties = || Box::new(Parties::of(package, &testimony, claim));

    if claim.platform_by_usb.is_some_and(|usb| usb != package.platform()) {
        return Err(Refusal::WrongPlatform(parties()));
    }
    let subject = module::identify(claim).map_err(|unclear| match unclear {
        module::Unclear::Unknown => Refusal::UnknownModule(parties()),
        module::Unclear::Contradiction => Refusal::Contradiction(parties()),
    })?;
    scan::judge(claim).map_err(|why| Refusal::OtherLabel {
        parties: parties(),
        why,
    })?;
    if let Some(against) = claim
        .built_for
        .and_then(|stated| testimony.contradiction_to(stated))
    {
        return Err(Refusal::StatedAgainstEvidence {
            parties: parties(),
            against,
        });
    }
    let stated_built_for = claim.built_for.filter(|_| testimony.is_empty()).cloned();
    let firmware: Vec<OrderingCode> = testimony
        .codes()
        .into_iter()
        .chain(stated_built_for.clone())
        .collect();
    let acceptance = accept(package.platform(), &firmware, &subject)
        .map_err(|objection| Refusal::because(objection, parties(), &subject))?;
    package::production_allows(package, claim.production).map_err(|why| Refusal::Unsafe {
        parties: parties(),
        why,
    })?;
    if claim.label.is_none() && firmware.iter().any(judge::is_unresolved_name) {
        return Err(Refusal::UnresolvedName(parties()));
    }
    let about_backup = backup::judge(claim).map_err(|why| Refusal::OtherModule {
        parties: parties(),
        why,
    })?;
    let mut warnings = warning::gather(package, &testimony, claim, &subject);
    warnings.extend(about_backup);
    Ok(WritePermit {
        warnings,
        package: Arc::clone(package),
        ordering_code: subject.code,
        acceptance,
        level: subject.level,
        stated_built_for,
        firmware,
        production: claim.production,
    })
}

/// The package must fit what the module is, and what its factory firmware says.
fn accept(platform: Platform, firmware: &[OrderingCode], subject: &Subject) -> Result<Acceptance, Objection> {
    let fits = |code| match judge::judge(platform, firmware, code) {
        Verdict::Exact => Ok(Acceptance::Exact),
        Verdict::Shared => Ok(Acceptance::Shared),
        Verdict::No(objection) => Err(objection),
    };
    let acceptance = fits(&subject.code)?;
    match &subject.factory {
        Some(code) => fits(code)
            .map_err(|_| Objection::FactoryFirmware)
            .and(Ok(acceptance)),
        None => Ok(acceptance),
    }
}

#[cfg(test)]
mod tests;
