//! `attach`: a virtual module held by hand, for trying the host program against it.

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};
use qpyflash_virtual::{
    AsrModule, AsrModuleBuilder, AtOptions, EigencommModule, EigencommModuleBuilder, Fault, LinkModel, Mode,
    Platform, ReplOptions, RunShape, Socket, UartAdapter, UnisocChip, UnisocModule, UnisocModuleBuilder,
    Variant, VirtualBus, VirtualModule, VirtualModuleBuilder, WayIn,
};

use crate::interrupt::watch_for_interrupt;

/// How soon Ctrl-C is noticed.
const GLANCE: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub struct Arguments {
    /// Directory that plays the USB bus; made when it does not exist
    #[arg(long, value_name = "DIR")]
    bus: PathBuf,
    /// Where the module is plugged in
    #[arg(long, value_name = "PATH", default_value = "1-4.2")]
    topology: String,
    /// What kind of module it is
    #[arg(long, value_enum, default_value_t = Kind::Asr)]
    platform: Kind,
    /// Which loader serves download mode of an ASR module
    #[arg(long, value_enum, default_value_t = Loader::Rom1603)]
    variant: Loader,
    /// Date of boot2, for `--variant boot2-1601`
    #[arg(long, value_name = "DATE", default_value = "2021.02.03")]
    boot2: String,
    /// Revision of the firmware that runs [default: QuecPython of a module of that platform]
    #[arg(long, value_name = "REV", conflicts_with = "blank")]
    revision: Option<String>,
    /// Without firmware: an ASR module crash-loops, a Unisoc module stays in its boot ROM, an Eigencomm module is dead
    /// unless its boot pin is held
    #[arg(long)]
    blank: bool,
    /// Speed of the line
    #[arg(long, value_name = "MODEL", default_value = "instant", value_parser = parse_speed)]
    speed: LinkModel,
    /// Turn-round time of the module, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    turn_round: u64,
    /// Speed of erasing and programming, in bytes per second [default: at once]; an Eigencomm module takes its own time
    /// whatever the rate
    #[arg(long, value_name = "RATE")]
    programming: Option<u64>,
    /// Is in download mode from the start
    #[arg(long)]
    in_download: bool,
    /// The boot pin is held, for good
    #[arg(long)]
    boot_pin: bool,
    /// Is attached by a UART adapter instead of its own USB: one port beside the bus, which stays in both modes
    #[arg(long)]
    uart: bool,
    /// Has CDC-ACM ports in run mode, as the firmware of 2021; Eigencomm only
    #[arg(long)]
    cdc_acm: bool,
    /// Which AT command leads to download mode; Eigencomm only
    #[arg(long, value_enum, default_value_t = Way::Qdownload)]
    way_in: Way,
    /// Refuses what a real module lets pass and that harms it; Eigencomm only
    #[arg(long)]
    strict: bool,
    /// Stays in download mode after a write, until it is attached again; ASR only
    #[arg(long)]
    stays_in_download: bool,
    /// Puts unsolicited lines between AT replies
    #[arg(long)]
    unsolicited: bool,
    /// `main.py` runs on the REPL
    #[arg(long)]
    script: bool,
    /// The REPL is locked
    #[arg(long)]
    repl_locked: bool,
    /// A fault, as in `flash@3=refuse:no room`, `data:4096@2=power-loss`, `programming=slow:2500`, and on Unisoc
    /// modules `fdl2.erase=nak:97`, `fdl1.midst@2=lose-reply`, on Eigencomm modules `ec.rom.sync=ignore-syncs:3`,
    /// `ec.lpc.burn-one=nak:98`, `ec.ag.done@2=lose-reply`; repeatable
    #[arg(long, value_name = "POINT@NTH=EFFECT")]
    fault: Vec<Fault>,
}

/// What kinds of modules there are.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    Asr,
    Unisoc8910,
    Unisoc8850,
    Eigencomm,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Way {
    Qdownload,
    Ecrst,
    BootPin,
}

