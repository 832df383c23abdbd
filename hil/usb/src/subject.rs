//! The virtual modules that scenarios write: one of each kind, with the packages it takes and refuses.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use qpyflash_virtual::{
    AsrModule, AsrPackage, Chip, EigencommModule, EigencommPackage, Fault, FlashChip, LinkModel, Mode,
    Platform, Role, Scale, Socket, UnisocChip, UnisocModule, UnisocPackage, Variant, VirtualModule,
    VirtualModuleBuilder,
};

/// A kind of module.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Its name: `asr1603`.
    pub name: &'static str,
    /// The revision that runs before.
    pub old: &'static str,
    /// The revision of the package.
    pub new: &'static str,
    /// The ordering code on its label.
    pub ordering_code: &'static str,
    /// What the published package is called.
    pub package: &'static str,
    /// A fault for each phase of a write in which the cable is pulled.
    pub unplugged: &'static [(&'static str, &'static str)],
    chip: ChipKind,
}

#[derive(Debug, Clone, Copy)]
enum ChipKind {
    Asr(Chip),
    Unisoc(UnisocChip),
    Ec618,
}

/// Sizes of the two flash chips of an EC618, in bytes. Source: specs/eigencomm-agentboot.md §5.
const AP_BYTES: usize = 0x40_0000;
const CP_BYTES: usize = 0x10_0000;

/// Every kind there is.
pub const KINDS: [Kind; 5] = [
    Kind {
        name: "asr1603",
        old: "EC600NCNLAR03A06M08",
        new: "EC600NCNLAR03A07M08_OCPU_QPY",
        ordering_code: "EC600NCNLA",
        package: "QPY_OCPU_V0006_EC600N_CNLA_FW",
        unplugged: &[
            ("sync", "preamble=vanish"),
            ("helper", "data:4096=vanish"),
            ("check", "getvar@2=vanish"),
            ("erase", "erase=vanish"),
            ("write", "flash@6=vanish"),
        ],
        chip: ChipKind::Asr(Chip::Asr1603),
    },
    Kind {
        name: "asr1601-boot2",
        old: "EC600SCNAAR01A01M16",
        new: "EC600SCNAAR01A02V03M16_OCPU_PY",
        ordering_code: "EC600SCNAA",
        package: "QPY_OCPU_V0003_EC600S_CNAA_FW",
        unplugged: &[("write", "flash@2=vanish")],
        chip: ChipKind::Asr(Chip::Asr1601),
    },
    Kind {
        name: "uis8910",
        old: "EC600UCNLBR03A02M08",
        new: "EC600UCNLBR03A04M08_OCPU_QPY",
        ordering_code: "EC600UCNLB",
        package: "QPY_OCPU_V0004_EC600U_CNLB_FW",
        unplugged: &[
            ("sync", "rom.connect=vanish"),
            ("helper", "rom.midst@2=vanish"),
            ("erase", "fdl2.erase=vanish"),
            ("write", "fdl2.midst@9=vanish"),
            ("reset", "fdl2.reset=vanish"),
        ],
        chip: ChipKind::Unisoc(UnisocChip::Uis8910),
    },
    Kind {
        name: "uis8850",
        old: "EC800GCNLDR01A01M04",
        new: "EC800GCNLDR02A01M04_OCPU_QPY",
        ordering_code: "EC800GCNLD",
        package: "QPY_OCPU_V0001_EC800G_CNLD_FW",
        unplugged: &[("helper", "rom.midst@2=vanish"), ("write", "fdl2.midst@9=vanish")],
        chip: ChipKind::Unisoc(UnisocChip::Uis8850),
    },
    Kind {
        name: "ec618",
        old: "EC600ECNLCR01A01M04_OCPU_QPY",
        new: "EC600ECNLCR01A02M04_OCPU_QPY",
        ordering_code: "EC600ECNLC",
        package: "QPY_OCPU_V0003_EC600E_CNLC_FW",
        unplugged: &[],
        chip: ChipKind::Ec618,
    },
];

