//! Which port of a module answers AT commands: asked in the order of the table, since firmware may put it elsewhere.

use super::prepare::OPEN_PATIENCE;
use crate::error::{Error, Kind};
use crate::event::Events;
use crate::identity::{IdentityError, Talk};
use crate::link::{Address, Line, Settings, Speech};
use crate::module::Module;
use crate::module::usb_ids::Role;
use qpyflash_protocols::WireError;

/// The port that has answered `AT`. A modem port may carry somebody's data, so it is asked once; log ports and the
/// REPL are not asked at all.
///
/// # Errors
/// The first port's error when none answers; [`Kind::LinkDenied`] and [`Kind::LinkBusy`] at once.
pub(super) fn answering(
    module: &Module,
    baud: u32,
    settings: &Settings,
    events: &mut Events,
) -> Result<Address, Error> {
    let mut first_error = None;
    for (role, port) in module.identity_ports(settings.transport) {
        if role == Some(Role::Repl) {
            continue;
        }
        let talk = match role {
            Some(Role::Modem) => Talk::ProbeOnce,
            _ => Talk::Probe,
        };
        let speech = Speech::text(talk.name());
        let mut line = Line::open(&port, baud, OPEN_PATIENCE, speech, events, settings)?;
        let answer = talk.hold(&mut line);
        drop(line);
        match answer {
            Ok(()) => return Ok(port),
            Err(error @ IdentityError::Wire(WireError::Cancelled | WireError::Gone)) => {
                return Err(Error::from(error).at(module.place()));
            }
            Err(error) => {
                let error = Error::from(error).at(module.place());
                events.note(format!("{port}: {error}"));
                first_error.get_or_insert(error);
            }
        }
    }
    Err(first_error.unwrap_or_else(|| {
        let text = format!("the module on {} has no AT port", module.place());
        Error::new(Kind::ModuleSilent, text).at(module.place())
    }))
}
