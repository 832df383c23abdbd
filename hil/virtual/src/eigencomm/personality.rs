//! What an Eigencomm module is on the bus, and how it boots. Source: specs/eigencomm-agentboot.md §1, §7.4.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::agents::AgentKind;
use super::builder::{Eigencomm, RunShape, WayIn};
use super::flash::EigencommFlash;
use super::loader::Loader;
use crate::at::{At, AtOptions, QdownloadReply};
use crate::builder::Common;
use crate::bus::{CDC_CONTROL, CDC_DATA, VENDOR};
use crate::diag::Diag;
use crate::identity::Identity;
use crate::life::{Enumeration, Function, Platform};
use crate::repl::Repl;
use crate::shared::{Role, Shared};

impl Eigencomm {
    fn at_options(&self, common: &Common) -> AtOptions {
        let mut options = common.at.clone();
        options.ecrst = self.way_in != WayIn::BootPinOnly;
        if self.way_in != WayIn::Qdownload {
            options.qdownload = QdownloadReply::Error;
        }
        options
    }

    /// The adapter in front of a module that is attached by its UART.
    fn adapter(role: Role, talker: impl crate::port::Talker + 'static) -> Enumeration {
        Enumeration {
            vid: 0x1a86,
            pid: 0x7523,
            bcd_device: "0264",
            strings: [None, Some("USB Serial"), None],
            speed: "full",
            functions: vec![Function::port(0, VENDOR, role, talker)],
        }
    }
}

impl Platform for Eigencomm {
    type Memory = EigencommFlash;

    fn factory(&mut self, identity: Option<&Identity>) -> EigencommFlash {
        EigencommFlash::factory(identity)
    }

    fn boot_window(&self) -> Option<Duration> {
        self.boot_window
    }

    fn run_mode(&self, common: &Common, identity: &Identity, shared: &Arc<Shared>) -> Enumeration {
        let now = Instant::now();
        let options = self.at_options(common);
        let at = || At::new(options.clone(), identity.clone(), Arc::clone(shared), now);
        if self.transport == AgentKind::Uart {
            return Self::adapter(Role::At, at());
        }
        let logs = Diag::new(Arc::clone(shared));
        let mut functions = match self.run_shape {
            RunShape::VendorPorts => vec![
                Function::bare(0, CDC_CONTROL),
                Function::bare(1, CDC_DATA),
                Function::port(2, VENDOR, Role::Diag, logs),
                Function::port(3, VENDOR, Role::At, at()),
                Function::port(4, VENDOR, Role::Modem, at()),
            ],
            RunShape::CdcAcm => vec![
                Function::port(0, CDC_CONTROL, Role::At, at()),
                Function::bare(1, CDC_DATA),
                Function::port(2, CDC_CONTROL, Role::Diag, logs),
                Function::bare(3, CDC_DATA),
            ],
        };
        if common.repl_interface.unwrap_or(identity.is_quecpython()) {
            let repl = Repl::new(common.repl.clone(), identity.clone(), Arc::clone(shared), now);
            let number = functions.len() as u8;
            functions.push(Function::port(number, CDC_CONTROL, Role::Repl, repl));
            functions.push(Function::bare(number + 1, CDC_DATA));
        }
        Enumeration {
            vid: 0x2c7c,
            pid: 0x0903,
            bcd_device: "0200",
            strings: [None; 3],
            speed: "high",
            functions,
        }
    }

    fn download_mode(
        &self,
        shared: &Arc<Shared>,
        flash: &Arc<Mutex<EigencommFlash>>,
        window: Option<Duration>,
    ) -> Enumeration {
        let (shared, flash) = (Arc::clone(shared), Arc::clone(flash));
        let loader = Loader::new(self.clone(), shared, flash, window, Instant::now());
        if self.transport == AgentKind::Uart {
            return Self::adapter(Role::Download, loader);
        }
        Enumeration {
            vid: 0x17d1,
            pid: 0x0001,
            bcd_device: "0000",
            strings: [None; 3],
            speed: "high",
            functions: vec![
                Function::port(0, CDC_CONTROL, Role::Download, loader),
                Function::bare(1, CDC_DATA),
            ],
        }
    }
}
