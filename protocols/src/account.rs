//! What a session gives account of when it ends, however it ends: the same for every platform.

use crate::{Cause, Failure, Phase, Written};

/// What it has made of the module.
#[derive(Debug)]
enum State {
    Untouched,
    /// There may be code of ours in its RAM.
    HelpersOnly,
    /// Its flash has been changed; holds the image in work.
    HalfWritten(String),
    Complete,
}

/// Where a session is, what it is doing, and what it has made of the module.
#[derive(Debug)]
pub(crate) struct Account {
    order: &'static [Phase],
    phase: Phase,
    /// To which image and offset: "writing `cp.bin` to `cp` at 0x100000".
    pub doing: String,
    state: State,
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
            state: State::Untouched,
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

    pub fn written(&self) -> Written {
        match &self.state {
            State::Untouched => Written::Nothing,
            State::HelpersOnly => Written::HelpersOnly,
            State::HalfWritten(image) => Written::Partial {
                image: image.clone(),
                bytes: self.bytes,
            },
            State::Complete => Written::Complete,
        }
    }

    pub const fn is_half_written(&self) -> bool {
        matches!(self.state, State::HalfWritten(_))
    }

    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes for the module's RAM are about to be sent.
    pub fn ram_changes(&mut self) {
        if matches!(self.state, State::Untouched) {
            self.state = State::HelpersOnly;
        }
    }

    /// A command that changes flash is about to be sent.
    pub fn flash_changes(&mut self, image: &str) {
        self.state = State::HalfWritten(image.to_owned());
    }

    /// The module has said that it did not do the first change.
    pub fn take_back(&mut self) {
        self.state = State::HelpersOnly;
    }

    /// Another image's turn, in flash that has been changed already.
    pub fn image_in_work(&mut self, name: &str) {
        if let State::HalfWritten(image) = &mut self.state {
            name.clone_into(image);
        }
    }

    /// So many bytes of images are acknowledged by now.
    pub const fn acknowledged(&mut self, total: u64) {
        self.bytes = total;
    }

    /// The module has said that it holds everything.
    pub fn complete(&mut self) {
        self.state = State::Complete;
    }

    /// The end of a session that failed; `log` are the module's own last lines.
    pub fn failure(self, cause: Cause, log: Vec<String>) -> Failure {
        Failure {
            phase: self.phase,
            written: self.written(),
            doing: self.doing,
            cause,
            log,
        }
    }
}
