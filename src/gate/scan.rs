//! Whether the module on a production line is the one whose label was scanned.

use super::Claim;

/// What a production line knows of a module before it is asked: the label that was scanned for its slot. With it,
/// label and module must agree wherever both speak; the label never wins.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scan<'a> {
    /// The IMEI on the label.
    pub imei: Option<&'a str>,
    /// The serial number on the label.
    pub serial_number: Option<&'a str>,
}

/// Where label and module part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotScanned {
    /// `IMEI` or `serial number`.
    pub what: &'static str,
    /// What the label says.
    pub label: String,
    /// What the module says, if it says anything.
    pub module: Option<String>,
}

/// A module in download mode cannot say what its label says; any other must.
pub(super) fn judge(claim: &Claim<'_>) -> Result<(), NotScanned> {
    let (Some(scan), Some(identity)) = (&claim.scan, claim.identity) else {
        return Ok(());
    };
    let pairs = [
        ("IMEI", scan.imei, &identity.imei),
        ("serial number", scan.serial_number, &identity.serial_number),
    ];
    for (what, label, module) in pairs {
        if let Some(label) = label
            && module.as_deref() != Some(label)
        {
            return Err(NotScanned {
                what,
                label: label.to_owned(),
                module: module.clone(),
            });
        }
    }
    Ok(())
}
