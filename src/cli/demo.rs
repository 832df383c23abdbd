//! `qpyflash demo`: the main job on an embedded virtual module.
//!
//! The virtual module sits on a virtual bus, and the commands shown are run as they are printed, by this very
//! program: nothing here knows that the module is virtual.

use clap::Args;
use qpyflash::Error;

use super::options::Global;
use super::printer::Printer;

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Platform of the virtual module
    #[arg(long, value_enum, default_value = "asr")]
    pub platform: Platform,
    /// Speed of the virtual line
    #[arg(long, value_enum, default_value = "usb-full")]
    pub speed: Speed,
}

/// Platforms with a virtual module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Platform {
    /// EC600NCNLA: ASR1603, served by the mask ROM
    Asr,
    /// EC600SCNAA: ASR1601, served by boot2 in flash
    Asr1601Boot2,
}

/// Speeds of the virtual line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Speed {
    /// 921600 baud
    Uart921600,
    /// 3 Mbaud
    Uart3m,
    /// USB full speed, 1.0 MB/s
    UsbFull,
    /// USB high speed, 30 MB/s
    UsbHigh,
    /// As fast as this machine goes
    Instant,
}

#[cfg(not(unix))]
pub fn run(_: &Arguments, _: &Global, _: &Printer) -> Result<u8, Error> {
    Err(Error::new(
        qpyflash::Kind::Usage,
        "the demo needs pseudo-terminals, which this system does not have",
    ))
}

#[cfg(unix)]
pub fn run(arguments: &Arguments, global: &Global, printer: &Printer) -> Result<u8, Error> {
    show::run(arguments, global, printer)
}

#[cfg(unix)]
mod show {
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use qpyflash::link::Cancel;
    use qpyflash::{Error, Kind, fleet};
    use qpyflash_virtual::{
        AsrModule, AsrPackage, BUS_VARIABLE, Chip, LinkModel, Mode, Scale, Variant, VirtualBus,
    };

    use super::super::options::Global;
    use super::super::printer::{Form, Printer};
    use super::{Arguments, Platform, Speed};

    /// One module with the package it takes and the one it must refuse.
    struct Cast {
        chip: Chip,
        variant: Variant,
        before: &'static str,
        right: (&'static str, &'static str),
        wrong: (&'static str, &'static str),
    }

    fn cast(platform: Platform) -> Cast {
        match platform {
            Platform::Asr => Cast {
                chip: Chip::Asr1603,
                variant: Variant::Rom1603,
                before: "EC600NCNLAR03A06M08",
                right: ("QPY_OCPU_V0006_EC600N_CNLA_FW", "EC600NCNLAR03A07M08_OCPU_QPY"),
                wrong: ("QPY_OCPU_V0001_EC600N_CNLF_FW", "EC600NCNLFR01A01M16_OCPU_QPY"),
            },
            Platform::Asr1601Boot2 => Cast {
                chip: Chip::Asr1601,
                variant: Variant::Boot2Of1601("2021.01.17".into()),
                before: "EC600SCNAAR01A01M16",
                right: ("QPY_OCPU_V0003_EC600S_CNAA_FW", "EC600SCNAAR01A02V03M16_OCPU_PY"),
                wrong: ("QPY_OCPU_V0001_EC600S_CNLB_FW", "EC600SCNLBR01A01M08_OCPU_PY"),
            },
        }
    }

    fn link(speed: Speed) -> LinkModel {
        let name = match speed {
            Speed::Uart921600 => "uart-921600",
            Speed::Uart3m => "uart-3m",
            Speed::UsbFull => "usb-full",
            Speed::UsbHigh => "usb-high",
            Speed::Instant => "instant",
        };
        LinkModel::named(name).unwrap_or_default()
    }

    pub fn run(arguments: &Arguments, global: &Global, printer: &Printer) -> Result<u8, Error> {
        let cast = cast(arguments.platform);
        let bus = VirtualBus::temporary().map_err(|why| failed("make a virtual bus", why))?;
        let package = |(name, revision): (&str, &str)| -> Result<(PathBuf, AsrPackage), Error> {
            let package = AsrPackage::generate(revision, cast.chip, Scale::Realistic);
            let path = bus.path().join(format!("{name}.zip"));
            let zip = package
                .public_zip(name)
                .map_err(|why| failed("make a package", why))?;
            std::fs::write(&path, zip).map_err(|why| failed("write a package", why))?;
            Ok((path, package))
        };
        let (wrong, _) = package(cast.wrong)?;
        let (right, contents) = package(cast.right)?;
        let module = AsrModule::builder(cast.before)
            .variant(cast.variant.clone())
            .link(link(arguments.speed))
            .attach(&bus)
            .map_err(|why| failed("attach the virtual module", why))?;
        module
            .wait_for_mode(Mode::Run, Duration::from_secs(10))
            .map_err(|why| failed("start the virtual module", why))?;

        printer.say(&format!(
            "a virtual module is attached at {}: it runs `{}`\n",
            module.topology(),
            cast.before
        ));
        printer.say("--- a package for another submodel is offered:");
        let refusal = qpyflash_on(&bus, &wrong, global, printer)?;
        expect(
            refusal.code == 6 && module.bytes_received_in_download_mode() == 0,
            "the wrong package was not refused",
        )?;
        printer.say("\n--- the package for this module is written:");
        let write = qpyflash_on(&bus, &right, global, printer)?;
        if write.code != 0 {
            return Ok(write.code);
        }
        let partitions = compare(&module, &contents)?;
        expect(
            module.revision().as_deref() == Some(cast.right.1),
            "the module does not run the new firmware",
        )?;
        printer.say(&format!(
            "\nall {partitions} partitions of the virtual module's flash hold what the package says"
        ));
        if printer.form == Form::Json {
            printer
                .json(&serde_json::json!({ "schema": 1, "refusal": refusal.result, "write": write.result }));
        }
        Ok(0)
    }

    /// Compares the module's flash with the package, partition by partition.
    fn compare(module: &AsrModule, package: &AsrPackage) -> Result<usize, Error> {
        let expected = package.expected_partitions();
        for (name, contents) in &expected {
            expect(
                module.partition(name).as_deref() == Some(contents),
                &format!("partition `{name}` does not hold what the package says"),
            )?;
        }
        Ok(expected.len())
    }

    struct Ended {
        code: u8,
        result: serde_json::Value,
    }

    /// Runs `qpyflash write FILE` on the virtual bus, as a person would type it.
    fn qpyflash_on(
        bus: &VirtualBus,
        file: &Path,
        global: &Global,
        printer: &Printer,
    ) -> Result<Ended, Error> {
        let program = std::env::current_exe().map_err(|why| failed("find this program", why))?;
        let name = file.file_name().unwrap_or_default();
        printer.say(&format!("$ qpyflash write {}", name.display()));
        let mut command = Command::new(program);
        command
            .arg("write")
            .arg(name)
            .current_dir(bus.path())
            .env(BUS_VARIABLE, bus.path());
        for variable in [
            "QPYFLASH_PORT",
            "QPYFLASH_PATH",
            "QPYFLASH_OC",
            "QPYFLASH_BEFORE",
            "QPYFLASH_TRACE",
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

    fn failed(what: &str, why: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::new(Kind::Internal, format!("the demo cannot {what}: {why}")).caused_by(why)
    }
}
