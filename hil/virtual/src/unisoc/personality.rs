//! What a Unisoc module is on the bus, and how it boots. Source: specs/usb-and-hosts.md §1,
//! specs/unisoc-pac-bsl.md §2.1, §12.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::builder::{NvStart, Unisoc, UnisocChip};
use super::flash::UnisocFlash;
use super::loader::Loader;
use super::nv;
use crate::at::At;
use crate::builder::Common;
use crate::bus::{CDC_CONTROL, CDC_DATA, VENDOR};
use crate::diag::{Diag, Mute};
use crate::identity::Identity;
use crate::life::{Enumeration, Function, Platform};
use crate::repl::Repl;
use crate::shared::{Role, Shared};

/// The IMEI of firmware that has lost its NV. Source: specs/identity.md §3.1.
const DEFAULT_IMEI: &str = "864430010001091";

impl Platform for Unisoc {
    type Memory = UnisocFlash;

    fn factory(&mut self, identity: Option<&Identity>) -> UnisocFlash {
        if self.model.is_none() {
            let revision = identity.map(|identity| identity.revision.as_str());
            let model = revision.and_then(|revision| revision.get(..10));
            self.model = model.map(str::to_owned);
        }
        let mut flash = UnisocFlash::factory(self.chip, self.flash_bytes, identity);
        if self.nv == NvStart::Empty {
            flash.nv.clear();
            (flash.phase_check, flash.is_formatted) = (None, false);
        }
        flash
    }

    fn stays_in_boot_rom(&self, flash: &UnisocFlash) -> bool {
        !flash.boots()
    }

    /// The firmware copies the factory NV where there is no running one, and reads its IMEI from there.
    fn wake(&self, flash: &mut UnisocFlash, identity: &mut Identity) {
        let factory = flash.nv.clone();
        let running = flash.running_nv.get_or_insert(factory);
        let imei = running.get(&nv::IMEI).and_then(|item| nv::decode_imei(item));
        identity.imei = imei.unwrap_or_else(|| DEFAULT_IMEI.to_owned());
    }

    fn run_mode(&self, common: &Common, identity: &Identity, shared: &Arc<Shared>) -> Enumeration {
        let now = Instant::now();
        let at = || At::new(common.at.clone(), identity.clone(), Arc::clone(shared), now);
        let logs = || Diag::new(Arc::clone(shared));
        let mute = || Mute::new(Arc::clone(shared));
        let has_repl = common.repl_interface.unwrap_or(identity.is_quecpython());
        let last = if has_repl {
            let repl = Repl::new(common.repl.clone(), identity.clone(), Arc::clone(shared), now);
            Function::port(8, VENDOR, Role::Repl, repl)
        } else {
            Function::port(8, VENDOR, Role::Nmea, mute())
        };
        Enumeration {
            vid: 0x2c7c,
            pid: match self.chip {
                UnisocChip::Uis8910 => 0x0901,
                // Mainline `option` does not list it: its ports are those of a host where `new_id` was written.
                UnisocChip::Uis8850 => 0x0904,
            },
            bcd_device: "0318",
            strings: [Some("Android"), Some("Android"), Some("0000")],
            speed: "high",
            functions: vec![
                Function::bare(0, CDC_CONTROL),
                Function::bare(1, CDC_DATA),
                Function::port(2, VENDOR, Role::At, at()),
                Function::port(3, VENDOR, Role::ApLog, logs()),
                Function::port(4, VENDOR, Role::CpLog, logs()),
                Function::port(5, VENDOR, Role::Diag, logs().entering_download()),
                Function::port(6, VENDOR, Role::Mos, mute()),
                Function::port(7, VENDOR, Role::Modem, at()),
                last,
            ],
        }
    }

    fn download_mode(
        &self,
        shared: &Arc<Shared>,
        flash: &Arc<Mutex<UnisocFlash>>,
        _window: Option<Duration>,
    ) -> Enumeration {
        let loader = Loader::new(self.clone(), Arc::clone(shared), Arc::clone(flash));
        let (vid, pid, speed, functions) = match self.chip {
            UnisocChip::Uis8910 => {
                let control = Function::port(0, CDC_CONTROL, Role::Download, loader);
                (0x0525, 0xa4a7, "full", vec![control, Function::bare(1, CDC_DATA)])
            }
            // Whether cdc_acm binds is not known. The vendor's host talks to interface 1, and so does a `ttyUSBn`
            // that `new_id` gives. Source: specs/unisoc-pac-bsl.md §2.1 [V] interface, [?] driver.
            UnisocChip::Uis8850 => {
                let data = Function::port(1, VENDOR, Role::Download, loader);
                (0x1782, 0x4d16, "high", vec![Function::bare(0, VENDOR), data])
            }
        };
        Enumeration {
            vid,
            pid,
            bcd_device: "0000",
            strings: [None; 3],
            speed,
            functions,
        }
    }
}
