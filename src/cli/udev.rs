//! `qpyflash udev`

use qpyflash::Error;

use super::printer::Printer;

/// The rules, as they are shipped.
const RULES: &str = include_str!("../../udev/70-qpyflash.rules");

pub fn run(printer: &Printer) -> Result<u8, Error> {
    printer.result(RULES);
    printer.say(
        "install with:\n  qpyflash udev | sudo tee /etc/udev/rules.d/70-qpyflash.rules\n  \
         sudo udevadm control --reload && sudo udevadm trigger",
    );
    Ok(0)
}
