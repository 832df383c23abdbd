//! What is on the stage: a virtual module, the package it takes, and the one it must refuse.

use std::time::Duration;

use qpyflash::{Error, Kind};
use qpyflash_virtual::{
    AsrModule, AsrPackage, Chip, EigencommModule, EigencommPackage, FlashChip, LinkModel, Mode, Scale,
    UnisocChip, UnisocModule, UnisocPackage, Variant, VirtualBus, VirtualModule,
};

use super::{Arguments, Platform, Speed};

/// The module's firmware before, and both packages: published name and revision.
pub struct Cast {
    pub before: &'static str,
    pub right: (&'static str, &'static str),
    pub wrong: (&'static str, &'static str),
}

const EC600N: Cast = Cast {
    before: "EC600NCNLAR03A06M08",
    right: ("QPY_OCPU_V0006_EC600N_CNLA_FW", "EC600NCNLAR03A07M08_OCPU_QPY"),
    wrong: ("QPY_OCPU_V0001_EC600N_CNLF_FW", "EC600NCNLFR01A01M16_OCPU_QPY"),
};
const EC600S: Cast = Cast {
    before: "EC600SCNAAR01A01M16",
    right: ("QPY_OCPU_V0003_EC600S_CNAA_FW", "EC600SCNAAR01A02V03M16_OCPU_PY"),
    wrong: ("QPY_OCPU_V0001_EC600S_CNLB_FW", "EC600SCNLBR01A01M08_OCPU_PY"),
};
const EC600U: Cast = Cast {
    before: "EC600UCNLBR03A02M08",
    right: ("QPY_OCPU_V0004_EC600U_CNLB_FW", "EC600UCNLBR03A04M08_OCPU_QPY"),
    wrong: ("QPY_OCPU_BETA0001_EC600U_CNLC_FW", "EC600UCNLCR03A01M08_OCPU_QPY"),
};
const EC800G: Cast = Cast {
    before: "EC800GCNLDR01A01M04",
    right: ("QPY_OCPU_V0001_EC800G_CNLD_FW", "EC800GCNLDR02A01M04_OCPU_QPY"),
    wrong: ("QPY_OCPU_V0001_EC800G_CNGA_FW", "EC800GCNGAR01A01M08_OCPU_QPY"),
};

const EC600E: Cast = Cast {
    before: "EC600ECNLCR01A01M04",
    right: ("QPY_OCPU_V0003_EC600E_CNLC_FW", "EC600ECNLCR01A02M04_OCPU_QPY"),
    wrong: ("QPY_OCPU_V0002_EC600E_CNLQ_FW", "EC600ECNLQR01A01M04_OCPU_QPY"),
};

const START_WITHIN: Duration = Duration::from_secs(10);

/// A virtual module, whatever its platform.
pub trait Player {
    fn revision(&self) -> Option<String>;
    fn bytes_received_in_download_mode(&self) -> u64;
    /// The names of the parts that do not hold what they should.
    fn differing(&self) -> Vec<&str>;
    fn parts(&self) -> usize;
}

/// A part of the flash, and whether it holds what the package says.
type Part<P> = (String, Box<dyn Fn(&VirtualModule<P>) -> bool>);

struct Attached<P: qpyflash_virtual::Platform> {
    module: VirtualModule<P>,
    parts: Vec<Part<P>>,
}

impl<P: qpyflash_virtual::Platform> Player for Attached<P> {
    fn revision(&self) -> Option<String> {
        self.module.revision()
    }

    fn bytes_received_in_download_mode(&self) -> u64 {
        self.module.bytes_received_in_download_mode()
    }

    fn differing(&self) -> Vec<&str> {
        let differing = self.parts.iter().filter(|(_, holds)| !holds(&self.module));
        differing.map(|(name, _)| name.as_str()).collect()
    }

    fn parts(&self) -> usize {
        self.parts.len()
    }
}

/// Puts the two packages on the bus's folder and attaches the module.
pub fn stage(arguments: &Arguments, bus: &VirtualBus) -> Result<(Cast, Box<dyn Player>), Error> {
    let line = link(arguments.speed);
    let boot2 = Variant::Boot2Of1601("2021.01.17".into());
    match arguments.platform {
        Platform::Asr => stage_asr(EC600N, Chip::Asr1603, Variant::Rom1603, line, bus),
        Platform::Asr1601 => stage_asr(EC600S, Chip::Asr1601, Variant::Rom1601, line, bus),
        Platform::Asr1601Boot2 => stage_asr(EC600S, Chip::Asr1601, boot2, line, bus),
        Platform::Unisoc8910 => stage_unisoc(EC600U, UnisocChip::Uis8910, line, bus),
        Platform::Unisoc8850 => stage_unisoc(EC800G, UnisocChip::Uis8850, line, bus),
        Platform::Eigencomm618 => stage_eigencomm(EC600E, line, bus),
    }
}

