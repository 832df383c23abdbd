//! Is the station ready? Every slot has a module that can be read, and the package may go onto it. Nothing is written.

use super::config::{Config, Slot};
use super::label::Scans;
use super::slot::request;
use super::stock::Stock;
use crate::error::Error;
use crate::event::Events;
use crate::flash::{self, Outcome, Request, ScannedLabel};
use crate::identity::OrderingCode;
use crate::link::Settings;
use crate::module;

/// How the check of one slot ended.
#[derive(Debug)]
pub struct SlotEnd {
    /// The slot.
    pub slot: String,
    /// What was found.
    pub outcome: Outcome,
}

/// Checks the slots one after the other.
///
/// # Errors
/// Those of [`Stock::load`]; what is wrong with a slot is in its outcome.
pub fn check(config: &Config, slots: &[Slot], settings: &Settings) -> Result<Vec<SlotEnd>, Error> {
    let stock = Stock::load(config)?;
    let check = |slot: &Slot| SlotEnd {
        slot: slot.name.clone(),
        outcome: of_slot(slot, &stock, settings).unwrap_or_else(Outcome::of_error),
    };
    Ok(slots.iter().map(check).collect())
}

fn of_slot(slot: &Slot, stock: &Stock, settings: &Settings) -> Result<Outcome, Error> {
    let label = match &slot.ordering_code {
        Some(_) => Some(Scans::default().expected(slot)?.ordering_code),
        None => None,
    };
    let code = match &label {
        Some(code) => code.clone(),
        None => reported(slot, settings)?,
    };
    let (product, package) = stock.product_for(&code)?;
    let request = Request {
        label,
        scan: Some(ScannedLabel::default()),
        ..request(slot, product)
    };
    Ok(flash::check_package(package, &request, settings, quiet()))
}

/// Where the label will be scanned later, the module's own word stands for it.
fn reported(slot: &Slot, settings: &Settings) -> Result<OrderingCode, Error> {
    let module = module::find(slot.place.port(), slot.place.path(), settings.transport)?;
    let identity = flash::identify_alone(&module, slot.tuning.baud(), settings, &mut quiet())?;
    identity.ordering_code.ok_or_else(|| {
        let text = format!("the module on {} does not say which one it is", module.place());
        Error::new(crate::Kind::UnknownModule, text).at(module.place())
    })
}

fn quiet() -> Events {
    Events::new(Box::new(|_| {}))
}
