//! Raw USB: what is written without a driver, what drivers get back, and whom it must not disturb.

use serde_json::Value;

use crate::scenarios::owners::PERSON;
use crate::stage::{Judged, Stage, ensure};
use crate::subject::{Kind, Setup};

const RAW: &str = "--transport usb";

/// Whose interfaces no driver takes in run mode: written all the same, the UIS8850 over raw USB to the end.
pub fn without_driver(stage: &Stage) -> Judged {
    for (name, carrier) in [("uis8850", "usb"), ("ec618", "tty")] {
        write_without_driver(stage, Kind::named(name)?, carrier)?;
    }
    Ok(())
}

fn write_without_driver(stage: &Stage, kind: &Kind, carrier: &str) -> Judged {
    let [here, ..] = stage.hub.sockets();
    let package = stage.package(kind)?;
    let module = stage.plug_without_ports(kind, here, &Setup::default())?;
    stage.wait("device in the list", || {
        Ok(stage.qpyflash(&["list"])?.stdout.contains("2c7c:"))
    })?;
    let written = stage.write(&format!("{package} --transport auto"))?;
    written.is_complete(kind, &*module)?;
    goes_over(&written.outcome, carrier)?;
    stage.figure(format!(
        "{} over {carrier}: write phase {:.2} MB/s",
        kind.name,
        written.rate().unwrap_or_default()
    ));
    Ok(())
}

fn goes_over(outcome: &Value, transport: &str) -> Judged {
    let found = &outcome["transport"];
    ensure(found == transport, || {
        format!("it went over {found}, not {transport}")
    })
}

/// `auto` prefers the driver's port.
pub fn auto_takes_ports(stage: &Stage) -> Judged {
    let kind = Kind::named("asr1603")?;
    let [here, ..] = stage.hub.sockets();
    let package = stage.package(kind)?;
    let module = stage.plug(kind, here, &Setup::default())?;
    let written = stage.write(&format!("{package} --transport auto"))?;
    written.is_complete(kind, &*module)?;
    goes_over(&written.outcome, "tty")
}

/// The driver of a vendor interface and that of a CDC pair have their interfaces again afterwards.
pub fn gives_back(stage: &Stage) -> Judged {
    let kind = Kind::named("asr1603")?;
    let [here, ..] = stage.hub.sockets();
    let package = stage.package(kind)?;
    let _module = stage.plug(kind, here, &Setup::default())?;
    stage.shell("udevadm settle")?;
    let before = drivers(stage, here)?;
    let asked = stage.qpyflash(&["identify", "--json", "--transport", "usb"])?;
    ensure(
        asked.code == Some(0) && asked.stdout.contains(&format!("usb:{here}#if3")),
        || format!("exit {:?}, {}{}", asked.code, asked.stdout, asked.stderr),
    )?;
    let after = drivers(stage, here)?;
    ensure(before == after, || format!("before\n{before}after\n{after}"))?;
    stage.write(&format!("{package} {RAW} --after stay"))?;
    stage.wait_for_ports(here)?;
    let pair = drivers(stage, here)?;
    ensure(pair.matches("cdc_acm").count() == 2, || {
        format!("in download mode: {pair}")
    })?;
    ensure(pair.contains("ttyACM"), || format!("in download mode: {pair}"))
}

/// Which driver each interface has, and which tty.
fn drivers(stage: &Stage, topology: &str) -> Judged<String> {
    stage.shell(&format!(
        "for i in /sys/bus/usb/devices/{topology}:*; do echo $i $(readlink $i/driver) $(ls -d $i/ttyUSB* \
         $i/tty/ttyACM* 2>/dev/null | sed 's/[0-9]*$//'); done"
    ))
}

/// A port that another program has open is left to it, and the program is named.
pub fn leaves_what_is_in_use(stage: &Stage) -> Judged {
    let kind = Kind::named("asr1603")?;
    let [here, ..] = stage.hub.sockets();
    let package = stage.package(kind)?;
    let module = stage.plug(kind, here, &Setup::default())?;
    stage.shell(&format!(
        "for t in /sys/bus/usb/devices/{here}:1.3/ttyUSB*; do sleep 20 <>/dev/${{t##*/}} >/dev/null 2>&1 & \
         echo $! >/tmp/holder; done"
    ))?;
    let written = stage.write(&format!("{package} {RAW}"))?;
    stage.shell("kill $(cat /tmp/holder)")?;
    written.failed_with(8, "link.busy")?;
    let message = written.outcome["error"]["message"].to_string();
    ensure(
        message.contains("/dev/ttyUSB") && message.contains("process"),
        || format!("the message is {message}"),
    )?;
    ensure(module.at_commands().is_empty(), || {
        "it was asked something".into()
    })
}

/// Who may not is told which node, whose it is, and what would help.
pub fn denied(stage: &Stage) -> Judged {
    let kind = Kind::named("asr1603")?;
    let [here, ..] = stage.hub.sockets();
    let package = stage.package(kind)?;
    let module = stage.plug(kind, here, &Setup::default())?;
    stage.shell("udevadm settle")?;
    let written = stage.write_as(Some(PERSON), &[], &format!("{package} {RAW}"))?;
    written.failed_with(8, "link.denied")?;
    let message = written.outcome["error"]["message"].to_string();
    ensure(
        message.contains("/dev/bus/usb/") && message.contains("root:root 0664"),
        || format!("the message is {message}"),
    )?;
    let hints = written.outcome["error"]["hints"].to_string();
    ensure(hints.contains("qpyflash udev"), || format!("the hint is {hints}"))?;
    ensure(module.at_commands().is_empty(), || {
        "it was asked something".into()
    })
}