impl Kind {
    fn default_revision(self) -> &'static str {
        match self {
            Kind::Asr => "EC600NCNLAR03A07M08_OCPU_QPY",
            Kind::Unisoc8910 => "EC600UCNLBR03A01M08_OCPU_QPY",
            Kind::Unisoc8850 => "EC800GCNLDR01A01M04_OCPU_QPY",
            Kind::Eigencomm => "EC600ECNLCR01A01M04_OCPU_QPY",
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Loader {
    Rom1603,
    #[value(name = "boot2-1601")]
    Boot2Of1601,
    Rom1601,
}

fn parse_speed(name: &str) -> Result<LinkModel, String> {
    let known = || LinkModel::NAMED.map(|(name, _)| name).join(", ");
    LinkModel::named(name).ok_or_else(|| format!("the link models are {}", known()))
}

/// Keeps the module attached, and prints what becomes of it, until Ctrl-C or SIGTERM.
pub fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let bus = VirtualBus::create(&arguments.bus)?;
    let interrupted = watch_for_interrupt()?;
    let (variable, path) = bus.environment();
    println!("export {variable}={}", path.display());
    match arguments.uart {
        true => plug_in(arguments, &UartAdapter::new()?, &interrupted),
        false => plug_in(arguments, &bus, &interrupted),
    }
}

fn plug_in(
    arguments: &Arguments,
    socket: &(impl Socket + Clone + 'static),
    interrupted: &AtomicBool,
) -> Result<(), Box<dyn Error>> {
    match arguments.platform {
        Kind::Asr => hold(&arguments.asr().attach(socket)?, interrupted),
        Kind::Unisoc8910 => hold(
            &arguments.unisoc(UnisocChip::Uis8910).attach(socket)?,
            interrupted,
        ),
        Kind::Unisoc8850 => hold(
            &arguments.unisoc(UnisocChip::Uis8850).attach(socket)?,
            interrupted,
        ),
        Kind::Eigencomm => hold(&arguments.eigencomm().attach(socket)?, interrupted),
    }
    Ok(())
}

fn hold<P: Platform>(module: &VirtualModule<P>, interrupted: &AtomicBool) {
    let mut mode = Mode::Off;
    while !interrupted.load(Ordering::Relaxed) {
        let now = module.wait_while_mode(mode, GLANCE);
        if now != mode {
            mode = now;
            println!("{}", describe(module, mode));
        }
    }
}

impl Arguments {
    fn revision(&self) -> &str {
        let given = self.revision.as_deref();
        given.unwrap_or_else(|| self.platform.default_revision())
    }

    fn asr(&self) -> AsrModuleBuilder {
        let builder = if self.blank {
            AsrModule::blank()
        } else {
            AsrModule::builder(self.revision())
        };
        let mut builder = self.common(builder).variant(match self.variant {
            Loader::Rom1603 => Variant::Rom1603,
            Loader::Boot2Of1601 => Variant::Boot2Of1601(self.boot2.clone()),
            Loader::Rom1601 => Variant::Rom1601,
        });
        if let Some(rate) = self.programming {
            builder = builder.programming_speed(rate);
        }
        if self.stays_in_download {
            builder = builder.stays_in_download_after_reboot();
        }
        builder
    }

    fn unisoc(&self, chip: UnisocChip) -> UnisocModuleBuilder {
        let builder = if self.blank {
            UnisocModule::blank(chip)
        } else {
            UnisocModule::builder(chip, self.revision())
        };
        let builder = self.common(builder);
        match self.programming {
            Some(rate) => builder.programming_speed(rate),
            None => builder,
        }
    }

    fn eigencomm(&self) -> EigencommModuleBuilder {
        let builder = if self.blank {
            EigencommModule::blank()
        } else {
            EigencommModule::builder(self.revision())
        };
        let mut builder = self.common(builder).way_in(match self.way_in {
            Way::Qdownload => WayIn::Qdownload,
            Way::Ecrst => WayIn::EcrstOnly,
            Way::BootPin => WayIn::BootPinOnly,
        });
        if self.cdc_acm {
            builder = builder.run_shape(RunShape::CdcAcm);
        }
        if self.uart {
            builder = builder.over_uart();
        }
        if self.strict {
            builder = builder.strict();
        }
        if self.programming.is_some() {
            builder = builder.realistic_times();
        }
        builder
    }

    fn common<P: Platform>(&self, builder: VirtualModuleBuilder<P>) -> VirtualModuleBuilder<P> {
        let turn_round = Duration::from_millis(self.turn_round);
        let mut builder = builder
            .topology(&self.topology)
            .link(self.speed.with_turn_round(turn_round))
            .at(AtOptions {
                unsolicited: self.unsolicited,
                ..AtOptions::default()
            })
            .repl(ReplOptions {
                running_script: self.script,
                locked: self.repl_locked,
            });
        if self.boot_pin {
            builder = builder.boot_pin();
        }
        if self.in_download {
            builder = builder.starts_in_download();
        }
        self.fault
            .iter()
            .cloned()
            .fold(builder, VirtualModuleBuilder::fault)
    }
}

fn describe<P: Platform>(module: &VirtualModule<P>, mode: Mode) -> String {
    let place = module.topology();
    let mut text = match mode {
        Mode::Run => format!("{place}  runs {}", module.revision().unwrap_or_default()),
        Mode::Download => format!("{place}  is in download mode"),
        Mode::Off => format!("{place}  has left the bus"),
    };
    for (role, node) in module.ttys() {
        text.push_str(&format!("\n    {role:?}: {}", node.display()));
    }
    text
}
