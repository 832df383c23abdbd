//! What a session gives account of when it ends, however it ends: the same for every platform.

use crate::{Cause, Failure, Phase, Written};

/// Where a session is, what it is doing, and what it has made of the module.
#[derive(Debug)]
pub(crate) struct Account {
    order: &'static [Phase],
    phase: Phase,
    /// To which image and offset: "writing `cp.bin` to `cp` at 0x100000".
    pub doing: String,
    written: Written,
    /// Bytes of images for flash that the module has acknowledged.
    bytes: u64,
}

impl Account {
    /// Nothing has been sent. `order` is that of the platform's phases.
    pub fn begin(order: &'static [Phase], doing: &str) -> Self {
        Account {
            order,
            phase: Phase::Clear,
            doing: doing.to_owned(),
            written: Written::Nothing,
            bytes: 0,
        }
    }

    /// Something else is being done. True when a phase begins with it: phases only go forward, whatever the order of
    /// the package.
    #[must_use]
    pub fn enter(&mut self, phase: Phase, doing: &str) -> bool {
        doing.clone_into(&mut self.doing);
        let place = |phase| self.order.iter().position(|&other| other == phase);
        let begins = place(phase) > place(self.phase);
        if begins {
            self.phase = phase;
        }
        begins
    }

    pub const fn phase(&self) -> Phase {
        self.phase
    }

    pub const fn written(&self) -> &Written {
        &self.written
    }

    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes for the module's RAM are about to be sent.
    pub fn ram_changes(&mut self) {
        if self.written == Written::Nothing {
            self.written = Written::HelpersOnly;
        }
    }

    /// A command that changes flash is about to be sent.
    pub fn flash_changes(&mut self, image: &str) {
        self.written = Written::Partial {
            image: image.to_owned(),
            bytes: self.bytes,
        };
    }

    /// The module has said that it has not changed anything.
    pub fn take_back(&mut self, written: Written) {
        self.written = written;
    }

    /// Another image's turn, in flash that has been changed already.
    pub fn image_in_work(&mut self, name: &str) {
        if let Written::Partial { image, .. } = &mut self.written {
            name.clone_into(image);
        }
    }

    /// So many bytes of images are acknowledged by now.
    pub fn acknowledged(&mut self, total: u64) {
        self.bytes = total;
        if let Written::Partial { bytes, .. } = &mut self.written {
            *bytes = total;
        }
    }

    /// The module has said that it holds everything.
    pub fn complete(&mut self) {
        self.written = Written::Complete;
    }

    /// The end of a session that failed; `log` are the module's own last lines.
    pub fn failure(self, cause: Cause, log: Vec<String>) -> Failure {
        Failure {
            phase: self.phase,
            doing: self.doing,
            cause,
            written: self.written,
            log,
        }
    }
}
