//! A board in this process, with events as a line would tell them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use qpyflash::event::{Event, EventKind, Events, SCHEMA};
use qpyflash::flash::{ErrorReport, Outcome, Verdict};
use qpyflash::fleet::SharedSink;
use qpyflash::fleet::board::{Access, Board};
use qpyflash::fleet::config::Config;
use qpyflash::{Error, Kind, Phase, Written};
use qpyflash_protocols::Progress;
use tempfile::TempDir;

/// Nothing here takes nearly as long.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Stage {
    pub board: Board,
    sink: SharedSink,
    _folder: TempDir,
}

impl Stage {
    /// A board with these slots, at a free port of this machine.
    pub fn new(slots: &[&str]) -> Self {
        Stage::at("127.0.0.1:0", None, slots)
    }

    pub fn at(address: &str, token: Option<&str>, slots: &[&str]) -> Self {
        let folder = TempDir::with_prefix("qpyflash-board-").unwrap();
        let state = folder.path().display();
        let mut text = format!("line = \"L1\"\nstation = \"flash-3\"\nstate = \"{state}\"\n");
        text += &format!(
            "[[product]]\nordering_code = \"EC600NCNLA\"\nfile = \"QPY_OCPU_V0006_EC600N_CNLA_FW.zip\"\nsha256 = \"{}\"\n",
            "0".repeat(64)
        );
        for (number, name) in slots.iter().enumerate() {
            let path = format!("1-4.{}", number + 1);
            text +=
                &format!("[[slot]]\nname = '{name}'\npath = \"{path}\"\nordering_code = \"EC600NCNLA\"\n");
        }
        let config = Config::parse(Path::new("fixture.toml"), &text).unwrap();
        let access = Access::new(address.parse().unwrap(), token.map(str::to_owned)).unwrap();
        let board = Board::open(access, &config, &config.slots).unwrap();
        let sink = board.beside(Arc::new(|_: &Event| {}));
        Stage {
            board,
            sink,
            _folder: folder,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.board.address()
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address())
    }

    /// The events of one module in a slot.
    pub fn module(&self, slot: &str) -> Events {
        let sink = Arc::clone(&self.sink);
        let mut events = Events::new(Box::new(move |event| sink(event)));
        events.set_slot(slot);
        events
    }

    /// A word of a slot between two modules.
    pub fn tell(&self, slot: &str, kind: EventKind) {
        (self.sink)(&Event {
            schema: SCHEMA,
            seq: 0,
            t: 0.0,
            slot: Some(slot.into()),
            unit: None,
            kind,
        });
    }

    /// A module that is being written.
    pub fn writing(&self, slot: &str, image: &str, done: u64, total: u64) -> Events {
        let mut events = self.module(slot);
        events.start(Phase::Write);
        events.report(Progress::Bytes {
            image,
            done: 0,
            total,
        });
        events.report(Progress::Bytes { image, done, total });
        events
    }

    pub fn pass(&self, slot: &str) {
        let mut events = self.module(slot);
        events.start(Phase::Confirm);
        let mut outcome = Outcome::of_bug("none");
        (outcome.exit_code, outcome.error, outcome.verdict) = (0, None, Verdict::Confirmed);
        outcome.written = Written::Complete;
        outcome.ordering_code = Some("EC600NCNLA".into());
        events.finish(outcome);
    }

    pub fn fail(&self, slot: &str, error: &Error) {
        let mut outcome = Outcome::of_bug("none");
        (outcome.exit_code, outcome.error) = (error.exit_code(), Some(ErrorReport::of(error)));
        outcome.written = error.written.clone();
        self.module(slot).finish(outcome);
    }
}

/// A module of another submodel than the package is for.
pub fn wrong_module() -> Error {
    let text = "refused: `QPY_OCPU_V0001_EC600N_CNLF_FW` is built for EC600N CNLF, the module on 1-4.2 is EC600NCNLA";
    Error::new(Kind::RefusedSubmodel, text).hint("this module takes EC600N_CNLA firmware")
}

/// A module that left while it was being written.
pub fn gone() -> Error {
    let written = Written::Partial {
        image: "system".into(),
        bytes: 7,
    };
    Error::new(Kind::ModuleGone, "the module left the bus at byte 7 of `system`").written(written)
}
