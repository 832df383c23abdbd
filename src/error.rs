//! The one public error: what was attempted, what was found, what has been written, what to do next.

use std::fmt;

use qpyflash_protocols::{Phase, Written};

/// The kinds of failure. Each has a stable code for machines and belongs to one exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The command line asks for something impossible.
    Usage,
    /// A file cannot be read at all.
    PackageUnreadable,
    /// A package contradicts itself or is damaged.
    PackageCorrupt,
    /// A package breaks a limit that protects this host.
    PackageHostile,
    /// No published layout fits.
    PackageUnknown,
    /// Several candidates that differ.
    PackageAmbiguous,
    /// The package's platform cannot be written by this version.
    PackageUnsupported,
    /// The package is not the one that a production line has pinned.
    PackageOther,
    /// A kept NV area is damaged, or is none.
    BackupCorrupt,
    /// No module is attached, or the port does not exist.
    ModuleMissing,
    /// The module does not answer.
    ModuleSilent,
    /// Several modules are attached and none was chosen.
    ModuleSeveral,
    /// The package is for another platform.
    RefusedPlatform,
    /// The package is for another series.
    RefusedSeries,
    /// The package is for another submodel.
    RefusedSubmodel,
    /// Label, module and package contradict each other.
    RefusedContradiction,
    /// The chip in download mode is not the package's.
    RefusedChip,
    /// The package needs something that must be allowed by name (production groups, for instance).
    RefusedUnsafe,
    /// Nobody knows what the module is.
    UnknownModule,
    /// Nobody knows what the package is built for.
    UnknownPackage,
    /// No permission to open the port.
    LinkDenied,
    /// Another program holds the port.
    LinkBusy,
    /// The operating system, or the server on the network, failed on the port.
    LinkFailed,
    /// What serves the port on the network cannot serve a module.
    LinkUnsupported,
    /// Download mode was not reached.
    DownloadModeNotReached,
    /// The module left the bus while it was being written.
    ModuleGone,
    /// The module refused a command.
    ModuleRefused,
    /// The module's answers make no sense.
    ModuleGarbage,
    /// The module speaks a protocol that this version does not.
    ModuleUnsupported,
    /// Everything was written, but the module does not confirm it.
    NotConfirmed,
    /// What the module holds is not what it was compared with.
    Differs,
    /// A recording cannot be read, or does not hold what is asked of it.
    TraceUnreadable,
    /// A capture of a USB bus cannot be read, or lacks bytes.
    CaptureUnreadable,
    /// What would be said now is not what a recording holds.
    TraceDiffers,
    /// The run was interrupted.
    Interrupted,
    /// A slot's thread hangs in a call of the operating system.
    SlotHung,
    /// A command that a production line runs before or after a module has failed.
    HookFailed,
    /// The record of a production line cannot be kept.
    JournalFailed,
    /// Messages of a production line wait for a destination.
    Undelivered,
    /// A bug in qpyflash.
    Internal,
}

impl Kind {
    /// Every kind, in the order of the enum.
    pub const ALL: [Kind; Kind::Internal as usize + 1] = [
        Kind::Usage,
        Kind::PackageUnreadable,
        Kind::PackageCorrupt,
        Kind::PackageHostile,
        Kind::PackageUnknown,
        Kind::PackageAmbiguous,
        Kind::PackageUnsupported,
        Kind::PackageOther,
        Kind::BackupCorrupt,
        Kind::ModuleMissing,
        Kind::ModuleSilent,
        Kind::ModuleSeveral,
        Kind::RefusedPlatform,
        Kind::RefusedSeries,
        Kind::RefusedSubmodel,
        Kind::RefusedContradiction,
        Kind::RefusedChip,
        Kind::RefusedUnsafe,
        Kind::UnknownModule,
        Kind::UnknownPackage,
        Kind::LinkDenied,
        Kind::LinkBusy,
        Kind::LinkFailed,
        Kind::LinkUnsupported,
        Kind::DownloadModeNotReached,
        Kind::ModuleGone,
        Kind::ModuleRefused,
        Kind::ModuleGarbage,
        Kind::ModuleUnsupported,
        Kind::NotConfirmed,
        Kind::Differs,
        Kind::TraceUnreadable,
        Kind::CaptureUnreadable,
        Kind::TraceDiffers,
        Kind::Interrupted,
        Kind::SlotHung,
        Kind::HookFailed,
        Kind::JournalFailed,
        Kind::Undelivered,
        Kind::Internal,
    ];

