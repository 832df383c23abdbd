//! What must not be written, and why, in words that name everything that contradicts.

use qpyflash_protocols::{Phase, Platform};

use super::module::{Agreement, Subject, reported};
use super::package::{Testimony, title_of};
use super::{Claim, NotIts, NotScanned, Objection};
use crate::error::{Error, Kind};
use crate::firmware::Package;
use crate::identity::{OrderingCode, acceptable, platform_of_series};

/// Label, module and package, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    /// What a person knows the package by.
    pub package: String,
    /// The platform of its content.
    pub package_platform: Platform,
    /// What it is built for by its strongest witness, or by the operator's statement.
    pub built_for: Option<OrderingCode>,
    /// Who says so, one text for each submodel that is named.
    pub witnesses: Vec<String>,
    /// The ordering code from the label.
    pub label: Option<OrderingCode>,
    /// What the module says it is, trusted or not.
    pub reported: Option<OrderingCode>,
    /// How it says so: "AT: `EC600NCNLAR03A07M08`".
    pub told: Option<String>,
    /// The platform its USB id proves.
    pub platform_by_usb: Option<Platform>,
    /// Where the module is.
    pub place: String,
    /// It is in download mode.
    pub download_mode: bool,
}

impl Parties {
    pub(super) fn of(package: &Package, testimony: &Testimony, claim: &Claim<'_>) -> Parties {
        let told = claim.identity.and_then(|identity| {
            let text = identity
                .revision_text
                .as_ref()
                .or(identity.sysname.as_ref())
                .or(identity.object_id.as_ref())?;
            Some(format!("{}: `{text}`", identity.source.name()))
        });
        Parties {
            package: title_of(package),
            package_platform: package.platform(),
            built_for: testimony
                .codes()
                .into_iter()
                .next()
                .or_else(|| claim.built_for.cloned()),
            witnesses: testimony.shown(),
            label: claim.label.cloned(),
            reported: claim.identity.and_then(reported),
            told,
            platform_by_usb: claim.platform_by_usb,
            place: claim.place.to_owned(),
            download_mode: claim.download_mode,
        }
    }

    /// The ordering code the decision was about.
    fn module_code(&self) -> Option<&OrderingCode> {
        self.label.as_ref().or(self.reported.as_ref())
    }

    /// `EC600NCNLA (AT: `EC600NCNLAR03A07M08`)`.
    fn module(&self) -> String {
        let code = self
            .module_code()
            .map_or("an unknown module", OrderingCode::first_part);
        let label = self.label.as_ref().map(|_| "label".to_owned());
        let how: Vec<String> = label.into_iter().chain(self.told.clone()).collect();
        if how.is_empty() {
            code.to_owned()
        } else {
            format!("{code} ({})", how.join("; "))
        }
    }

    /// `EC600N CNLF`.
    fn target(&self) -> String {
        self.built_for
            .as_ref()
            .map_or("an unknown module".into(), |code| {
                format!("{} {}", code.series(), code.submodel())
            })
    }

    /// `EC600N_CNLA` or `EC600M_CNLA or EC600M_CNLE`: what the module takes.
    fn takes(&self) -> Option<String> {
        let names: Vec<String> = acceptable(self.module_code()?)
            .iter()
            .map(OrderingCode::firmware_name)
            .collect();
        Some(names.join(" or "))
    }

    fn is_built_for(&self) -> String {
        format!("`{}` is built for {}", self.package, self.target())
    }

    fn wrong_platform(&self) -> String {
        let by_usb = self.platform_by_usb.filter(|usb| *usb != self.package_platform);
        let by_series = || {
            self.module_code()
                .and_then(|code| platform_of_series(code.series()))
        };
        let how = if by_usb.is_some() { " by its USB id" } else { "" };
        let its = by_usb
            .or_else(by_series)
            .map_or("of another platform", Platform::title);
        format!(
            "`{}` is for {}, the module on {} is {}, {its}{how}",
            self.package,
            self.package_platform.title(),
            self.place,
            self.module()
        )
    }

    fn silent_module(&self) -> String {
        match (&self.told, self.download_mode) {
            (Some(told), _) => {
                format!(
                    "the module on {} does not say for certain which one it is ({told})",
                    self.place
                )
            }
            (None, true) => {
                format!(
                    "the module on {} is in download mode, where it cannot say which one it is",
                    self.place
                )
            }
            (None, false) => format!("the module on {} does not say which one it is", self.place),
        }
    }

    fn contradiction(&self) -> String {
        let label = self.label.as_ref().map_or("nothing", OrderingCode::first_part);
        let told = self
            .told
            .as_ref()
            .map_or(String::new(), |told| format!(" ({told})"));
        let reported = self
            .reported
            .as_ref()
            .map_or("otherwise", OrderingCode::first_part);
        format!(
            "label, module and package contradict each other: the label says {label}, the module on {} says {reported}{told}, {}",
            self.place,
            self.is_built_for()
        )
    }
}