/// How a module is to be set up.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// It has that fault.
    pub fault: Option<Fault>,
    /// How fast its line is.
    pub link: LinkModel,
    /// It is attached by a UART adapter; EC618 only.
    pub is_on_uart: bool,
    /// It appears there in download mode.
    pub download_topology: Option<String>,
    /// It is in download mode from the start.
    pub in_download: bool,
    /// The package with which it is compared is as large as published ones are.
    pub is_large: bool,
}

impl Kind {
    /// The kind of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<&'static Kind, String> {
        let found = KINDS.iter().find(|kind| kind.name == name);
        found.ok_or_else(|| format!("there is no kind `{name}`"))
    }

    /// The published package, a zip archive; as large as published ones are, or small.
    ///
    /// # Errors
    /// The archive's.
    pub fn archive(&self, is_large: bool) -> io::Result<Vec<u8>> {
        self.archive_of(self.new, self.package, is_large)
    }

    /// A package of that revision, published under that name, for modules of this kind's chip.
    ///
    /// # Errors
    /// The archive's.
    pub fn archive_of(&self, revision: &str, name: &str, is_large: bool) -> io::Result<Vec<u8>> {
        let scale = scale(is_large);
        match self.chip {
            ChipKind::Asr(chip) => AsrPackage::generate(revision, chip, scale).public_zip(name),
            ChipKind::Unisoc(chip) => UnisocPackage::generate(revision, chip, scale).public_bin_zip(name),
            ChipKind::Ec618 => EigencommPackage::generate(revision, scale).public_bin_zip(name),
        }
    }

    /// Plugs a module of this kind in.
    ///
    /// # Errors
    /// The socket's.
    pub fn plug(
        &self,
        socket: &(impl Socket + Clone + 'static),
        topology: &str,
        setup: &Setup,
    ) -> io::Result<Box<dyn Subject>> {
        let scale = scale(setup.is_large);
        match self.chip {
            ChipKind::Asr(chip) => {
                let parts = AsrPackage::generate(self.new, chip, scale).expected_partitions();
                let variant = match chip {
                    Chip::Asr1601 => Variant::Boot2Of1601("2021.01.17".into()),
                    _ => Variant::Rom1603,
                };
                let builder = AsrModule::builder(self.old).variant(variant);
                let module = setup.apply(builder, topology).attach(socket)?;
                Ok(Box::new(Held {
                    module,
                    parts: parts.len(),
                    contents: |module| module.flash().bytes().to_vec(),
                    differing: Box::new(move |module| {
                        let differs = |(name, bytes): &(&String, &Vec<u8>)| {
                            module.partition(name).as_ref() != Some(*bytes)
                        };
                        parts
                            .iter()
                            .filter(differs)
                            .map(|(name, _)| name.clone())
                            .collect()
                    }),
                }))
            }
            ChipKind::Unisoc(chip) => {
                let parts = UnisocPackage::generate(self.new, chip, scale).expected_regions();
                let module = setup
                    .apply(UnisocModule::builder(chip, self.old), topology)
                    .attach(socket)?;
                Ok(Box::new(Held {
                    module,
                    parts: parts.len(),
                    contents: |module| {
                        let items = format!("{:?}", module.nv_items());
                        [module.flash().bytes(), items.as_bytes()].concat()
                    },
                    differing: Box::new(move |module| {
                        let differs = |(_, address, bytes): &&(String, u32, Vec<u8>)| {
                            module.region(*address, bytes.len()).as_ref() != Some(bytes)
                        };
                        parts
                            .iter()
                            .filter(differs)
                            .map(|(name, ..)| name.clone())
                            .collect()
                    }),
                }))
            }
            ChipKind::Ec618 => {
                let parts = EigencommPackage::generate(self.new, scale).expected_regions();
                let mut builder = EigencommModule::builder(self.old);
                if setup.is_on_uart {
                    builder = builder.over_uart();
                }
                let module = setup.apply(builder, topology).attach(socket)?;
                Ok(Box::new(Held {
                    module,
                    parts: parts.len(),
                    contents: |module| {
                        let chips = [module.ap(0, AP_BYTES), module.cp(0, CP_BYTES)];
                        chips.into_iter().flatten().flatten().collect()
                    },
                    differing: Box::new(move |module| {
                        let differs = |(_, chip, offset, bytes): &&(String, FlashChip, u32, Vec<u8>)| {
                            let held = match chip {
                                FlashChip::Ap => module.ap(*offset, bytes.len()),
                                FlashChip::Cp => module.cp(*offset, bytes.len()),
                            };
                            held.as_ref() != Some(bytes)
                        };
                        parts
                            .iter()
                            .filter(differs)
                            .map(|(name, ..)| name.clone())
                            .collect()
                    }),
                }))
            }
        }
    }
}

