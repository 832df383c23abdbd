//! Virtual Quectel modules on pseudo-terminals, and the virtual USB bus they are attached to. Anything else that can
//! carry their ports is a [`Socket`] too.
//!
//! A virtual module does what the specifications say a real one does: it answers AT commands in run mode,
//! leaves the bus on `AT+QDOWNLOAD=1`, comes back at the same topology path as a boot ROM, loads helpers into
//! its RAM, programs a flash array, and afterwards runs what was written. It is strict about everything the
//! specifications say a module checks, and faithful about what it does not check. Faults are given to it by
//! name ([`Fault`]).
//!
//! It is written from the specifications alone and shares no code with the host side, so that an error in a
//! host codec is not cancelled by the same error here. It never opens a real serial port.
//!
//! ```no_run
//! use std::time::Duration;
//! use qpyflash_virtual::{AsrModule, EigencommModule, Mode, UnisocChip, UnisocModule, VirtualBus};
//!
//! let bus = VirtualBus::temporary()?;
//! let module = AsrModule::builder("EC600NCNLAR03A07M08_OCPU_QPY").attach(&bus)?;
//! module.wait_for_mode(Mode::Run, Duration::from_secs(5))?;
//! let other = UnisocModule::builder(UnisocChip::Uis8910, "EC600UCNLBR03A01M08_OCPU_QPY")
//!     .topology("1-4.3")
//!     .attach(&bus)?;
//! let third = EigencommModule::builder("EC600ECNLCR01A01M04_OCPU_QPY")
//!     .topology("1-4.4")
//!     .attach(&bus)?;
//! // Start the host program with `bus.environment()` set, and look at `module.flash()` afterwards.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg(unix)]

mod afflictions;
mod asr;
mod at;
mod bare;
mod binpkg;
mod builder;
mod bus;
mod crc;
mod diag;
mod eigencomm;
mod fault;
mod identity;
mod life;
mod link_model;
mod module;
mod outbox;
mod pac;
mod package;
mod port;
mod pty;
mod repl;
mod shared;
mod socket;
mod uart;
mod unisoc;

pub use asr::{Asr, AsrModule, AsrModuleBuilder, Flash, Variant};
pub use at::{AtOptions, QdownloadReply};
pub use bare::{Away, BareModule};
pub use binpkg::{BinpkgEntry, EigencommPackage};
pub use builder::VirtualModuleBuilder;
pub use bus::{BUS_VARIABLE, VirtualBus};
pub use eigencomm::{
    AgentKind, Eigencomm, EigencommFlash, EigencommModule, EigencommModuleBuilder, FlashChip, RunShape, WayIn,
};
pub use fault::{Effect, EigencommRequest, EigencommStage, Fault, Point, Request, Stage};
pub use identity::Identity;
pub use life::{Memory, Platform};
pub use link_model::LinkModel;
pub use module::{Timeout, VirtualModule};
pub use pac::{PacEntry, UnisocPackage};
pub use package::{AsrPackage, Chip, Scale};
pub use repl::ReplOptions;
pub use shared::{Counters, Mode, Role};
pub use socket::{Enumerated, EnumeratedInterface, Pipe, Plugged, Socket};
pub use uart::UartAdapter;
pub use unisoc::{NvItems, Unisoc, UnisocChip, UnisocFlash, UnisocModule, UnisocModuleBuilder};
