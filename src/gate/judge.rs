//! Whether firmware for one submodel fits a module of another: steps 3 to 11 of specs/identity.md §4.7.

use qpyflash_protocols::Platform;
use serde::Serialize;

use super::package::Testimony;
use crate::firmware::BuiltFor;
use crate::identity::{OrderingCode, Scope, same_group, scope_of_series, shared_firmware};

/// A submodel that the vendor's tools write for two parts: their portal says `EG915U_EAAC` where their SDK has
/// `EC_AC`. Only a label with exactly these letters settles it. Source: specs/identity.md §4.6.
const UNRESOLVED_NAME: &str = "EG915UEAAC";

/// Whether a module may take a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is built for this submodel.
    Exact,
    /// The vendor's table says that this module takes it.
    Shared,
    /// It must not be written.
    No(Objection),
}

/// Why a module must not take a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Objection {
    /// The module's series is not in the table; its letters prove nothing.
    #[error("the module's series is unknown")]
    UnknownSeries,
    /// The module's series is known, and not one that qpyflash flashes.
    #[error("the module's series is out of scope: {0}")]
    OutOfScope(&'static str),
    /// The package is for another chip platform.
    #[error("it is for another platform")]
    Platform,
    /// The package says nowhere what it is built for.
    #[error("it says nowhere what it is built for")]
    UnknownPackage,
    /// The package's witnesses name modules that share no firmware.
    #[error("it contradicts itself about what it is built for")]
    InconsistentPackage,
    /// The package is for another series.
    #[error("it is built for another series")]
    Series,
    /// The package is for another member of the module's shared group, and not the firmware they share.
    #[error("it is built for another member of the module's shared group")]
    OtherMember,
    /// The package fits the label, but not what the module's factory firmware says.
    #[error("it fits the label, but not the module's factory firmware")]
    FactoryFirmware,
    /// The package is for another submodel.
    #[error("it is built for another submodel")]
    Submodel,
}

/// Whether a module with this ordering code may take a package with this content. The decision of
/// [`clear`](super::clear) without a module at hand, for lists of firmware.
pub fn would_accept(platform: Platform, built_for: &BuiltFor, module: &OrderingCode) -> Verdict {
    judge(platform, &Testimony::of(built_for).codes(), module)
}

/// `firmware` is what the package is built for, the strongest witness first; each of them must fit.
pub(super) fn judge(platform: Platform, firmware: &[OrderingCode], module: &OrderingCode) -> Verdict {
    if !is_consistent(firmware) {
        return Verdict::No(Objection::InconsistentPackage);
    }
    match scope_of_series(module.series()) {
        None => return Verdict::No(Objection::UnknownSeries),
        Some(Scope::OutOfScope(why)) => return Verdict::No(Objection::OutOfScope(why)),
        Some(Scope::Supported(its)) if its != platform => return Verdict::No(Objection::Platform),
        Some(Scope::Supported(_)) => {}
    }
    let mut verdicts = firmware.iter().map(|code| compare(code, module));
    let Some(first) = verdicts.next() else {
        return Verdict::No(Objection::UnknownPackage);
    };
    if matches!(first, Verdict::No(_)) {
        return first;
    }
    verdicts
        .find(|verdict| matches!(verdict, Verdict::No(_)))
        .unwrap_or(first)
}

/// All belong to one shared group, when there are several.
fn is_consistent(firmware: &[OrderingCode]) -> bool {
    let agree = |one: &OrderingCode, other: &OrderingCode| one.same_submodel(other) || same_group(one, other);
    firmware
        .iter()
        .all(|one| firmware.iter().all(|other| agree(one, other)))
}

fn compare(firmware: &OrderingCode, module: &OrderingCode) -> Verdict {
    if firmware.series() != module.series() {
        Verdict::No(Objection::Series)
    } else if firmware.same_submodel(module) {
        Verdict::Exact
    } else if shared_firmware(module).is_some_and(|shared| shared.same_submodel(firmware)) {
        Verdict::Shared
    } else if same_group(module, firmware) {
        Verdict::No(Objection::OtherMember)
    } else {
        Verdict::No(Objection::Submodel)
    }
}

pub(super) fn is_unresolved_name(firmware: &OrderingCode) -> bool {
    firmware.first_part() == UNRESOLVED_NAME
}