fn stage_asr(
    cast: Cast,
    chip: Chip,
    variant: Variant,
    line: LinkModel,
    bus: &VirtualBus,
) -> Result<(Cast, Box<dyn Player>), Error> {
    let package = |(name, revision): (&str, &str)| {
        let package = AsrPackage::generate(revision, chip, Scale::Realistic);
        save(bus, name, package.public_zip(name)).map(|()| package)
    };
    package(cast.wrong)?;
    let parts = package(cast.right)?.expected_partitions().into_iter();
    let parts = parts.map(|(name, bytes)| -> Part<_> {
        let partition = name.clone();
        (
            name,
            Box::new(move |module| module.partition(&partition).as_ref() == Some(&bytes)),
        )
    });
    let module = AsrModule::builder(cast.before).variant(variant).link(line);
    play(cast, module.attach(bus), parts.collect())
}

fn stage_unisoc(
    cast: Cast,
    chip: UnisocChip,
    line: LinkModel,
    bus: &VirtualBus,
) -> Result<(Cast, Box<dyn Player>), Error> {
    let package = |(name, revision): (&str, &str)| {
        let package = UnisocPackage::generate(revision, chip, Scale::Realistic);
        save(bus, name, package.public_bin_zip(name)).map(|()| package)
    };
    package(cast.wrong)?;
    let parts = package(cast.right)?.expected_regions().into_iter();
    let parts = parts.map(|(name, address, bytes)| -> Part<_> {
        (
            name,
            Box::new(move |module| module.region(address, bytes.len()).as_ref() == Some(&bytes)),
        )
    });
    let module = UnisocModule::builder(chip, cast.before).link(line);
    play(cast, module.attach(bus), parts.collect())
}

fn stage_eigencomm(cast: Cast, line: LinkModel, bus: &VirtualBus) -> Result<(Cast, Box<dyn Player>), Error> {
    let package = |(name, revision): (&str, &str)| {
        let package = EigencommPackage::generate(revision, Scale::Realistic);
        save(bus, name, package.public_bin_zip(name)).map(|()| package)
    };
    package(cast.wrong)?;
    let parts = package(cast.right)?.expected_regions().into_iter();
    let parts = parts.map(|(name, chip, offset, bytes)| -> Part<_> {
        let held = move |module: &EigencommModule| match chip {
            FlashChip::Ap => module.ap(offset, bytes.len()).as_ref() == Some(&bytes),
            FlashChip::Cp => module.cp(offset, bytes.len()).as_ref() == Some(&bytes),
        };
        (name, Box::new(held))
    });
    let module = EigencommModule::builder(cast.before).link(line);
    play(cast, module.attach(bus), parts.collect())
}

/// Waits until the module runs.
fn play<P: qpyflash_virtual::Platform>(
    cast: Cast,
    module: std::io::Result<VirtualModule<P>>,
    parts: Vec<Part<P>>,
) -> Result<(Cast, Box<dyn Player>), Error> {
    let module = module.map_err(|why| failed("attach the virtual module", why))?;
    module
        .wait_for_mode(Mode::Run, START_WITHIN)
        .map_err(|why| failed("start the virtual module", why))?;
    Ok((cast, Box::new(Attached { module, parts })))
}

fn save(bus: &VirtualBus, name: &str, zip: std::io::Result<Vec<u8>>) -> Result<(), Error> {
    let path = bus.path().join(format!("{name}.zip"));
    zip.and_then(|zip| std::fs::write(path, zip))
        .map_err(|why| failed("make a package", why))
}

fn link(speed: Speed) -> LinkModel {
    let name = match speed {
        Speed::Uart921600 => "uart-921600",
        Speed::Uart3m => "uart-3m",
        Speed::UsbFull => "usb-full",
        Speed::UsbHigh => "usb-high",
        Speed::Instant => "instant",
    };
    LinkModel::named(name).unwrap_or_default()
}

pub fn failed(what: &str, why: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Internal, format!("the demo cannot {what}: {why}")).caused_by(why)
}
