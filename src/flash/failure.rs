//! From a session's failure to words for a person.

use std::path::PathBuf;

use qpyflash_protocols::{Cause, Failure, Platform, WireError, Written};

use super::{Carrier, Job};
use crate::error::{Error, Kind};
use crate::identity::OrderingCode;

/// The module's own last words, shown with `-v`.
#[derive(Debug, thiserror::Error)]
#[error("the module's last words:\n{}", .0.join("\n"))]
struct LastWords(Vec<String>);

/// Image bytes that the module acknowledged before the failure.
pub(super) fn acknowledged(written: &Written) -> u64 {
    match written {
        Written::Partial { bytes, .. } => *bytes,
        _ => 0,
    }
}

/// What a failure of a session is told with.
#[derive(Debug, Clone, Copy)]
pub struct Story<'a> {
    /// What the session was for.
    pub job: Job,
    /// The platform of the package.
    pub platform: Platform,
    /// The module's.
    pub ordering_code: &'a OrderingCode,
    /// Backups that this run has made.
    pub backups: &'a [PathBuf],
    /// Where the module sits.
    pub place: &'a str,
    /// What carried the bytes.
    pub carrier: Carrier,
}

impl Story<'_> {
    /// What was attempted, what came back, what was written, what to do next.
    pub fn explain(&self, failure: Failure) -> Error {
        let message = match (&failure.cause, self.carrier) {
            (Cause::Wire(WireError::Gone), Carrier::Network) => format!(
                "{}: the connection is lost, or the server's port behind it",
                failure.doing
            ),
            _ => failure.to_string(),
        };
        let mut error = Error::new(kind(&failure), message)
            .in_phase(failure.phase)
            .at(self.place)
            .written(failure.written.clone());
        error.hints = self.hints(&failure);
        if failure.log.is_empty() {
            error
        } else {
            error.caused_by(LastWords(failure.log))
        }
    }

    fn hints(&self, failure: &Failure) -> Vec<String> {
        let again = format!("`--before none --oc {}`", self.ordering_code);
        let irreplaceable = match self.platform {
            Platform::Eigencomm618 => self.about_rf(failure),
            _ => self.about_nv(failure),
        };
        let folder = matches!(failure.cause, Cause::NotKept(_)).then(|| {
            "name a folder for backups that has room and that this user may write to: `--backup-dir DIR`"
                .into()
        });
        let mut hints: Vec<String> = folder.into_iter().chain(irreplaceable).collect();
        hints.push(match (&failure.written, self.job) {
            (Written::Complete, _) => {
                "power-cycle the module, then ask it with `qpyflash identify`".into()
            }
            (Written::Nothing | Written::HelpersOnly, job) => format!(
                "power-cycle the module: it starts its old firmware; if it shows up in download mode, run `{}` again with {again}",
                job.words()
            ),
            (Written::Partial { .. }, Job::RestoreNv) => format!(
                "some NV items may be written and others not: power-cycle the module, then run `restore nv` again with \
                 the same file, and with {again} if it shows up in download mode"
            ),
            (Written::Partial { .. }, Job::EraseAll) => format!(
                "the module is erased, or partly so, and will not start: power-cycle it (with the BOOT key if it does \
                 not show up), then run `erase all` again, or `write`, with {again}"
            ),
            (Written::Partial { .. }, _) if self.platform == Platform::Eigencomm618 => format!(
                "the module is half-written and will not start. While it has power, what is needed to write it still \
                 runs in it: run again from the start with {again}; after a power cycle connect the pad USB_BOOT to \
                 VDD_EXT (1.8 V) while powering it on"
            ),
            (Written::Partial { .. }, Job::Write | Job::ReadNv | Job::ReadRf) => format!(
                "the module is half-written and will not start: power-cycle it (with the BOOT key if it does not show \
                 up), then run again from the start with {again}"
            ),
        });
        hints
    }

    /// A run never writes where the RF data lie, but who has lost them should know that they are kept.
    fn about_rf(&self, failure: &Failure) -> Option<String> {
        let kept = self.backups.first()?;
        matches!(failure.written, Written::Partial { .. }).then(|| {
            format!(
                "the module's RF data were not touched, and are kept in `{}`",
                kept.display()
            )
        })
    }

    /// The NV items of a module exist nowhere else: where they are, or where they could come from.
    fn about_nv(&self, failure: &Failure) -> Option<String> {
        let kept = self.backups.first();
        match (&failure.cause, &failure.written, self.job) {
            (Cause::WouldLose(_), ..) => Some(
                "give a backup of this very module, made by an earlier run (its folder is named after the IMEI): \
                 with `--nv-backup FILE` where the module has no NV items, with `qpyflash restore nv FILE` before \
                 this run where it lacks some"
                    .into(),
            ),
            (Cause::OtherModule(_), _, Job::RestoreNv) => Some(
                "if the label on the module's shield can says the IMEI of the backup, state that: `--imei IMEI`".into(),
            ),
            (_, Written::Partial { .. }, Job::Write | Job::EraseAll) => kept.map(|file| {
                format!(
                    "the module's NV items are kept in `{0}`: should it have lost them, add `--nv-backup {0}`",
                    file.display()
                )
            }),
            (_, Written::Partial { .. }, Job::RestoreNv) => {
                kept.map(|file| format!("what the module had before is kept in `{}`", file.display()))
            }
            _ => None,
        }
    }
}

fn kind(failure: &Failure) -> Kind {
    match &failure.cause {
        // Everything is in the flash; what is missing is the module's own word.
        _ if failure.written == Written::Complete => Kind::NotConfirmed,
        Cause::Wire(WireError::Gone) => Kind::ModuleGone,
        Cause::Wire(WireError::Cancelled) => Kind::Interrupted,
        Cause::Wire(WireError::Failed(_)) => Kind::LinkFailed,
        Cause::Wire(WireError::Stalled { .. }) | Cause::Silent { .. } => Kind::ModuleSilent,
        Cause::Refused { .. } => Kind::ModuleRefused,
        Cause::Malformed { .. } => Kind::ModuleGarbage,
        Cause::WrongChip { .. } => Kind::RefusedChip,
        Cause::OtherModule(_) => Kind::RefusedContradiction,
        Cause::WouldLose(_) | Cause::NotKept(_) => Kind::RefusedUnsafe,
        Cause::Unsupported(_) => Kind::ModuleUnsupported,
    }
}
