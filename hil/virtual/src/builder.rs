//! How a virtual module is set up, whatever its platform.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::at::AtOptions;
use crate::bare::BareModule;
use crate::fault::{Fault, Faults};
use crate::identity::Identity;
use crate::life::Platform;
use crate::link_model::LinkModel;
use crate::module::VirtualModule;
use crate::repl::ReplOptions;
use crate::socket::Socket;

/// What the thread of a module needs to know, whatever its platform.
#[derive(Debug, Clone)]
pub struct Common {
    pub topology: String,
    pub download_topology: Option<String>,
    pub elsewhere: String,
    pub identity: Option<Identity>,
    pub at: AtOptions,
    pub repl: ReplOptions,
    pub repl_interface: Option<bool>,
    pub link: LinkModel,
    pub boot_time: Duration,
    pub download_delay: Duration,
}

/// Sets up a virtual module; made by [`AsrModule::builder`](crate::AsrModule::builder) and its like.
#[derive(Debug)]
pub struct VirtualModuleBuilder<P: Platform> {
    pub(crate) common: Common,
    pub(crate) platform: P,
    starts_in_download: bool,
    boot_pin: bool,
    faults: Faults,
}

impl<P: Platform> VirtualModuleBuilder<P> {
    pub(crate) fn new(platform: P, revision: Option<&str>) -> Self {
        VirtualModuleBuilder {
            common: Common {
                topology: "1-4.2".into(),
                download_topology: None,
                elsewhere: "1-4.7".into(),
                identity: revision.map(Identity::of),
                at: AtOptions::default(),
                repl: ReplOptions::default(),
                repl_interface: None,
                link: LinkModel::default(),
                boot_time: Duration::from_millis(150),
                download_delay: Duration::from_millis(150),
            },
            platform,
            starts_in_download: false,
            boot_pin: false,
            faults: Faults::default(),
        }
    }

    /// Where it is plugged in; `1-4.2` unless told.
    pub fn topology(mut self, path: &str) -> Self {
        self.common.topology = path.into();
        self
    }

    /// Changes what the module says about itself.
    pub fn identity(mut self, change: impl FnOnce(&mut Identity)) -> Self {
        if let Some(identity) = &mut self.common.identity {
            change(identity);
        }
        self
    }

    /// How its AT port behaves.
    pub fn at(mut self, options: AtOptions) -> Self {
        self.common.at = options;
        self
    }

    /// How its REPL behaves.
    pub fn repl(mut self, options: ReplOptions) -> Self {
        self.common.repl = options;
        self
    }

    /// Whether there is a REPL port; by default when the revision names QuecPython firmware.
    pub fn repl_interface(mut self, present: bool) -> Self {
        self.common.repl_interface = Some(present);
        self
    }

    /// How fast the line is, in both modes.
    pub fn link(mut self, model: LinkModel) -> Self {
        self.common.link = model;
        self
    }

    /// Time off the bus before run mode, and before download mode. 150 ms each unless told.
    pub fn boot_times(mut self, run: Duration, download: Duration) -> Self {
        (self.common.boot_time, self.common.download_delay) = (run, download);
        self
    }

    /// Appears at another topology path in download mode: what a host must not follow.
    pub fn download_topology(mut self, path: &str) -> Self {
        self.common.download_topology = Some(path.into());
        self
    }

    /// Where a fault that moves it plugs it in; `1-4.7` unless told.
    pub fn elsewhere(mut self, path: &str) -> Self {
        self.common.elsewhere = path.into();
        self
    }

    /// Is in download mode from the start, as after `AT+QDOWNLOAD=1` by somebody else.
    pub fn starts_in_download(mut self) -> Self {
        self.starts_in_download = true;
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
    pub fn attach(mut self, socket: &(impl Socket + Clone + 'static)) -> io::Result<VirtualModule<P>> {
        let memory = self.platform.factory(self.common.identity.as_ref());
        let parts = (self.faults, self.boot_pin, self.starts_in_download);
        VirtualModule::start(
            Arc::new(socket.clone()),
            self.common,
            self.platform,
            memory,
            parts,
        )
    }

    /// Makes it a module in download mode on no bus, in no thread and with no clock of its own.
    ///
    /// # Errors
    /// The operating system's error when its pipe cannot be made.
    pub fn bare(mut self) -> io::Result<BareModule<P>> {
        let memory = self.platform.factory(self.common.identity.as_ref());
        BareModule::new(self.platform, self.faults, memory)
    }
}
