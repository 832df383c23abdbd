//! Flashes QuecPython firmware onto Quectel cellular modules, and refuses what does not fit.
//!
//! The library is what the `qpyflash` command is made of; the command adds words and bars.
//!
//! ```no_run
//! use qpyflash::event::{Event, EventKind, Events};
//! use qpyflash::flash::{self, Request, Verdict};
//! use qpyflash::link::Settings;
//!
//! let request = Request {
//!     port: Some("/dev/ttyUSB1".into()),
//!     ..Request::new("QPY_OCPU_V0006_EC600N_CNLA_FW.zip")
//! };
//! let show = |event: &Event| {
//!     if let EventKind::Bytes { image, done, total } = &event.kind {
//!         println!("{image}: {done} of {total} bytes acknowledged");
//!     }
//! };
//! let outcome = flash::write(&request, &Settings::default(), Events::new(Box::new(show)));
//! match outcome.verdict {
//!     Verdict::Confirmed => println!("the module runs the new firmware"),
//!     other => println!("{other:?}: {:?}; {}", outcome.error, outcome.written),
//! }
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`firmware`] | a file, in any published layout, becomes a validated package |
//! | [`identity`] | ordering codes, revisions, and the questions that get them from a module |
//! | [`gate`] | package and identity become a permit to write, or a refusal |
//! | [`choose`] | which of many packages a module may take |
//! | [`module`] | which modules are attached, and where; following them through download mode |
//! | [`link`] | serial ports, on this host and on the network, and raw USB as byte pipes |
//! | [`doctor`] | what keeps this host from working with modules, and what to do about it |
//! | [`flash`] | the run: from the file to the restarted module |
//! | [`fleet`] | runs under a conductor that hears Ctrl-C; stations of a production line, and their record |
//! | [`backup`] | what must not be lost with a module's flash, kept on disk |
//! | [`event`], [`error`] | what a run says while it goes on, and how it ends |
//!
//! The wire protocols are in [`qpyflash_protocols`]: ASR, Unisoc UIS8910 and UIS8850, Eigencomm EC618.

pub mod backup;
pub mod choose;
pub mod doctor;
pub mod error;
pub mod event;
pub mod firmware;
pub mod flash;
pub mod fleet;
pub mod gate;
pub mod identity;
pub mod link;
pub mod module;

pub use error::{Error, Kind};
pub use qpyflash_protocols::{Phase, Platform, Written};