fn scale(is_large: bool) -> Scale {
    if is_large { Scale::Realistic } else { Scale::Small }
}

impl Setup {
    fn apply<P: Platform>(
        &self,
        builder: VirtualModuleBuilder<P>,
        topology: &str,
    ) -> VirtualModuleBuilder<P> {
        let mut builder = builder.topology(topology).link(self.link);
        if let Some(fault) = &self.fault {
            builder = builder.fault(fault.clone());
        }
        if let Some(elsewhere) = &self.download_topology {
            builder = builder.download_topology(elsewhere);
        }
        match self.in_download {
            true => builder.starts_in_download(),
            false => builder,
        }
    }
}

/// A virtual module that is plugged in, whatever its kind.
pub trait Subject: Send + Sync {
    /// The revision that runs; none outside run mode.
    fn revision(&self) -> Option<String>;
    /// The parts of the flash that do not hold what the package says.
    fn differing(&self) -> Vec<String>;
    /// How many parts are compared.
    fn parts(&self) -> usize;
    /// What a host did that harms a real module.
    fn violations(&self) -> Vec<String>;
    /// Bytes received in download mode.
    fn bytes_received_in_download_mode(&self) -> u64;
    /// The AT commands it has received, oldest first.
    fn at_commands(&self) -> Vec<String>;
    /// All that it keeps without supply: the bytes of its flash and its NV items.
    fn contents(&self) -> Vec<u8>;
    /// The tty node of a port, while the port exists.
    fn tty(&self, role: Role) -> Option<PathBuf>;
    /// Pulls the cable, which is also the supply.
    fn detach(&self);
    /// Plugs the cable in again.
    fn attach(&self);
    /// Holds the BOOT key, or lets it go.
    fn hold_boot_key(&self, held: bool);
    /// Waits for a mode; what it is in instead, in words.
    ///
    /// # Errors
    /// What it is in instead.
    fn wait_for_mode(&self, mode: Mode, within: Duration) -> Result<(), String>;
}

struct Held<P: Platform> {
    module: VirtualModule<P>,
    parts: usize,
    contents: fn(&VirtualModule<P>) -> Vec<u8>,
    differing: Differing<P>,
}

type Differing<P> = Box<dyn Fn(&VirtualModule<P>) -> Vec<String> + Send + Sync>;

impl<P: Platform + Sync> Subject for Held<P>
where
    P::Memory: Sync,
{
    fn revision(&self) -> Option<String> {
        self.module.revision()
    }
    fn differing(&self) -> Vec<String> {
        (self.differing)(&self.module)
    }
    fn parts(&self) -> usize {
        self.parts
    }
    fn violations(&self) -> Vec<String> {
        self.module.violations()
    }
    fn bytes_received_in_download_mode(&self) -> u64 {
        self.module.bytes_received_in_download_mode()
    }
    fn at_commands(&self) -> Vec<String> {
        self.module.at_commands()
    }
    fn contents(&self) -> Vec<u8> {
        (self.contents)(&self.module)
    }
    fn tty(&self, role: Role) -> Option<PathBuf> {
        self.module.tty(role)
    }
    fn detach(&self) {
        self.module.detach();
    }
    fn attach(&self) {
        self.module.attach();
    }
    fn hold_boot_key(&self, held: bool) {
        self.module.set_boot_pin(held);
    }
    fn wait_for_mode(&self, mode: Mode, within: Duration) -> Result<(), String> {
        self.module
            .wait_for_mode(mode, within)
            .map_err(|timeout| timeout.to_string())
    }
}
