//! `qpyflash identify`

use clap::Args;
use qpyflash::event::Events;
use qpyflash::identity::Identity;
use qpyflash::link::Cancel;
use qpyflash::{Error, flash, fleet, module};

use super::options::{Global, Target};
use super::printer::{Form, Printer};
use super::progress;

/// Options of `identify`.
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
    let (place, identity) = fleet::conduct(&cancel, move || {
        let module = module::find(port.as_deref(), path.as_ref(), settings.transport)?;
        flash::identify_alone(&module, baud, &settings, &mut events)
            .map(|identity| (module.place(), identity))
    })??;
    match printer.form {
        Form::Text => printer.result(&text(&place, &identity)),
        _ => printer.json(&serde_json::json!({ "schema": 1, "module": place, "identity": identity })),
    }
    Ok(0)
}

fn text(place: &str, identity: &Identity) -> String {
    let code = identity
        .ordering_code
        .as_ref()
        .map_or("unknown".into(), ToString::to_string);
    let rows = [
        ("module", Some(place.to_owned())),
        ("ordering code", Some(code)),
        ("revision", identity.revision_text.clone()),
        ("IMEI", identity.imei.clone()),
        ("serial number", identity.serial_number.clone()),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        text += &format!("{name:<14} {}\n", value.as_deref().unwrap_or("-"));
    }
    for note in &identity.notes {
        text += &format!("note: {note}\n");
    }
    text
}
