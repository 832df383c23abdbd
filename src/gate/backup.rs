//! Whether a backup of NV items is of the module that it would be written to.

use super::{Claim, Warning};

/// A kept NV area that a run may write.
#[derive(Debug, Clone)]
pub struct Backup<'a> {
    /// The name of its file, for messages.
    pub name: &'a str,
    /// The IMEI in it.
    pub imei: Option<String>,
    /// The IMEI on the module's label (`--imei`).
    pub label: Option<&'a str>,
}

/// Why a backup is not written to this module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotIts {
    /// The name of the file.
    pub name: String,
    /// The IMEI in it.
    pub imei: Option<String>,
    /// The IMEI of the module.
    pub module: String,
    /// The label says so; otherwise the module does.
    pub by_label: bool,
}

/// The module's IMEI is the label's, or the one it reports, unless that is a default of firmware images.
pub(super) fn judge(claim: &Claim<'_>) -> Result<Option<Warning>, NotIts> {
    let Some(backup) = &claim.backup else {
        return Ok(None);
    };
    let reported = claim
        .identity
        .filter(|identity| !identity.has_default_imei())
        .and_then(|identity| identity.imei.as_deref());
    let Some(owner) = backup.label.or(reported) else {
        return Ok(Some(Warning::BackupUnconfirmed {
            name: backup.name.to_owned(),
        }));
    };
    if backup.imei.as_deref() != Some(owner) {
        return Err(NotIts {
            name: backup.name.to_owned(),
            imei: backup.imei.clone(),
            module: owner.to_owned(),
            by_label: backup.label.is_some(),
        });
    }
    let other = reported.filter(|reported| *reported != owner);
    Ok(other.map(|reported| Warning::ForeignNvItems {
        label: owner.to_owned(),
        reported: reported.to_owned(),
    }))
}
