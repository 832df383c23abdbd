//! One virtual bus with a folder of files, and what the tests say about modules and packages.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use qpyflash_virtual::{
    AsrModule, AsrPackage, Chip, Flash, Mode, Platform, Scale, VirtualBus, VirtualModule,
    VirtualModuleBuilder,
};
use tempfile::TempDir;

use crate::harness::Run;

/// The module most tests write, before and after; both revisions are of QuecPython firmware.
pub const OLD: &str = "EC600NCNLAR03A07M08_OCPU_QPY";
pub const NEW: &str = "EC600NCNLAR03A08M08_OCPU_QPY";
/// Published name of a package for it.
pub const NAME: &str = "QPY_OCPU_V0006_EC600N_CNLA_FW";

/// How long a virtual module may take for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// The tests' time-outs, for short guard times: nothing that goes well comes near them, on a busy machine either.
const SCALE: &str = "0.3";

/// A virtual bus, and a folder for files.
pub struct Bench {
    pub bus: VirtualBus,
    folder: TempDir,
}

impl Bench {
    /// A bus with nothing on it, and [`firmware`] in a file `fw.zip`.
    pub fn new() -> Bench {
        static PUBLIC: LazyLock<Vec<u8>> = LazyLock::new(|| firmware().public_zip(NAME).unwrap());
        let bench = Bench::bare();
        bench.file("fw.zip", &*PUBLIC);
        bench
    }

    /// A bus with nothing on it, and no file.
    pub fn bare() -> Bench {
        Bench {
            bus: VirtualBus::temporary().unwrap(),
            folder: TempDir::with_prefix("qpyflash-files-").unwrap(),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, with its folders.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Plugs a module in and waits until the bus shows it.
    pub fn attach<P: Platform>(&self, builder: VirtualModuleBuilder<P>) -> VirtualModule<P> {
        let module = builder.attach(&self.bus).unwrap();
        assert_ne!(module.wait_while_mode(Mode::Off, PATIENCE), Mode::Off);
        module
    }

    /// `qpyflash` with these arguments, in the folder of files.
    pub fn qpyflash(&self, arguments: &[&str]) -> Run {
        self.run(env!("CARGO_BIN_EXE_qpyflash").as_ref(), arguments)
    }

    pub fn run(&self, program: &OsStr, arguments: &[&str]) -> Run {
        let (variable, bus) = self.bus.environment();
        let mut run = Run::new(program, (variable, bus.as_os_str()), arguments).scale(SCALE);
        run.0.current_dir(self.path());
        run
    }

    /// The same, for arguments in one text without blanks in them.
    pub fn say(&self, line: &str) -> Run {
        self.qpyflash(&line.split_whitespace().collect::<Vec<_>>())
    }
}

/// The package for the module most tests write.
pub fn firmware() -> &'static AsrPackage {
    static FIRMWARE: LazyLock<AsrPackage> =
        LazyLock::new(|| AsrPackage::generate(NEW, Chip::Asr1603, Scale::Small));
    &FIRMWARE
}

/// Asserts that every partition of the package holds what the package says.
#[track_caller]
pub fn assert_holds(module: &AsrModule, package: &AsrPackage) {
    let expected = package.expected_partitions();
    assert!(expected.len() >= 13, "{} partitions", expected.len());
    assert_eq!(module.counters().fuse_requests, 0);
    for (name, expected) in expected {
        let found = module.partition(&name).unwrap_or_default();
        let pairs = || found.iter().zip(&expected);
        assert!(
            found == expected,
            "`{name}` has {} bytes of {}; the first wrong one is {:?}",
            found.len(),
            expected.len(),
            pairs().position(|(found, wanted)| found != wanted)
        );
    }
}

/// Asserts that no byte of flash has changed.
#[track_caller]
pub fn assert_unchanged(module: &AsrModule, before: &Flash) {
    assert!(module.flash().bytes() == before.bytes(), "flash has changed");
}

/// A module with what it was at the beginning, to prove that nobody has touched it.
pub struct Untouched<'m>(&'m AsrModule, Flash);

impl<'m> Untouched<'m> {
    pub fn now(module: &'m AsrModule) -> Self {
        Untouched(module, module.flash())
    }

    /// Asserts that it has not heard a byte in download mode, and not been sent there.
    #[track_caller]
    pub fn assert(&self) {
        assert_eq!(self.0.bytes_received_in_download_mode(), 0);
        assert!(
            !self
                .0
                .at_commands()
                .iter()
                .any(|command| command.contains("DOWNLOAD"))
        );
        assert_eq!(self.0.counters().boots, 1);
        assert_unchanged(self.0, &self.1);
    }
}

/// A file of `../shared/vectors`.
pub fn vector(name: &str) -> Vec<u8> {
    let given = std::env::var_os("QPYFLASH_VECTORS").map(PathBuf::from);
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors");
    let path = given.unwrap_or_else(|| beside.into()).join(name);
    std::fs::read(&path).unwrap_or_else(|why| panic!("the vector {} is needed: {why}", path.display()))
}
