//! `qpyflash list`

use qpyflash::Error;
use qpyflash::module::{Attached, attached};

use super::printer::{Form, Printer};

pub fn run(printer: &Printer) -> Result<u8, Error> {
    let modules = attached()?;
    match printer.form {
        Form::Text if modules.is_empty() => printer.result("no module is attached"),
        Form::Text => modules
            .iter()
            .for_each(|module| printer.result(&describe(module))),
        _ => printer.json(&serde_json::json!({ "schema": 1, "modules": modules })),
    }
    Ok(0)
}

fn describe(module: &Attached) -> String {
    let mode = match module.mode {
        qpyflash::module::Mode::Run => "run mode",
        qpyflash::module::Mode::Download => "download mode",
    };
    let mut text = format!(
        "{}  {}  {mode}  ({})\n",
        module.topology, module.usb_id, module.modules
    );
    for port in &module.ports {
        let role = port
            .role
            .map_or("other".into(), |role| format!("{role:?}").to_lowercase());
        text += &format!("    {role:<9} {}\n", port.path.display());
    }
    text
}
