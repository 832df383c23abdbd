//! How a virtual ASR module is set up.

use std::io;
use std::time::Duration;

use crate::asr::flash::Flash;
use crate::asr::module::AsrModule;
use crate::asr::programmer::Generation;
use crate::at::AtOptions;
use crate::bus::VirtualBus;
use crate::fault::{Fault, Faults};
use crate::identity::Identity;
use crate::link_model::LinkModel;
use crate::repl::ReplOptions;

/// Which loader serves download mode. Source: specs/asr-aboot.md §3.6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variant {
    /// ASR1603 mask ROM: SMUX, preboot and flasher are called.
    Rom1603,
    /// ASR1601 entered by AT: boot2 in flash serves SMUX, and the flasher is resident. Holds `version-boot2`.
    Boot2Of1601(String),
    /// ASR1601 mask ROM: answers the preamble for ETHOS, and speaks no SMUX.
    Rom1601,
}

impl Variant {
    pub(crate) fn generation(&self) -> Generation {
        match self {
            Variant::Rom1603 => Generation::Queued2020,
            _ => Generation::Direct2019,
        }
    }
}

/// Everything the thread of a module needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub topology: String,
    pub run_pid: u16,
    pub download_pid: u16,
    pub variant: Variant,
    pub identity: Option<Identity>,
    pub at: AtOptions,
    pub repl: ReplOptions,
    pub repl_interface: Option<bool>,
    pub link: LinkModel,
    pub mtu: u16,
    pub max_download_a: u32,
    pub max_download_b: u32,
    pub flash_chip: (u16, u16),
    pub bytes_per_second: Option<u64>,
    pub call_time: Duration,
    pub log_lines: bool,
    pub boot_time: Duration,
    pub download_delay: Duration,
    pub download_topology: Option<String>,
    pub boot_window: Option<Duration>,
    pub crash_window: Duration,
    pub crash_interval: Duration,
    pub stays_in_download: bool,
    pub starts_in_download: bool,
}

/// Sets up a virtual ASR module; made by [`AsrModule::builder`].
#[derive(Debug)]
pub struct AsrModuleBuilder {
    pub(crate) settings: Settings,
    flash_size: usize,
    faults: Faults,
    boot_pin: bool,
}

impl AsrModuleBuilder {
    pub(crate) fn new(revision: Option<&str>) -> Self {
        let settings = Settings {
            topology: "1-4.2".into(),
            run_pid: 0x6001,
            download_pid: 0x3004,
            variant: Variant::Rom1603,
            identity: revision.map(Identity::of),
            at: AtOptions::default(),
            repl: ReplOptions::default(),
            repl_interface: None,
            link: LinkModel::default(),
            mtu: 1024,
            max_download_a: 0xF000,
            max_download_b: 0x10_0000,
            flash_chip: (0x00C8, 0x6017),
            bytes_per_second: None,
            call_time: Duration::ZERO,
            log_lines: true,
            boot_time: Duration::from_millis(150),
            download_delay: Duration::from_millis(150),
            download_topology: None,
            boot_window: None,
            crash_window: Duration::from_millis(600),
            crash_interval: Duration::from_secs(1),
            stays_in_download: false,
            starts_in_download: false,
        };
        AsrModuleBuilder {
            settings,
            flash_size: 0x80_0000,
            faults: Faults::default(),
            boot_pin: false,
        }
    }

    /// Where it is plugged in; `1-4.2` unless told.
    pub fn topology(mut self, path: &str) -> Self {
        self.settings.topology = path.into();
        self
    }

    /// Which loader serves download mode; the ASR1603 mask ROM unless told.
    pub fn variant(mut self, variant: Variant) -> Self {
        self.settings.variant = variant;
        self
    }

    /// USB product ids in run mode (0x6001 or 0x6002) and download mode (0x3004 or 0x3017).
    pub fn product_ids(mut self, run: u16, download: u16) -> Self {
        (self.settings.run_pid, self.settings.download_pid) = (run, download);
        self
    }

    /// Changes what the module says about itself.
    pub fn identity(mut self, change: impl FnOnce(&mut Identity)) -> Self {
        if let Some(identity) = &mut self.settings.identity {
            change(identity);
        }
        self
    }

