//! `qpyflash list`

use std::time::Instant;

use clap::Args;
use qpyflash::event::Events;
use qpyflash::identity::Identity;
use qpyflash::link::{Cancel, Settings};
use qpyflash::module::{
    Attached, Bus, Change, Inventory, Listed, Mode, Other, find, follow, inventory, usb_ids::Role,
};
use qpyflash::{Error, Kind, flash, fleet};
use serde::Serialize;

use super::options::Global;
use super::printer::{Form, Printer};
use super::progress;

/// Options of `list`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Ask each module in run mode what it is
    #[arg(long, conflicts_with = "watch")]
    pub identify: bool,
    /// Go on, and show what is plugged in and unplugged, until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
}

/// A module, and what it has said.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    listed: Listed,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<Identity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_error: Option<String>,
}

pub fn run(arguments: &Arguments, global: &Global, printer: &Printer) -> Result<u8, Error> {
    if arguments.watch {
        return watch(printer);
    }
    let cancel = Cancel::default();
    let settings = global.settings(&cancel)?;
    let Inventory { modules, others } = inventory(&Bus::current())?;
    let (identify, mut events) = (arguments.identify, Events::new(progress::aside(printer)));
    let modules = fleet::conduct(&cancel, move || {
        let shown = |listed| show(listed, identify, &settings, &mut events);
        modules
            .into_iter()
            .map(shown)
            .collect::<Result<Vec<Shown>, Error>>()
    })??;
    match printer.form {
        Form::Text => text(&modules, &others, printer),
        _ => printer.json(&serde_json::json!({ "schema": 1, "modules": modules, "others": others })),
    }
    Ok(0)
}

/// A module that does not say what it is is listed all the same, with its reason.
fn show(listed: Listed, identify: bool, settings: &Settings, events: &mut Events) -> Result<Shown, Error> {
    let mut shown = Shown {
        listed,
        identity: None,
        identity_error: None,
    };
    if identify && shown.listed.module.mode == Mode::Run {
        let module = find(None, Some(&shown.listed.module.topology), settings.transport);
        match module.and_then(|module| flash::identify_alone(&module, 115_200, settings, events)) {
            Ok(identity) => shown.identity = Some(identity),
            Err(error) if error.kind == Kind::Interrupted => return Err(error),
            Err(error) => shown.identity_error = Some(error.to_string()),
        }
    }
    Ok(shown)
}

fn text(modules: &[Shown], others: &[Other], printer: &Printer) {
    if modules.is_empty() {
        printer.result("no module is attached");
        printer.say("`qpyflash doctor` says what to check");
    }
    for shown in modules {
        printer.result(&describe(shown));
    }
    for other in others {
        let ports: Vec<String> = other
            .ports
            .iter()
            .map(|port| format!("  {}", port.display()))
            .collect();
        printer.result(&format!(
            "{}  {}  {}{}",
            other.topology,
            other.usb_id,
            other.what,
            ports.concat()
        ));
    }
}

fn describe(shown: &Shown) -> String {
    let module = &shown.listed.module;
    let mut text = heading(module) + "\n";
    if let Some(identity) = &shown.identity {
        let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        let code = identity.ordering_code.as_ref().map(ToString::to_string);
        text += &format!(
            "    {}  {}  IMEI {}\n",
            code.as_deref().unwrap_or("ordering code unknown"),
            known(&identity.revision_text),
            known(&identity.imei)
        );
    }
    if let Some(error) = &shown.identity_error {
        text += &format!("    does not say what it is: {error}\n");
    }
    for port in &module.ports {
        let role = port.role.map_or("other", Role::word);
        let blocked = shown
            .listed
            .blocked
            .iter()
            .find(|blocked| blocked.path == port.path);
        let why = blocked.map_or(String::new(), |blocked| format!("  {}", blocked.by));
        text += &format!("    {role:<9} {}{why}\n", port.path.display());
    }
    for unbound in &module.unbound {
        let (role, number) = (unbound.role.word(), unbound.interface);
        text += &match &unbound.driver {
            Some(driver) => format!("    {role:<9} no port: `{driver}` has interface {number}\n"),
            None => format!(
                "    {role:<9} no port: no driver has bound interface {number}; see `qpyflash doctor`\n"
            ),
        };
    }
    text
}

fn heading(module: &Attached) -> String {
    format!(
        "{}  {}  {}  ({})",
        module.topology,
        module.usb_id,
        module.mode.words(),
        module.modules
    )
}

/// One event of `list --watch`.
#[derive(Serialize)]
struct Event {
    schema: u32,
    seq: u64,
    t: f64,
    #[serde(flatten)]
    change: Change,
}

fn watch(printer: &Printer) -> Result<u8, Error> {
    if printer.form == Form::Json {
        let text = "`--json` prints one object, and `--watch` has no end";
        return Err(Error::new(Kind::Usage, text).hint("use `--jsonl`: one line for each event"));
    }
    let cancel = Cancel::default();
    let (printer, stop) = (printer.clone(), cancel.clone());
    let (began, mut seq) = (Instant::now(), 0);
    fleet::conduct(&cancel, move || {
        follow(&Bus::current(), &stop, |change| {
            let heard = match printer.form {
                Form::Text => printer.line(&sentence(&change)),
                _ => printer.json_line(&Event {
                    schema: 1,
                    seq,
                    t: began.elapsed().as_secs_f64(),
                    change,
                }),
            };
            seq += 1;
            heard
        })
    })??;
    Ok(0)
}

fn sentence(change: &Change) -> String {
    let (sign, module) = match change {
        Change::Attached(module) => ("+", module),
        Change::Changed(module) => ("~", module),
        Change::Detached(module) => ("-", module),
    };
    let ports = match change {
        Change::Detached(_) => String::new(),
        _ => {
            let named = module.ports.iter().map(|port| {
                let role = port.role.map_or("other", Role::word);
                format!("  {role} {}", port.path.display())
            });
            named.collect()
        }
    };
    format!("{sign} {}{ports}", heading(module))
}