/// Why a package is not written to a module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody knows what the module is.
    #[error("refused: {}", .0.silent_module())]
    UnknownModule(Box<Parties>),
    /// The module's series is in no table.
    #[error("refused: the module on {} is {}, of a series that qpyflash does not know", .0.place, .0.module())]
    UnknownSeries(Box<Parties>),
    /// The module's series is known, and not one that qpyflash flashes.
    #[error("refused: the module on {} is {}, which qpyflash does not flash: {why}", .parties.place, .parties.module())]
    OutOfScope {
        /// Who contradicts.
        parties: Box<Parties>,
        /// What is special about the series.
        why: &'static str,
    },
    /// The package is for another platform. Nothing overrides this.
    #[error("refused: {}", .0.wrong_platform())]
    WrongPlatform(Box<Parties>),
    /// The package is for another series. Nothing overrides this.
    #[error("refused: {}, the module on {} is {}, of another series", .0.is_built_for(), .0.place, .0.module())]
    WrongSeries(Box<Parties>),
    /// The package is for another submodel.
    #[error("refused: {}, the module on {} is {}", .0.is_built_for(), .0.place, .0.module())]
    WrongSubmodel(Box<Parties>),
    /// The package is for another member of the module's shared group.
    #[error(
        "refused: {}, the module on {} is {}; they share firmware, but nothing says that this build is it",
        .0.is_built_for(), .0.place, .0.module()
    )]
    OtherMember(Box<Parties>),
    /// Label, module and package contradict each other.
    #[error("refused: {}", .0.contradiction())]
    Contradiction(Box<Parties>),
    /// The package's own witnesses contradict each other.
    #[error("refused: `{}` contradicts itself: it is built for {}", .0.package, .0.witnesses.join(", for "))]
    InconsistentPackage(Box<Parties>),
    /// The package says nowhere what it is built for.
    #[error("refused: `{}` says nowhere which module it is built for", .0.package)]
    UnknownPackage(Box<Parties>),
    /// The operator states something that the package contradicts.
    #[error("refused: `--built-for` is never accepted against evidence: `{}` is built for {against}", .parties.package)]
    StatedAgainstEvidence {
        /// Who contradicts.
        parties: Box<Parties>,
        /// The witness.
        against: String,
    },
    /// The vendor's tools use the package's submodel for two different parts.
    #[error(
        "refused: {}, a name that the vendor uses for two parts, the module on {} is {}",
        .0.is_built_for(), .0.place, .0.module()
    )]
    UnresolvedName(Box<Parties>),
    /// A backup of NV items is not of this module.
    #[error("refused: {}", .why.words(&.parties.place))]
    OtherModule {
        /// Who contradicts.
        parties: Box<Parties>,
        /// Both IMEIs.
        why: NotIts,
    },
    /// The module is not the one whose label was scanned.
    #[error("refused: {}", .why.words(&.parties.place))]
    OtherLabel {
        /// Who contradicts.
        parties: Box<Parties>,
        /// Where they part.
        why: NotScanned,
    },
    /// The package cannot be written in this mode.
    #[error("refused: `{}` cannot be written like this: {why}", .parties.package)]
    Unsafe {
        /// Who contradicts.
        parties: Box<Parties>,
        /// What stands against it.
        why: String,
    },
}

impl NotIts {
    fn words(&self, place: &str) -> String {
        let backup = self.imei.as_ref().map_or("holds no IMEI".into(), |imei| {
            format!("is of the module with the IMEI {imei}")
        });
        let by = if self.by_label { " by its label" } else { "" };
        format!(
            "the backup `{}` {backup}, the module on {place} has the IMEI {}{by}",
            self.name, self.module
        )
    }
}

impl NotScanned {
    fn words(&self, place: &str) -> String {
        let module = self
            .module
            .as_ref()
            .map_or("reports none".into(), |module| format!("reports `{module}`"));
        format!(
            "the label says {} `{}`, the module on {place} {module}",
            self.what, self.label
        )
    }
}

impl Refusal {
    pub(super) fn because(objection: Objection, parties: Box<Parties>, subject: &Subject) -> Refusal {
        match objection {
            Objection::UnknownSeries => Refusal::UnknownSeries(parties),
            Objection::OutOfScope(why) => Refusal::OutOfScope { parties, why },
            Objection::Platform => Refusal::WrongPlatform(parties),
            Objection::UnknownPackage => Refusal::UnknownPackage(parties),
            Objection::InconsistentPackage => Refusal::InconsistentPackage(parties),
            Objection::Series => Refusal::WrongSeries(parties),
            Objection::FactoryFirmware => Refusal::Contradiction(parties),
            _ if subject.agreement == Agreement::LabelWins => Refusal::Contradiction(parties),
            Objection::OtherMember => Refusal::OtherMember(parties),
            Objection::Submodel => Refusal::WrongSubmodel(parties),
        }
    }

