//! How a virtual ASR module is set up.

use std::time::Duration;

use crate::asr::ethos::Weather;
use crate::asr::programmer::Generation;
use crate::builder::VirtualModuleBuilder;

/// Which loader serves download mode. Source: specs/asr-aboot.md §3.6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variant {
    /// ASR1603 mask ROM: SMUX, preboot and flasher are called.
    Rom1603,
    /// ASR1601 entered by AT: boot2 in flash serves SMUX, and the flasher is resident. Holds `version-boot2`.
    Boot2Of1601(String),
    /// ASR1601 mask ROM: speaks ETHOS, and no SMUX; preboot and flasher are called.
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

/// What makes an ASR module.
#[derive(Debug, Clone)]
pub struct Asr {
    pub(super) run_pid: u16,
    pub(super) download_pid: u16,
    pub(super) variant: Variant,
    pub(super) weather: Weather,
    pub(super) mtu: u16,
    pub(super) max_download_a: u32,
    pub(super) max_download_b: u32,
    pub(super) flash_bytes: usize,
    pub(super) flash_chip: (u16, u16),
    pub(super) bytes_per_second: Option<u64>,
    pub(super) call_time: Duration,
    pub(super) log_lines: bool,
    pub(super) boot_window: Option<Duration>,
    pub(super) crash_window: Duration,
    pub(super) crash_interval: Duration,
    pub(super) stays_in_download: bool,
}

impl Default for Asr {
    fn default() -> Self {
        Asr {
            run_pid: 0x6001,
            download_pid: 0x3004,
            variant: Variant::Rom1603,
            weather: Weather::default(),
            mtu: 1024,
            max_download_a: 0xF000,
            max_download_b: 0x10_0000,
            flash_bytes: 0x80_0000,
            flash_chip: (0x00C8, 0x6017),
            bytes_per_second: None,
            call_time: Duration::ZERO,
            log_lines: true,
            boot_window: None,
            crash_window: Duration::from_millis(600),
            crash_interval: Duration::from_secs(1),
            stays_in_download: false,
        }
    }
}

impl VirtualModuleBuilder<Asr> {
    /// Which loader serves download mode; the ASR1603 mask ROM unless told.
    pub fn variant(mut self, variant: Variant) -> Self {
        self.platform.variant = variant;
        self
    }

    /// Loses every so many Ethernet frames, in each direction. Only where ETHOS is spoken.
    pub fn loses_every(mut self, frames: u32) -> Self {
        self.platform.weather.loses_every = Some(frames);
        self
    }

    /// Delivers every so many Ethernet frames twice, in each direction. Only where ETHOS is spoken.
    pub fn doubles_every(mut self, frames: u32) -> Self {
        self.platform.weather.doubles_every = Some(frames);
        self
    }

    /// USB product ids in run mode (0x6001 or 0x6002) and download mode (0x3004 or 0x3017).
    pub fn product_ids(mut self, run: u16, download: u16) -> Self {
        (self.platform.run_pid, self.platform.download_pid) = (run, download);
        self
    }

    /// The largest SMUX payload the loader agrees to, 1024 unless told. Never above 2000 is said.
    pub fn mtu(mut self, bytes: u16) -> Self {
        self.platform.mtu = bytes.min(2000);
        self
    }

    /// `max-download-size` before the flasher runs (0xF000 unless told) and after (0x100000 unless told).
    pub fn max_download_sizes(mut self, stage_a: u32, stage_b: u32) -> Self {
        (self.platform.max_download_a, self.platform.max_download_b) = (stage_a, stage_b);
        self
    }

    /// Size of the flash array in bytes, and manufacturer and device id of its chip. 8 MiB of GD25LQ64C unless told.
    pub fn flash_chip(mut self, size: usize, manufacturer: u16, device: u16) -> Self {
        self.platform.flash_bytes = size;
        self.platform.flash_chip = (manufacturer, device);
        self
    }

    /// How fast flash is erased and programmed, in bytes per second; at once unless told.
    pub fn programming_speed(mut self, bytes_per_second: u64) -> Self {
        self.platform.bytes_per_second = Some(bytes_per_second);
        self
    }

    /// How long `call` takes; no time unless told.
    pub fn call_time(mut self, time: Duration) -> Self {
        self.platform.call_time = time;
        self
    }

    /// Whether the loader logs, which it does unless told.
    pub fn log_lines(mut self, on: bool) -> Self {
        self.platform.log_lines = on;
        self
    }

    /// Shows the download port for so long at each boot before the firmware runs, as the mask ROM does.
    pub fn boot_window(mut self, time: Duration) -> Self {
        self.platform.boot_window = Some(time);
        self
    }

    /// When the firmware does not boot: how long the download port shows, and the first interval between two
    /// shows, which doubles each time. 600 ms and 1 s unless told.
    pub fn crash_loop(mut self, window: Duration, first_interval: Duration) -> Self {
        (self.platform.crash_window, self.platform.crash_interval) = (window, first_interval);
        self
    }

    /// After a write it comes back in download mode until it is power-cycled. Source: specs/asr-aboot.md §8.4.
    pub fn stays_in_download_after_reboot(mut self) -> Self {
        self.platform.stays_in_download = true;
        self
    }
}
