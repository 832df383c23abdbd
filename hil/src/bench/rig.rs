//! What every measurement over a line needs: a package on disk, and a virtual module in download mode.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use qpyflash::event::{Event, Events};
use qpyflash::flash::{self, After, Before, Request};
use qpyflash::link::Settings;
use qpyflash_virtual::{AsrModule, AsrPackage, Chip, LinkModel, Mode, Role, Scale, Variant, VirtualBus};
use tempfile::TempDir;

use super::Outcome;

const REVISION: &str = "EC600NCNLAR03A07M08_OCPU_QPY";
/// The ordering code on the module's label.
pub const LABEL: &str = "EC600NCNLA";
const PACKAGE_NAME: &str = "QPY_OCPU_V0006_EC600N_CNLA_FW";
/// Images are never cut to less: a package stays one of many small images.
const NEVER_LESS: usize = 4096;
/// How fast the module programs its flash, in bytes per second: faster than any line, and beside it.
pub const PROGRAMMING_SPEED: u64 = 1_000_000_000;

/// A package as a file.
pub struct Package {
    pub contents: AsrPackage,
    pub file: PathBuf,
    _folder: TempDir,
}

impl Package {
    /// The generated package of realistic structure, every image `smaller` times smaller.
    pub fn realistic(smaller: usize) -> Outcome<Self> {
        Package::realistic_for(Chip::Asr1603, smaller)
    }

    /// The same for that chip.
    pub fn realistic_for(chip: Chip, smaller: usize) -> Outcome<Self> {
        let cut = |bytes: &mut Vec<u8>| bytes.truncate((bytes.len() / smaller).max(NEVER_LESS));
        let package = AsrPackage::generate(REVISION, chip, Scale::Realistic);
        Package::of(with_images_changed(package, cut))
    }

    /// The same with every image `larger` times larger and of bytes that no zip makes smaller. No module has such
    /// a flash, so its partition table is left away.
    pub fn oversized(larger: usize) -> Outcome<Self> {
        let contents = with_images_changed(generate(), |bytes| *bytes = noise(bytes.len() * larger));
        Package::of(contents.with_entries(|entries| entries.retain(|entry| entry["command"] != "partition")))
    }

    /// Bytes of all that is read of it. Its script is the same package once more, and is not read.
    pub fn expanded(&self) -> usize {
        let members = self.contents.members();
        let read = members.iter().filter(|(name, _)| name != "firmware.bin");
        read.map(|(_, bytes)| bytes.len()).sum()
    }

    fn of(contents: AsrPackage) -> Outcome<Self> {
        let folder = TempDir::new()?;
        let file = folder.path().join(format!("{PACKAGE_NAME}.zip"));
        fs::write(&file, contents.public_zip(PACKAGE_NAME)?)?;
        Ok(Package {
            contents,
            file,
            _folder: folder,
        })
    }
}

/// The bytes of all images of a realistic package that go to flash, one image after the other.
pub fn firmware() -> Vec<u8> {
    let package = generate();
    image_names(&package)
        .iter()
        .filter_map(|name| package.member(name))
        .flatten()
        .collect()
}

fn generate() -> AsrPackage {
    AsrPackage::generate(REVISION, Chip::Asr1603, Scale::Realistic)
}

fn with_images_changed(package: AsrPackage, change: impl Fn(&mut Vec<u8>)) -> AsrPackage {
    let tables = |name: &&String| !name.starts_with("partition");
    let names = image_names(&package);
    names
        .iter()
        .filter(tables)
        .fold(package, |package, name| package.with_changed(name, &change))
}

fn image_names(package: &AsrPackage) -> Vec<String> {
    let json = package.member("download.json").unwrap_or_default();
    let entries: Vec<serde_json::Value> = serde_json::from_slice(&json).unwrap_or_default();
    let images = entries.iter().filter(|entry| entry["command"] == "flash");
    images
        .filter_map(|entry| entry["image"].as_str().map(str::to_owned))
        .collect()
}

/// A module in download mode at the end of a line.
pub struct Rig {
    pub module: Arc<AsrModule>,
    pub port: PathBuf,
    _bus: VirtualBus,
}

impl Rig {
    pub fn new(link: LinkModel) -> Outcome<Self> {
        Rig::served_by(Variant::Rom1603, link)
    }

    /// The same with that loader.
    pub fn served_by(loader: Variant, link: LinkModel) -> Outcome<Self> {
        let bus = VirtualBus::temporary()?;
        let module = AsrModule::builder("EC600NCNLAR03A06M08")
            .variant(loader)
            .link(link)
            .programming_speed(PROGRAMMING_SPEED)
            .starts_in_download()
            .attach(&bus)?;
        module.wait_for_mode(Mode::Download, Duration::from_secs(10))?;
        let port = module
            .tty(Role::Download)
            .ok_or("the virtual module has no download port")?;
        Ok(Rig {
            module: Arc::new(module),
            port,
            _bus: bus,
        })
    }

    /// Writes the package through the library, and hands every event to `watch`.
    pub fn write(
        &self,
        package: &Package,
        settings: &Settings,
        watch: impl FnMut(&Event) + Send + 'static,
    ) -> Outcome<flash::Outcome> {
        let request = Request {
            port: Some(self.port.display().to_string()),
            label: Some(LABEL.parse().map_err(|why| format!("{LABEL}: {why}"))?),
            before: Before::None,
            after: After::Stay,
            ..Request::new(&package.file)
        };
        let outcome = flash::write(&request, settings, Events::new(Box::new(watch)));
        match &outcome.error {
            None => Ok(outcome),
            Some(error) => Err(format!("the write failed: {}", error.message).into()),
        }
    }
}

/// How many answers a module has given: one to each command, and one to the data of each download.
pub fn answers(module: &AsrModule) -> u64 {
    let commands = module.commands();
    let downloads = commands.iter().filter(|command| command.starts_with("download:"));
    (commands.len() + downloads.count()) as u64
}

/// Bytes in which every value is equally likely: a xorshift generator.
pub fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(state.to_le_bytes())
    };
    std::iter::from_fn(next).flatten().take(size).collect()
}
