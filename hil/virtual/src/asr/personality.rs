//! What an ASR module is on the bus, and how it boots. Source: specs/usb-and-hosts.md §1, specs/asr-aboot.md §8.3.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::asr::builder::{Asr, Variant};
use crate::asr::ethos::Ethos;
use crate::asr::flash::Flash;
use crate::asr::loader::Loader;
use crate::at::At;
use crate::builder::Common;
use crate::bus::{CDC_CONTROL, CDC_DATA, VENDOR};
use crate::diag::Diag;
use crate::identity::Identity;
use crate::life::{Enumeration, Function, Platform};
use crate::repl::Repl;
use crate::shared::{Role, Shared};

impl Platform for Asr {
    type Memory = Flash;

    fn factory(&mut self, identity: Option<&Identity>) -> Flash {
        let revision = identity.map(|identity| identity.revision.as_str());
        Flash::factory(self.flash_bytes, revision)
    }

    fn boot_window(&self) -> Option<Duration> {
        self.boot_window
    }

    fn crash_loop(&self) -> Option<(Duration, Duration)> {
        Some((self.crash_window, self.crash_interval))
    }

    fn stays_in_download(&self) -> bool {
        self.stays_in_download
    }

    fn run_mode(&self, common: &Common, identity: &Identity, shared: &Arc<Shared>) -> Enumeration {
        let now = Instant::now();
        let at = || At::new(common.at.clone(), identity.clone(), Arc::clone(shared), now);
        let mut functions = vec![
            Function::port(2, VENDOR, Role::Diag, Diag::new(Arc::clone(shared))),
            Function::port(3, VENDOR, Role::At, at()),
            Function::port(4, VENDOR, Role::Modem, at()),
        ];
        if common.repl_interface.unwrap_or(identity.is_quecpython()) {
            let repl = Repl::new(common.repl.clone(), identity.clone(), Arc::clone(shared), now);
            functions.push(Function::port(5, CDC_CONTROL, Role::Repl, repl));
        }
        Enumeration {
            vid: 0x2c7c,
            pid: self.run_pid,
            bcd_device: "0318",
            strings: [Some("Android"), Some("Android"), Some("0000")],
            speed: "high",
            functions,
        }
    }

    fn download_mode(
        &self,
        shared: &Arc<Shared>,
        memory: &Arc<Mutex<Flash>>,
        window: Option<Duration>,
    ) -> Enumeration {
        let (shared, memory) = (Arc::clone(shared), Arc::clone(memory));
        let loader = Loader::new(self.clone(), shared, memory, window, Instant::now());
        let port = match self.variant {
            Variant::Rom1601 => {
                Function::port(0, CDC_CONTROL, Role::Download, Ethos::new(loader, self.weather))
            }
            _ => Function::port(0, CDC_CONTROL, Role::Download, loader),
        };
        Enumeration {
            vid: 0x2ecc,
            pid: self.download_pid,
            bcd_device: "0000",
            strings: [
                Some("ASR Microelectornics"),
                Some("Arom Usb Boot Port"),
                Some("arom0123456789"),
            ],
            speed: "high",
            functions: vec![port, Function::bare(1, CDC_DATA)],
        }
    }
}
