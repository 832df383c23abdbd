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
    /// EC600UCNLB: UIS8910
    Unisoc8910,
    /// EC800GCNLD: UIS8850
    Unisoc8850,
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
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use qpyflash::link::Cancel;
    use qpyflash::{Error, Kind, fleet};
    use qpyflash_virtual::{
        AsrModule, AsrPackage, BUS_VARIABLE, Chip, LinkModel, Mode, Scale, UnisocChip, UnisocModule,
        UnisocPackage, Variant, VirtualBus,
    };

    use super::super::options::Global;
    use super::super::printer::{Form, Printer};
    use super::{Arguments, Platform, Speed};

    /// What a stage play needs: the module's firmware before, the package it takes, the one it must refuse.
    struct Cast {
        before: &'static str,
        right: (&'static str, &'static str),
        wrong: (&'static str, &'static str),
    }

    const EC600N: Cast = Cast {
        before: "EC600NCNLAR03A06M08",
        right: ("QPY_OCPU_V0006_EC600N_CNLA_FW", "EC600NCNLAR03A07M08_OCPU_QPY"),
        wrong: ("QPY_OCPU_V0001_EC600N_CNLF_FW", "EC600NCNLFR01A01M16_OCPU_QPY"),
    };
    const EC600S: Cast = Cast {
        before: "EC600SCNAAR01A01M16",
        right: ("QPY_OCPU_V0003_EC600S_CNAA_FW", "EC600SCNAAR01A02V03M16_OCPU_PY"),
        wrong: ("QPY_OCPU_V0001_EC600S_CNLB_FW", "EC600SCNLBR01A01M08_OCPU_PY"),
    };
    const EC600U: Cast = Cast {
        before: "EC600UCNLBR03A02M08",
        right: ("QPY_OCPU_V0004_EC600U_CNLB_FW", "EC600UCNLBR03A04M08_OCPU_QPY"),
        wrong: ("QPY_OCPU_BETA0001_EC600U_CNLC_FW", "EC600UCNLCR03A01M08_OCPU_QPY"),
    };
    const EC800G: Cast = Cast {
        before: "EC800GCNLDR01A01M04",
        right: ("QPY_OCPU_V0001_EC800G_CNLD_FW", "EC800GCNLDR02A01M04_OCPU_QPY"),
        wrong: ("QPY_OCPU_V0001_EC800G_CNGA_FW", "EC800GCNGAR01A01M08_OCPU_QPY"),
    };

    const START_WITHIN: Duration = Duration::from_secs(10);

    /// Parts of the flash that must hold what the package says.
    type Expected = Vec<(String, Vec<u8>)>;

    /// A virtual module, whatever its platform.
    trait Player {
        fn revision(&self) -> Option<String>;
        fn bytes_received_in_download_mode(&self) -> u64;
        /// The names of the parts that do not hold what they should.
        fn differing(&self) -> Vec<String>;
        fn parts(&self) -> usize;
    }

    struct Asr(AsrModule, Expected);

    impl Player for Asr {
        fn revision(&self) -> Option<String> {
            self.0.revision()
        }
        fn bytes_received_in_download_mode(&self) -> u64 {
            self.0.bytes_received_in_download_mode()
        }
        fn differing(&self) -> Vec<String> {
            let holds = |(name, bytes): &&(String, Vec<u8>)| self.0.partition(name).as_ref() == Some(bytes);
            self.1
                .iter()
                .filter(|part| !holds(part))
                .map(|(name, _)| name.clone())
                .collect()
        }
        fn parts(&self) -> usize {
            self.1.len()
        }
    }

    struct UnisocPlayer(UnisocModule, Vec<(String, u32, Vec<u8>)>);

    impl Player for UnisocPlayer {
        fn revision(&self) -> Option<String> {
            self.0.revision()
        }
        fn bytes_received_in_download_mode(&self) -> u64 {
            self.0.bytes_received_in_download_mode()
        }
        fn differing(&self) -> Vec<String> {
            let holds = |(_, address, bytes): &&(String, u32, Vec<u8>)| {
                self.0.region(*address, bytes.len()).as_ref() == Some(bytes)
            };
            self.1
                .iter()
                .filter(|part| !holds(part))
                .map(|(name, ..)| name.clone())
                .collect()
        }
        fn parts(&self) -> usize {
            self.1.len()
        }
    }

    /// Puts the two packages on the bus's folder and attaches the module.
    fn stage(arguments: &Arguments, bus: &VirtualBus) -> Result<(Cast, Box<dyn Player>), Error> {
        let line = link(arguments.speed);
        match arguments.platform {
            Platform::Asr => stage_asr(EC600N, Chip::Asr1603, Variant::Rom1603, line, bus),
            Platform::Asr1601Boot2 => stage_asr(
                EC600S,
                Chip::Asr1601,
                Variant::Boot2Of1601("2021.01.17".into()),
                line,
                bus,
            ),
            Platform::Unisoc8910 => stage_unisoc(EC600U, UnisocChip::Uis8910, line, bus),
            Platform::Unisoc8850 => stage_unisoc(EC800G, UnisocChip::Uis8850, line, bus),
        }
    }

    fn stage_asr(
        cast: Cast,
        chip: Chip,
        variant: Variant,
        line: LinkModel,
        bus: &VirtualBus,
    ) -> Result<(Cast, Box<dyn Player>), Error> {
        let package = |(name, revision): (&str, &str)| {
            let package = AsrPackage::generate(revision, chip, Scale::Realistic);
            save(bus, name, package.public_zip(name)).map(|()| package)
        };
        package(cast.wrong)?;
        let expected = package(cast.right)?.expected_partitions().into_iter().collect();
        let builder = AsrModule::builder(cast.before).variant(variant).link(line);
        let module = builder
            .attach(bus)
            .map_err(|why| failed("attach the virtual module", why))?;
        started(module.wait_for_mode(Mode::Run, START_WITHIN))?;
        Ok((cast, Box::new(Asr(module, expected))))
    }

    fn stage_unisoc(
        cast: Cast,
        chip: UnisocChip,
        line: LinkModel,
        bus: &VirtualBus,
    ) -> Result<(Cast, Box<dyn Player>), Error> {
        let package = |(name, revision): (&str, &str)| {
            let package = UnisocPackage::generate(revision, chip, Scale::Realistic);
            save(bus, name, package.public_bin_zip(name)).map(|()| package)
        };
        package(cast.wrong)?;
        let expected = package(cast.right)?.expected_regions();
        let builder = UnisocModule::builder(chip, cast.before).link(line);
        let module = builder
            .attach(bus)
            .map_err(|why| failed("attach the virtual module", why))?;
        started(module.wait_for_mode(Mode::Run, START_WITHIN))?;
        Ok((cast, Box::new(UnisocPlayer(module, expected))))
    }

    fn save(bus: &VirtualBus, name: &str, zip: std::io::Result<Vec<u8>>) -> Result<(), Error> {
        let path = bus.path().join(format!("{name}.zip"));
        zip.and_then(|zip| std::fs::write(path, zip))
            .map_err(|why| failed("make a package", why))
    }

    fn started(waited: Result<(), qpyflash_virtual::Timeout>) -> Result<(), Error> {
        waited.map_err(|why| failed("start the virtual module", why))
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
        let bus = VirtualBus::temporary().map_err(|why| failed("make a virtual bus", why))?;
        let (cast, module) = stage(arguments, &bus)?;

        printer.say(&format!(
            "a virtual module is attached: it runs `{}`\n",
            cast.before
        ));
        printer.say("--- a package for another submodel is offered:");
        let refusal = qpyflash_on(&bus, cast.wrong.0, global, printer)?;
        let untouched = module.bytes_received_in_download_mode() == 0;
        expect(
            refusal.code == 6 && untouched,
            "the wrong package was not refused",
        )?;

        printer.say("\n--- the package for this module is written:");
        let write = qpyflash_on(&bus, cast.right.0, global, printer)?;
        if write.code != 0 {
            return Ok(write.code);
        }
        let differing = module.differing();
        expect(
            differing.is_empty(),
            &format!("the flash differs from the package in {}", differing.join(", ")),
        )?;
        expect(
            module.revision().as_deref() == Some(cast.right.1),
            "the module does not run the new firmware",
        )?;
        let parts = module.parts();
        printer.say(&format!(
            "\nall {parts} parts of the virtual module's flash hold what the package says"
        ));
        if printer.form == Form::Json {
            printer
                .json(&serde_json::json!({ "schema": 1, "refusal": refusal.result, "write": write.result }));
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