    /// The stable code used in JSON output.
    pub const fn code(self) -> &'static str {
        match self {
            Kind::Usage => "usage",
            Kind::PackageUnreadable => "package.unreadable",
            Kind::PackageCorrupt => "package.corrupt",
            Kind::PackageHostile => "package.hostile",
            Kind::PackageUnknown => "package.unknown",
            Kind::PackageAmbiguous => "package.ambiguous",
            Kind::PackageUnsupported => "package.unsupported",
            Kind::PackageOther => "package.other",
            Kind::BackupCorrupt => "backup.corrupt",
            Kind::ModuleMissing => "module.missing",
            Kind::ModuleSilent => "module.silent",
            Kind::ModuleSeveral => "module.several",
            Kind::RefusedPlatform => "refused.platform",
            Kind::RefusedSeries => "refused.series",
            Kind::RefusedSubmodel => "refused.submodel",
            Kind::RefusedContradiction => "refused.contradiction",
            Kind::RefusedChip => "refused.chip",
            Kind::RefusedUnsafe => "refused.unsafe",
            Kind::UnknownModule => "unknown.module",
            Kind::UnknownPackage => "unknown.package",
            Kind::LinkDenied => "link.denied",
            Kind::LinkBusy => "link.busy",
            Kind::LinkFailed => "link.failed",
            Kind::LinkUnsupported => "link.unsupported",
            Kind::DownloadModeNotReached => "module.download-mode",
            Kind::ModuleGone => "module.gone",
            Kind::ModuleRefused => "module.nak",
            Kind::ModuleGarbage => "module.garbage",
            Kind::ModuleUnsupported => "module.unsupported",
            Kind::NotConfirmed => "module.not-confirmed",
            Kind::Differs => "module.differs",
            Kind::TraceUnreadable => "trace.unreadable",
            Kind::CaptureUnreadable => "capture.unreadable",
            Kind::TraceDiffers => "trace.differs",
            Kind::Interrupted => "interrupted",
            Kind::SlotHung => "slot.hung",
            Kind::HookFailed => "hook.failed",
            Kind::JournalFailed => "journal.failed",
            Kind::Undelivered => "publish.undelivered",
            Kind::Internal => "internal",
        }
    }

    /// What to do next where whoever reports the failure knows nothing better.
    pub const fn next_step(self) -> &'static str {
        match self {
            Kind::Usage => "correct what the message names; `--help` behind the command shows what it takes",
            Kind::PackageUnreadable => "see that the path is right and that this user may read it",
            Kind::PackageCorrupt | Kind::PackageHostile => {
                "get the package again from where it was published"
            }
            Kind::PackageUnknown | Kind::PackageAmbiguous => {
                "`qpyflash inspect FILE` shows what a package holds"
            }
            Kind::PackageUnsupported => "nothing was written; take another package, or the vendor's own tool",
            Kind::PackageOther => "put the right package there",
            Kind::BackupCorrupt => "give another backup of this module",
            Kind::ModuleMissing => {
                "`qpyflash list` shows what is attached, `qpyflash doctor` what keeps it from sight"
            }
            Kind::ModuleSeveral => "choose one with `--path` or `--port`",
            Kind::RefusedPlatform
            | Kind::RefusedSeries
            | Kind::RefusedSubmodel
            | Kind::RefusedContradiction
            | Kind::RefusedChip => {
                "compare the ordering code on the module's label with the name of the package"
            }
            Kind::RefusedUnsafe => "leave out what the message names, or give what it asks for",
            Kind::UnknownModule => "give the ordering code on the module's label: `--oc OC`",
            Kind::UnknownPackage => "take a package from where the vendor publishes it",
            Kind::LinkDenied | Kind::LinkBusy | Kind::LinkFailed => {
                "`qpyflash doctor` says what keeps this host from it"
            }
            Kind::DownloadModeNotReached => {
                "start the module with its BOOT key or pad held, then write with `--before none --oc OC`"
            }
            Kind::ModuleSilent | Kind::ModuleGone | Kind::ModuleGarbage => {
                "power-cycle the module, look at the cable and the hub, and run again"
            }
            Kind::ModuleRefused => "power-cycle the module and run again",
            Kind::ModuleUnsupported => "take the vendor's own tool for this module, or a newer qpyflash",
            Kind::NotConfirmed | Kind::Differs => {
                "power-cycle the module, then ask it with `qpyflash identify`"
            }
            Kind::Interrupted => "run again when you are ready",
            Kind::SlotHung => "power-cycle the module and its hub, then flash it again",
            Kind::HookFailed => "run the hook's command by hand to see why it fails",
            Kind::JournalFailed => {
                "see that the disk has room and that this user may write to the station's state folder"
            }
            Kind::LinkUnsupported => "reach the module by a port of this host instead",
            Kind::Undelivered => {
                "see that the network and the server are there; what waits is kept and sent later"
            }
            Kind::TraceUnreadable | Kind::CaptureUnreadable => "record it again, to the end",
            Kind::TraceDiffers => "give the package and the options of the recorded run",
            Kind::Internal => "this is a bug: please report it",
        }
    }
}

