//! What a person should know although the package may be written. Source: specs/identity.md §4.7, last line.

use std::fmt;

use serde::Serialize;

use super::module::{Agreement, Subject, reported};
use super::package::{Testimony, names_of, production_groups};
use super::{Claim, Purpose};
use crate::firmware::{FileName, Package, Version};
use crate::identity::{Identity, Revision, Witness};

/// One thing to know before writing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Warning {
    /// A variant may need parts on the board: external flash, a codec.
    Variant {
        /// `BT`, `EXTFS8M`.
        variant: String,
    },
    /// Package and module are of different release lines.
    ReleaseLine {
        /// Of the module's firmware now.
        from: u8,
        /// Of the package.
        to: u8,
    },
    /// Package and module name different memory classes.
    MemoryClass {
        /// Of the module's firmware now.
        from: String,
        /// Of the package.
        to: String,
    },
    /// The package is no release.
    Prerelease {
        /// `BETA1107`, `BETA0002`, `TEST0810`.
        mark: String,
    },
    /// Label and module name two members of one shared group, as they may.
    LabelDiffers {
        /// The label.
        label: String,
        /// What the module says.
        reported: String,
    },
    /// The module's firmware was made for another submodel than the label says; the label wins.
    LabelWins {
        /// The label.
        label: String,
        /// What the module says.
        reported: String,
    },
    /// Nothing but the label says what the module is.
    LabelAlone,
    /// The module's firmware is not the factory's, so it names the package flashed last.
    FlashedBefore {
        /// Its revision.
        revision: String,
    },
    /// Only names say what the package is built for.
    NameOnly,
    /// The package's witnesses name several members of one shared group.
    SeveralMembers {
        /// `EC600M_CNLE`, the strongest witness first.
        members: Vec<String>,
    },
    /// Nothing in the package says what it is built for; the operator has stated it.
    StatedBuiltFor {
        /// `EC600N_CNLA`.
        stated: String,
    },
    /// A user's application was merged into the package.
    MergedApplication {
        /// `20230410-1322`.
        date: String,
    },
    /// The application on the module will be lost.
    ApplicationLost,
    /// Nobody says which IMEI the module has, so nothing confirms that a backup is its own.
    BackupUnconfirmed {
        /// The backup's file.
        name: String,
    },
    /// The module carries the NV items of another, by the IMEI on its label.
    ForeignNvItems {
        /// The IMEI on the label.
        label: String,
        /// The IMEI that the module reports.
        reported: String,
    },
    /// The module reports an IMEI that stands in firmware images.
    DefaultImei,
    /// Groups of the package that are for the factory will run, because the operator asked for them.
    Production {
        /// Their names.
        groups: Vec<String>,
    },
    /// Groups of the package that are for the factory are left out.
    ProductionLeftOut {
        /// Their names.
        groups: Vec<String>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Variant { variant } => {
                write!(
                    f,
                    "the package is the variant `{variant}`, which may need parts that not every board has"
                )
            }
            Warning::ReleaseLine { from, to } => write!(
                f,
                "the release line changes from R{from:02} to R{to:02}: file systems may be rebuilt, and the way back is not certain"
            ),
            Warning::MemoryClass { from, to } => write!(f, "the memory class changes from M{from} to M{to}"),
            Warning::Prerelease { mark } => write!(f, "the package is no release, but a build `{mark}`"),
            Warning::LabelDiffers { label, reported } => {
                write!(
                    f,
                    "the label says {label}, the module {reported}: normal, they share firmware"
                )
            }
            Warning::LabelWins { label, reported } => {
                write!(
                    f,
                    "the module runs firmware for {reported}, perhaps flashed by mistake; the label {label} decides"
                )
            }
            Warning::LabelAlone => f.write_str("nothing but the label says which module this is"),
            Warning::FlashedBefore { revision } => {
                write!(
                    f,
                    "`{revision}` names the package that was flashed last; compare it with the label"
                )
            }
            Warning::NameOnly => f.write_str("only its name says what the package is built for"),
            Warning::SeveralMembers { members } => {
                write!(
                    f,
                    "the package names {}, which share firmware",
                    members.join(" and ")
                )
            }
            Warning::StatedBuiltFor { stated } => {
                write!(f, "nothing in the package confirms that it is built for {stated}")
            }
            Warning::MergedApplication { date } => {
                write!(
                    f,
                    "a user's application was merged into the package ({date}) and will be written, too"
                )
            }
            Warning::ApplicationLost => f.write_str("the application on the module will be lost"),
            Warning::BackupUnconfirmed { name } => write!(
                f,
                "the module's IMEI is not known here: nothing but your word says that the backup `{name}` is its own"
            ),
            Warning::ForeignNvItems { label, reported } => write!(
                f,
                "the module reports the IMEI {reported}, its label says {label}: the label decides"
            ),
            Warning::DefaultImei => f.write_str(
                "the module reports the default IMEI of a firmware image: it has lost its NV data",
            ),
            Warning::Production { groups } => write!(
                f,
                "groups of the package that are for the factory will run, too: `{}`",
                groups.join("`, `")
            ),
            Warning::ProductionLeftOut { groups } => write!(
                f,
                "groups of the package that are for the factory are left out: `{}`",
                groups.join("`, `")
            ),
        }
    }
}

