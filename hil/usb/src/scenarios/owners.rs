//! Whose a port is: drivers that must be told an id, users that must be let in, programs that must be kept off.

use qpyflash_virtual::{Enumerated, EnumeratedInterface, Role, Socket};

use crate::stage::{Judged, Stage, ensure, words};
use crate::subject::{Kind, Setup};

/// The ordinary user of the guest.
pub const PERSON: (u32, u32) = (1000, 1000);
/// The same, in the group that owns serial ports.
const PERSON_IN_DIALOUT: (u32, u32) = (1000, 20);
/// Where an administrator puts rules.
const INSTALLED: &str = "/etc/udev/rules.d/70-qpyflash.rules";
/// Where logind says who sits at the machine; udev's `uaccess` reads it.
const SEAT: &str = "/run/systemd/seats/seat0";
/// Where `option` is told ids.
const NEW_ID: &str = "/sys/bus/usb-serial/drivers/option1/new_id";

/// Installs the rules as `qpyflash udev` prints them.
fn install_rules(stage: &Stage) -> Judged {
    stage
        .shell(&format!("qpyflash udev >{INSTALLED} && udevadm control --reload"))
        .map(drop)
}

fn remove_rules(stage: &Stage) -> Judged {
    stage
        .shell(&format!("rm -rf {INSTALLED} {SEAT} && udevadm control --reload"))
        .map(drop)
}

/// Tells `option` the ids it does not know: those of run mode as the rules do it, that of the UIS8850's download mode by
/// hand.
pub fn tell_option(stage: &Stage) -> Judged {
    let lines = ["2c7c 0904 ff", "2c7c 0903 ff", "1782 4d16 ff"];
    for line in lines {
        stage.shell(&format!(
            "grep -qi '^{}' {NEW_ID} || echo {line} >{NEW_ID}",
            &line[..9]
        ))?;
    }
    Ok(())
}

pub fn new_id(stage: &Stage) -> Judged {
    let kind = Kind::named("uis8850")?;
    let [here, ..] = stage.hub.sockets();
    let package = stage.package(kind)?;
    let has_port = |stage: &Stage| {
        let list = stage.qpyflash(&["list"])?.stdout;
        Ok::<bool, String>(list.contains("/dev/ttyUSB"))
    };
    {
        let module = stage.plug_without_ports(kind, here, &Setup::default())?;
        stage.wait("device in the list", || {
            Ok(stage.qpyflash(&["list"])?.stdout.contains("2c7c:0904"))
        })?;
        stage.shell("udevadm settle")?;
        ensure(!has_port(stage)?, || "a port without new_id".into())?;
        let written = stage.write(&format!("{package} --transport tty"))?;
        written.failed_with(4, "module.missing")?;
        let hints = written.outcome["error"]["hints"].to_string();
        ensure(hints.contains("qpyflash udev"), || format!("the hint is {hints}"))?;
        ensure(module.at_commands().is_empty(), || {
            "it was asked something".into()
        })?;
    }
    install_rules(stage)?;
    let judged = with_new_id(stage, kind, here);
    remove_rules(stage)?;
    judged
}

fn with_new_id(stage: &Stage, kind: &Kind, here: &str) -> Judged {
    let module = stage.plug(kind, here, &Setup::default())?;
    let network = stage.shell(&format!(
        "ls -d /sys/bus/usb/devices/{here}:1.0/ttyUSB* 2>/dev/null; true"
    ))?;
    ensure(network.is_empty(), || {
        format!("option has taken the network interface: {network}")
    })?;
    drop(module);
    let _eigencomm = words(stage.hub.plug(here, &eigencomm()))?;
    stage.wait_for_ports(here)?;
    let told = stage.shell(&format!("cat {NEW_ID}"))?;
    ensure(told.contains("2c7c 0904") && told.contains("2c7c 0903"), || {
        format!("option was told {told}")
    })
}