/// A failure of qpyflash, ready to be shown to a person or a machine.
///
/// The message answers what was being done, what was sent and what came back; [`Error::written`] says what has
/// been changed on the module, [`Error::hints`] what to do next.
#[derive(Debug)]
pub struct Error {
    /// What went wrong, for machines.
    pub kind: Kind,
    /// What went wrong, for people: lower case, no trailing full stop, back-ticks round literals.
    pub message: String,
    /// The phase in which it happened, if a run had begun.
    pub phase: Option<Phase>,
    /// Where the module sits, or the port that was given.
    pub slot: Option<String>,
    /// What has been written to the module.
    pub written: Written,
    /// What to do next.
    pub hints: Vec<String>,
    /// The cause, shown with `-v`.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure before anything was written.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error {
            kind,
            message: message.into(),
            phase: None,
            slot: None,
            written: Written::Nothing,
            hints: Vec::new(),
            source: None,
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Names the phase.
    #[must_use]
    pub fn in_phase(mut self, phase: Phase) -> Self {
        self.phase = Some(phase);
        self
    }

    /// Names the module's place.
    #[must_use]
    pub fn at(mut self, slot: impl Into<String>) -> Self {
        self.slot = Some(slot.into());
        self
    }

    /// Says what has been written.
    #[must_use]
    pub fn written(mut self, written: Written) -> Self {
        self.written = written;
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The process exit code. Source: DESIGN §7.
    pub fn exit_code(&self) -> u8 {
        let untouched = matches!(self.written, Written::Nothing | Written::HelpersOnly);
        match self.kind {
            Kind::Internal | Kind::JournalFailed => 1,
            Kind::Usage => 2,
            Kind::PackageUnreadable
            | Kind::PackageCorrupt
            | Kind::PackageHostile
            | Kind::PackageUnknown
            | Kind::PackageAmbiguous
            | Kind::PackageUnsupported
            | Kind::PackageOther
            | Kind::TraceUnreadable
            | Kind::CaptureUnreadable
            | Kind::BackupCorrupt => 3,
            Kind::ModuleSeveral => 5,
            Kind::RefusedPlatform
            | Kind::RefusedSeries
            | Kind::RefusedSubmodel
            | Kind::RefusedContradiction
            | Kind::RefusedChip
            | Kind::RefusedUnsafe => 6,
            Kind::UnknownModule | Kind::UnknownPackage => 7,
            Kind::LinkDenied | Kind::LinkBusy => 8,
            Kind::DownloadModeNotReached => 9,
            Kind::NotConfirmed | Kind::Differs | Kind::TraceDiffers => 11,
            Kind::Interrupted if untouched => 130,
            Kind::Interrupted => 12,
            Kind::HookFailed if self.written == Written::Complete => 11,
            Kind::Undelivered => 4,
            Kind::ModuleMissing
            | Kind::ModuleSilent
            | Kind::LinkFailed
            | Kind::LinkUnsupported
            | Kind::ModuleGone
            | Kind::ModuleRefused
            | Kind::ModuleUnsupported
            | Kind::SlotHung
            | Kind::HookFailed
            | Kind::ModuleGarbage => {
                if untouched {
                    4
                } else {
                    10
                }
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|e| e as &(dyn std::error::Error + 'static))
    }
}
