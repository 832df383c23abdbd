//! `qpyflash reset`

use clap::Args;
use qpyflash::event::Events;
use qpyflash::link::Cancel;
use qpyflash::module::{Deadlines, find};
use qpyflash::{Error, flash, fleet};

use super::options::{Global, Target};
use super::printer::{Form, Printer};
use super::progress;

/// Options of `reset`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub target: Target,
}

pub fn run(arguments: &Arguments, global: &Global, printer: &Printer) -> Result<u8, Error> {
    let Target { port, path, baud } = arguments.target.clone();
    let cancel = Cancel::default();
    let settings = global.settings(&cancel)?;
    let mut events = Events::new(progress::aside(printer));
    let module = fleet::conduct(&cancel, move || {
        let module = find(port.as_deref(), path.as_ref(), settings.transport)?;
        flash::reset(&module, baud, &Deadlines::default(), &settings, &mut events)
    })??;
    match printer.form {
        Form::Text => printer.result(&format!(
            "the module on {} has restarted and answers",
            module.place()
        )),
        _ => printer.json(&serde_json::json!({
            "schema": 1,
            "module": module.place(),
            "topology": module.topology(),
            "port": module.port,
        })),
    }
    Ok(0)
}