/// Every warning that applies to what is going to be done.
pub(super) fn gather(
    package: &Package,
    testimony: &Testimony,
    claim: &Claim<'_>,
    subject: &Subject,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    about_module(claim, subject, &mut warnings);
    about_fit(testimony, claim, &mut warnings);
    if claim.purpose == Purpose::Write {
        about_content(package, claim, &mut warnings);
    }
    if let Some(identity) = claim.identity {
        if claim.purpose == Purpose::Write {
            about_change(package, identity, &mut warnings);
        }
        about_loss(claim.purpose, identity, &mut warnings);
    }
    warnings
}

fn about_module(claim: &Claim<'_>, subject: &Subject, warnings: &mut Vec<Warning>) {
    let label = subject.code.first_part().to_owned();
    let reported = claim
        .identity
        .and_then(reported)
        .map(|code| code.first_part().to_owned());
    match (subject.agreement, reported) {
        (Agreement::SharedGroup, Some(reported)) => warnings.push(Warning::LabelDiffers { label, reported }),
        (Agreement::LabelWins, Some(reported)) => warnings.push(Warning::LabelWins { label, reported }),
        (Agreement::OneVoice, _) if claim.label.is_some() => warnings.push(Warning::LabelAlone),
        (Agreement::OneVoice, _) => warnings.extend(claim.identity.and_then(flashed_before)),
        _ => {}
    }
}

fn flashed_before(identity: &Identity) -> Option<Warning> {
    let revision = identity.revision_text.clone()?;
    (identity.witness != Some(Witness::Factory)).then_some(Warning::FlashedBefore { revision })
}

/// How sure it is that the package is for the module.
fn about_fit(testimony: &Testimony, claim: &Claim<'_>, warnings: &mut Vec<Warning>) {
    let members: Vec<String> = testimony
        .codes()
        .iter()
        .map(|code| code.firmware_name())
        .collect();
    if members.len() > 1 {
        warnings.push(Warning::SeveralMembers { members });
    }
    if testimony.is_name_only() {
        warnings.push(Warning::NameOnly);
    }
    if let Some(stated) = claim.built_for.filter(|_| testimony.is_empty()) {
        warnings.push(Warning::StatedBuiltFor {
            stated: stated.firmware_name(),
        });
    }
}

/// What a package that is written brings with it.
fn about_content(package: &Package, claim: &Claim<'_>, warnings: &mut Vec<Warning>) {
    let built_for = package.built_for();
    warnings.extend(
        built_for
            .variant
            .clone()
            .map(|variant| Warning::Variant { variant }),
    );
    let revision = built_for
        .revision
        .as_deref()
        .and_then(|text| text.parse::<Revision>().ok());
    let by_revision = revision
        .as_ref()
        .and_then(Revision::prerelease)
        .map(str::to_owned);
    let beta = |name: FileName| {
        name.version()
            .filter(Version::is_beta)
            .map(|version| version.to_string())
    };
    let mark = by_revision.or_else(|| names_of(package).find_map(beta));
    warnings.extend(mark.map(|mark| Warning::Prerelease { mark }));
    let merged = names_of(package).find_map(|name| name.merged().map(str::to_owned));
    warnings.extend(merged.map(|date| Warning::MergedApplication { date }));
    if let Some(groups) = production_groups(package).map(<[String]>::to_vec) {
        warnings.push(match claim.production {
            true => Warning::Production { groups },
            false => Warning::ProductionLeftOut { groups },
        });
    }
}

/// How the firmware changes.
fn about_change(package: &Package, identity: &Identity, warnings: &mut Vec<Warning>) {
    let revision = package
        .built_for()
        .revision
        .as_deref()
        .and_then(|text| text.parse::<Revision>().ok());
    if let (Some(now), Some(then)) = (&identity.revision, &revision) {
        if now.line() != then.line() {
            warnings.push(Warning::ReleaseLine {
                from: now.line(),
                to: then.line(),
            });
        }
        if let (Some(from), Some(to)) = (now.memory(), then.memory())
            && from != to
        {
            warnings.push(Warning::MemoryClass {
                from: from.to_owned(),
                to: to.to_owned(),
            });
        }
    }
}

/// What the module loses, or has lost.
fn about_loss(purpose: Purpose, identity: &Identity, warnings: &mut Vec<Warning>) {
    let has_application = matches!(identity.witness, Some(Witness::QuecPython | Witness::OpenCpu));
    if has_application && purpose != Purpose::Helpers {
        warnings.push(Warning::ApplicationLost);
    }
    if identity.has_default_imei() {
        warnings.push(Warning::DefaultImei);
    }
}
