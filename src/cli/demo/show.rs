//! The play: a refusal, then a write, each by this very program.

use std::process::{Command, Stdio};

use clap::ValueEnum;
use qpyflash::link::Cancel;
use qpyflash::{Error, Kind, fleet};
use qpyflash_virtual::{BUS_VARIABLE, VirtualBus};

use super::super::options::Global;
use super::super::printer::{Form, Printer};
use super::Arguments;
use super::stage::{failed, stage};

pub fn run(arguments: &Arguments, global: &Global, printer: &Printer) -> Result<u8, Error> {
    let bus = VirtualBus::temporary().map_err(|why| failed("make a virtual bus", why))?;
    let (cast, player) = stage(arguments, &bus)?;

    printer.say(&format!(
        "a virtual module is attached: it runs `{}`\n",
        cast.before
    ));
    printer.say("--- a package for another submodel is offered:");
    let refusal = qpyflash_on(&bus, cast.wrong.0, global, printer)?;
    let untouched = player.bytes_received_in_download_mode() == 0;
    expect(
        refusal.code == 6 && untouched,
        "the wrong package was not refused",
    )?;

    printer.say("\n--- the package for this module is written:");
    let write = qpyflash_on(&bus, cast.right.0, global, printer)?;
    if write.code != 0 {
        return Ok(write.code);
    }
    let differing = player.differing();
    expect(
        differing.is_empty(),
        &format!("the flash differs from the package in {}", differing.join(", ")),
    )?;
    expect(
        player.revision().as_deref() == Some(cast.right.1),
        "the module does not run the new firmware",
    )?;
    let parts = player.parts();
    printer.say(&format!(
        "\nall {parts} parts of the virtual module's flash hold what the package says"
    ));
    if printer.form == Form::Json {
        printer.json(&serde_json::json!({ "schema": 1, "refusal": refusal.result, "write": write.result }));
    }
    Ok(0)
}

struct Ended {
    code: u8,
    result: serde_json::Value,
}

/// Runs `qpyflash write FILE` on the virtual bus, as a person would type it.
fn qpyflash_on(bus: &VirtualBus, name: &str, global: &Global, printer: &Printer) -> Result<Ended, Error> {
    let program = std::env::current_exe().map_err(|why| failed("find this program", why))?;
    let file = format!("{name}.zip");
    printer.say(&format!("$ qpyflash write {file}"));
    let mut command = Command::new(program);
    command
        .arg("write")
        .arg(file)
        .current_dir(bus.path())
        .env(BUS_VARIABLE, bus.path())
        .env("QPYFLASH_BACKUP_DIR", bus.path().join("backups"));
    for variable in [
        "QPYFLASH_PORT",
        "QPYFLASH_PATH",
        "QPYFLASH_OC",
        "QPYFLASH_BEFORE",
        "QPYFLASH_TRACE",
        "QPYFLASH_FRAME",
        "QPYFLASH_FLASH_BAUD",
        "QPYFLASH_PACING",
    ] {
        command.env_remove(variable);
    }
    match printer.form {
        Form::Text => {}
        Form::Json => drop(command.arg("--json").stdout(Stdio::piped())),
        Form::JsonLines => drop(command.arg("--jsonl")),
    }
    if printer.quiet {
        command.arg("--quiet");
    }
    for _ in 0..printer.verbose {
        command.arg("-v");
    }
    command
        .arg("--timeout-scale")
        .arg(global.timeout_scale.to_string());

    if let Some(language) = global.lang.and_then(|language| language.to_possible_value()) {
        command.arg("--lang").arg(language.get_name());
    }

    // Ctrl-C reaches the child too: it stops at its next safe moment, and we wait for it.
    let cancel = Cancel::default();
    let output = fleet::conduct(&cancel, move || {
        command
            .stderr(Stdio::inherit())
            .stdin(Stdio::null())
            .spawn()?
            .wait_with_output()
    })?
    .map_err(|why| failed("run the command", why))?;
    Ok(Ended {
        code: output
            .status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
        result: serde_json::from_slice(&output.stdout).unwrap_or_default(),
    })
}

fn expect(holds: bool, otherwise: &str) -> Result<(), Error> {
    if holds {
        Ok(())
    } else {
        Err(Error::new(
            Kind::Internal,
            format!("the demo failed: {otherwise}"),
        ))
    }
}
