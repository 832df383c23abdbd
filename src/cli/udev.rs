//! `qpyflash udev`

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use qpyflash::module::udev::{Choice, FILE, GROUPS, RELOAD, group_of, rules};
use qpyflash::{Error, Kind};

use super::printer::{Form, Printer};

/// Options of `udev`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Write the rules to /etc/udev/rules.d and make udev take them; needs root
    #[arg(long)]
    pub install: bool,
    /// Keep ModemManager away from modules in run mode, too: nobody uses them for data
    #[arg(long)]
    pub no_modem_manager: bool,
    /// Group that may open modules where nobody sits at the host
    #[arg(long, value_parser = GROUPS)]
    pub group: Option<String>,
    /// Write the rules to this file instead, and leave udev alone
    #[arg(long, value_name = "FILE", requires = "install")]
    pub file: Option<PathBuf>,
}

pub fn run(arguments: &Arguments, printer: &Printer) -> Result<u8, Error> {
    let choice = Choice {
        group: match &arguments.group {
            Some(group) => group,
            None if arguments.install => group_of(&std::fs::read_to_string("/etc/group").unwrap_or_default()),
            None => GROUPS[0],
        },
        no_modem_manager: arguments.no_modem_manager,
    };
    let text = rules(choice);
    if arguments.install {
        return install(&text, arguments, printer);
    }
    match printer.form {
        Form::Text => _ = printer.verbatim(&text),
        _ => printer.json(&serde_json::json!({ "schema": 1, "file": FILE, "rules": text })),
    }
    printer.say("install with `sudo qpyflash udev --install`");
    Ok(0)
}

fn install(text: &str, arguments: &Arguments, printer: &Printer) -> Result<u8, Error> {
    let file = arguments.file.as_deref().unwrap_or(Path::new(FILE));
    std::fs::write(file, text).map_err(|why| refused(file, &why))?;
    if arguments.file.is_none() {
        for command in RELOAD {
            reload(command)?;
        }
    }
    match printer.form {
        Form::Text => printer.result(&format!(
            "the rules are in {}; modules that are plugged in must be replugged",
            file.display()
        )),
        _ => printer.json(&serde_json::json!({ "schema": 1, "file": file })),
    }
    Ok(0)
}

/// A person without the right to write is told the command that has it.
fn refused(file: &Path, why: &std::io::Error) -> Error {
    let text = format!("cannot write {}: {why}", file.display());
    if why.kind() != std::io::ErrorKind::PermissionDenied {
        return Error::new(Kind::Usage, text)
            .hint("only a Linux host with udev takes rules; `qpyflash udev` prints them");
    }
    let more: String = std::env::args()
        .skip(1)
        .map(|argument| format!(" {argument}"))
        .collect();
    let program = std::env::current_exe().map_or("qpyflash".into(), |path| path.display().to_string());
    Error::new(Kind::LinkDenied, text).hint(format!("run `sudo {program}{more}`"))
}

fn reload(command: &[&str]) -> Result<(), Error> {
    let words = command.join(" ");
    let failed = |why: String| {
        Error::new(
            Kind::LinkFailed,
            format!("the rules are in {FILE}, but `{words}` failed: {why}"),
        )
        .hint("restart this host, or run it by hand")
    };
    let [program, arguments @ ..] = command else {
        return Ok(());
    };
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        Err(why) => Err(failed(why.to_string())),
    }
}
