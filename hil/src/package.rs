//! `package`: firmware for a virtual module held by hand.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use qpyflash_virtual::{AsrPackage, Chip, EigencommPackage, Scale, UnisocChip, UnisocPackage};

use crate::attach::Kind;

#[derive(Debug, Args)]
pub struct Arguments {
    /// What kind of module it is for
    #[arg(long, value_enum, default_value_t = Kind::Asr)]
    platform: Kind,
    /// Revision of the firmware in it [default: a newer one than the attached module runs]
    #[arg(long, value_name = "REV")]
    revision: Option<String>,
    /// The zip to make
    file: PathBuf,
}

/// Writes the package, in the layout in which firmware of its platform is published.
pub fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (name, newer) = match arguments.platform {
        Kind::Asr => ("QPY_OCPU_V0006_EC600N_CNLA_FW", "EC600NCNLAR03A08M08_OCPU_QPY"),
        Kind::Unisoc8910 => ("QPY_OCPU_V0004_EC600U_CNLB_FW", "EC600UCNLBR03A04M08_OCPU_QPY"),
        Kind::Unisoc8850 => ("QPY_OCPU_V0004_EC800G_CNLD_FW", "EC800GCNLDR02A02M04_OCPU_QPY"),
        Kind::Eigencomm => ("QPY_OCPU_V0003_EC600E_CNLC_FW", "EC600ECNLCR01A02M04_OCPU_QPY"),
    };
    let revision = arguments.revision.as_deref().unwrap_or(newer);
    let unisoc = |chip| UnisocPackage::generate(revision, chip, Scale::Small).public_bin_zip(name);
    let zip = match arguments.platform {
        Kind::Asr => AsrPackage::generate(revision, Chip::Asr1603, Scale::Small).public_zip(name),
        Kind::Unisoc8910 => unisoc(UnisocChip::Uis8910),
        Kind::Unisoc8850 => unisoc(UnisocChip::Uis8850),
        Kind::Eigencomm => EigencommPackage::generate(revision, Scale::Small).public_bin_zip(name),
    }?;
    std::fs::write(&arguments.file, zip)?;
    Ok(())
}