/// An EC600E in run mode, as far as drivers see it. Source: specs/eigencomm-agentboot.md §1.1.
fn eigencomm() -> Enumerated {
    let interface = |number, class, role| EnumeratedInterface { number, class, role };
    Enumerated {
        vid: 0x2C7C,
        pid: 0x0903,
        bcd_device: "0200",
        strings: [None; 3],
        speed: "high",
        interfaces: vec![
            interface(0, "02", None),
            interface(1, "0a", None),
            interface(2, "ff", Some(Role::Diag)),
            interface(3, "ff", Some(Role::At)),
        ],
    }
}

pub fn without_rules(stage: &Stage) -> Judged {
    let kind = Kind::named("asr1603")?;
    let [here, ..] = stage.hub.sockets();
    let package = stage.package(kind)?;
    let module = stage.plug(kind, here, &Setup::default())?;
    stage.shell("udevadm settle")?;
    let listed = stage.qpyflash_as(Some(PERSON), &["list"])?.stdout;
    ensure(listed.contains("2c7c:6001"), || {
        format!("a forbidden module is not listed: {listed}")
    })?;
    let written = stage.write_as(Some(PERSON), &[], &format!("{package} --transport tty"))?;
    written.failed_with(8, "link.denied")?;
    let hints = written.outcome["error"]["hints"].to_string();
    ensure(
        hints.contains("qpyflash udev") && hints.contains("dialout"),
        || format!("the hint is {hints}"),
    )?;
    ensure(module.at_commands().is_empty(), || {
        "it was asked something".into()
    })?;
    let asked = stage.qpyflash_as(Some(PERSON_IN_DIALOUT), &["identify"])?;
    ensure(
        asked.code == Some(0) && asked.stdout.contains(kind.ordering_code),
        || {
            format!(
                "a member of dialout: exit {:?}, {}{}",
                asked.code, asked.stdout, asked.stderr
            )
        },
    )
}

pub fn with_rules(stage: &Stage) -> Judged {
    install_rules(stage)?;
    let (user, _) = PERSON;
    let sits = format!(
        "mkdir -p /run/systemd/seats && printf 'ACTIVE=1\\nACTIVE_UID={user}\\nIS_SEAT0=1\\n' >{SEAT}"
    );
    let judged = stage.shell(&sits).and_then(|_| as_person(stage));
    remove_rules(stage)?;
    judged
}

fn as_person(stage: &Stage) -> Judged {
    let kind = Kind::named("asr1603")?;
    let [here, beside, ..] = stage.hub.sockets();
    let package = stage.package(kind)?;
    let module = stage.plug(kind, here, &Setup::default())?;
    let written = stage.write_as(Some(PERSON), &[], &package)?;
    written.is_complete(kind, &*module)?;
    drop(module);
    let in_download = Setup {
        in_download: true,
        ..Setup::default()
    };
    for (name, ignored) in [("asr1603", true), ("uis8910", true)] {
        let _module = stage.plug(Kind::named(name)?, here, &in_download)?;
        let told = properties(stage, here)?;
        ensure(
            told.contains("ID_MM_DEVICE_IGNORE=1") == ignored && told.contains(":uaccess:"),
            || format!("udev says of {name}: {told}"),
        )?;
    }
    let running = stage.plug(kind, here, &Setup::default())?;
    let told = properties(stage, here)?;
    ensure(
        !told.contains("ID_MM_DEVICE_IGNORE") && told.contains(":uaccess:"),
        || format!("udev says of a running module: {told}"),
    )?;
    drop(running);
    let _stranger = super::neighbours::plug_gadget(stage, beside)?;
    let told = properties(stage, beside)?;
    ensure(
        !told.contains("ID_MM_DEVICE_IGNORE") && !told.contains(":uaccess:"),
        || format!("udev says of a Linux gadget: {told}"),
    )
}

/// What udev knows of the device in a socket.
fn properties(stage: &Stage, topology: &str) -> Judged<String> {
    let path = format!("/sys/bus/usb/devices/{topology}");
    stage.shell(&format!("udevadm settle && udevadm info --query=property {path}"))
}