    /// How its AT port behaves.
    pub fn at(mut self, options: AtOptions) -> Self {
        self.settings.at = options;
        self
    }

    /// How its REPL behaves.
    pub fn repl(mut self, options: ReplOptions) -> Self {
        self.settings.repl = options;
        self
    }

    /// Whether there is a REPL port; by default when the revision names QuecPython firmware.
    pub fn repl_interface(mut self, present: bool) -> Self {
        self.settings.repl_interface = Some(present);
        self
    }

    /// How fast the line is, in both modes.
    pub fn link(mut self, model: LinkModel) -> Self {
        self.settings.link = model;
        self
    }

    /// The largest SMUX payload the loader agrees to, 1024 unless told. Never above 2000 is said.
    pub fn mtu(mut self, bytes: u16) -> Self {
        self.settings.mtu = bytes.min(2000);
        self
    }

    /// `max-download-size` before the flasher runs (0xF000 unless told) and after (0x100000 unless told).
    pub fn max_download_sizes(mut self, stage_a: u32, stage_b: u32) -> Self {
        (self.settings.max_download_a, self.settings.max_download_b) = (stage_a, stage_b);
        self
    }

    /// Size of the flash array in bytes, and manufacturer and device id of its chip. 8 MiB of GD25LQ64C unless told.
    pub fn flash_chip(mut self, size: usize, manufacturer: u16, device: u16) -> Self {
        self.flash_size = size;
        self.settings.flash_chip = (manufacturer, device);
        self
    }

    /// How fast flash is erased and programmed, in bytes per second; at once unless told.
    pub fn programming_speed(mut self, bytes_per_second: u64) -> Self {
        self.settings.bytes_per_second = Some(bytes_per_second);
        self
    }

    /// How long `call` takes; no time unless told.
    pub fn call_time(mut self, time: Duration) -> Self {
        self.settings.call_time = time;
        self
    }

    /// Whether the loader logs, which it does unless told.
    pub fn log_lines(mut self, on: bool) -> Self {
        self.settings.log_lines = on;
        self
    }

    /// Time off the bus before run mode, and before download mode. 150 ms each unless told.
    pub fn boot_times(mut self, run: Duration, download: Duration) -> Self {
        (self.settings.boot_time, self.settings.download_delay) = (run, download);
        self
    }

    /// Appears at another topology path in download mode: what a host must not follow.
    pub fn download_topology(mut self, path: &str) -> Self {
        self.settings.download_topology = Some(path.into());
        self
    }

    /// Shows the download port for so long at each boot before the firmware runs, as the mask ROM does.
    pub fn boot_window(mut self, time: Duration) -> Self {
        self.settings.boot_window = Some(time);
        self
    }

    /// When the firmware does not boot: how long the download port shows, and the first interval between two
    /// shows, which doubles each time. 600 ms and 1 s unless told.
    pub fn crash_loop(mut self, window: Duration, first_interval: Duration) -> Self {
        (self.settings.crash_window, self.settings.crash_interval) = (window, first_interval);
        self
    }

    /// After a write it comes back in download mode until it is power-cycled. Source: specs/asr-aboot.md §8.4.
    pub fn stays_in_download_after_reboot(mut self) -> Self {
        self.settings.stays_in_download = true;
        self
    }

    /// Is in download mode from the start, as after `AT+QDOWNLOAD=1` by somebody else.
    pub fn starts_in_download(mut self) -> Self {
        self.settings.starts_in_download = true;
        self
    }

    /// The boot pin is held from the start.
    pub fn boot_pin(mut self) -> Self {
        self.boot_pin = true;
        self
    }

    /// Gives it a fault.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.arm(fault);
        self
    }

    /// Attaches the module to the bus and powers it.
    ///
    /// # Errors
    /// The operating system's error when the module's thread or pipe cannot be made.
    pub fn attach(self, bus: &VirtualBus) -> io::Result<AsrModule> {
        let revision = self
            .settings
            .identity
            .as_ref()
            .map(|identity| identity.revision.as_str());
        let flash = Flash::factory(self.flash_size, revision);
        AsrModule::start(bus, self.settings, flash, self.faults, self.boot_pin)
    }
}