    /// Who contradicts.
    pub fn parties(&self) -> &Parties {
        match self {
            Refusal::UnknownModule(parties)
            | Refusal::UnknownSeries(parties)
            | Refusal::OutOfScope { parties, .. }
            | Refusal::WrongPlatform(parties)
            | Refusal::WrongSeries(parties)
            | Refusal::WrongSubmodel(parties)
            | Refusal::OtherMember(parties)
            | Refusal::Contradiction(parties)
            | Refusal::InconsistentPackage(parties)
            | Refusal::UnknownPackage(parties)
            | Refusal::StatedAgainstEvidence { parties, .. }
            | Refusal::OtherModule { parties, .. }
            | Refusal::OtherLabel { parties, .. }
            | Refusal::UnresolvedName(parties)
            | Refusal::Unsafe { parties, .. } => parties,
        }
    }

    /// The kind, for machines and the exit code.
    pub fn kind(&self) -> Kind {
        match self {
            Refusal::UnknownModule(_) => Kind::UnknownModule,
            Refusal::WrongPlatform(_) => Kind::RefusedPlatform,
            Refusal::UnknownSeries(_) | Refusal::OutOfScope { .. } | Refusal::WrongSeries(_) => {
                Kind::RefusedSeries
            }
            Refusal::WrongSubmodel(_) | Refusal::OtherMember(_) | Refusal::UnresolvedName(_) => {
                Kind::RefusedSubmodel
            }
            Refusal::Contradiction(_)
            | Refusal::InconsistentPackage(_)
            | Refusal::OtherModule { .. }
            | Refusal::OtherLabel { .. }
            | Refusal::StatedAgainstEvidence { .. } => Kind::RefusedContradiction,
            Refusal::UnknownPackage(_) => Kind::UnknownPackage,
            Refusal::Unsafe { .. } => Kind::RefusedUnsafe,
        }
    }

    /// What to do next.
    fn hints(&self) -> Vec<String> {
        let parties = self.parties();
        match self {
            Refusal::UnknownModule(_) => {
                vec!["read the ordering code on the module's label and give its first part: `--oc OC`, like `EC800MCNGA`".into()]
            }
            Refusal::UnknownSeries(_) => {
                vec!["a series that is new needs a new version of qpyflash; its letters prove nothing".into()]
            }
            Refusal::OutOfScope { .. } => vec!["use the vendor's own tool for this module".into()],
            Refusal::WrongPlatform(_) | Refusal::WrongSeries(_) | Refusal::WrongSubmodel(_) => {
                find_another(parties).into_iter().collect()
            }
            Refusal::OtherMember(_) => ask_for_label(parties).into_iter().chain(find_another(parties)).collect(),
            Refusal::Contradiction(_) => vec![
                "read the label on the shield can again: exactly that is the ordering code for `--oc`; a package for anything else does not belong on this module".into(),
            ],
            Refusal::InconsistentPackage(_) => {
                vec!["get the package again from where it was published, and do not rename it".into()]
            }
            Refusal::UnknownPackage(_) => vec![
                "if you know for certain what it is built for, state it: `--built-for SERIES_SUBMODEL`, like `EC800M_CNGA`".into(),
            ],
            Refusal::StatedAgainstEvidence { .. } => vec!["leave `--built-for` out".into()],
            Refusal::UnresolvedName(_) => ask_for_label(parties).into_iter().collect(),
            Refusal::OtherModule { why, .. } => {
                let label = why.imei.as_ref().filter(|_| !why.by_label).map(|imei| {
                    format!(
                        "if the label on the shield can says {imei}, the module carries the NV items of another: \
                         `qpyflash restore nv` gives it its own with `--imei {imei}`"
                    )
                });
                let own = format!(
                    "a backup goes back to the module it was made of, and to no other; those of this one are in \
                     the folder `{}`",
                    why.module
                );
                std::iter::once(own).chain(label).collect()
            }
            Refusal::OtherLabel { .. } => {
                vec!["see that the module in this slot is the one whose label was scanned for it, and scan again".into()]
            }
            Refusal::Unsafe { .. } => {
                vec!["`--production` runs what a package keeps for the factory; leave that to the factory, or take a published package".into()]
            }
        }
    }
}

fn find_another(parties: &Parties) -> Option<String> {
    let code = parties.module_code()?.first_part();
    Some(format!(
        "this module takes {} firmware; `qpyflash resolve --oc {code} DIR` finds it",
        parties.takes()?
    ))
}

fn ask_for_label(parties: &Parties) -> Option<String> {
    let code = parties
        .built_for
        .as_ref()
        .filter(|_| parties.label.is_none())?
        .first_part();
    Some(format!(
        "if the module's label says {code}, state that: `--oc {code}`"
    ))
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        let mut error = Error::new(refusal.kind(), refusal.to_string())
            .in_phase(Phase::Clear)
            .at(refusal.parties().place.clone());
        error.hints = refusal.hints();
        error
    }
}
