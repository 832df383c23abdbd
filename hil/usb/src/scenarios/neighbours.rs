//! Several devices on one hub: the one that is meant is written, the others are left alone.

use qpyflash_virtual::{Enumerated, EnumeratedInterface, Plugged, Role, Socket};

use crate::stage::{Judged, Stage, Written, ensure, words};
use crate::subject::{Kind, Setup, Subject};

pub fn hub_of_four(stage: &Stage) -> Judged {
    let kind = Kind::named("asr1603")?;
    let package = stage.package(kind)?;
    let sockets = stage.hub.hub_sockets();
    let plug = |socket: &&str| stage.plug(kind, socket, &Setup::default());
    let modules = sockets.iter().map(plug).collect::<Judged<Vec<_>>>()?;

    stage.write(&package)?.failed_with(5, "module.several")?;
    let chosen = 2;
    write_at(stage, &package, sockets[chosen])?.is_complete(kind, &*modules[chosen])?;
    let others: Vec<usize> = (0..4).filter(|socket| *socket != chosen).collect();
    for socket in &others {
        untouched(kind, &*modules[*socket])?;
    }

    std::thread::scope(|scope| {
        let package = &package;
        let write = |socket: &usize| {
            let socket = *socket;
            (
                socket,
                scope.spawn(move || write_at(stage, package, sockets[socket])),
            )
        };
        let running: Vec<_> = others.iter().map(write).collect();
        for (socket, thread) in running {
            let written = thread.join().map_err(|_| "a writing thread panicked")??;
            written.is_complete(kind, &*modules[socket])?;
        }
        Ok(())
    })
}

fn write_at(stage: &Stage, package: &str, topology: &str) -> Judged<Written> {
    stage.write(&format!("{package} --path {topology}"))
}

/// Still runs what it ran, was asked nothing, and was sent nothing in download mode.
fn untouched(kind: &Kind, subject: &dyn Subject) -> Judged {
    let revision = subject.revision();
    ensure(revision.as_deref() == Some(kind.old), || {
        format!("a neighbour runs {revision:?} now")
    })?;
    let (bytes, commands) = (subject.bytes_received_in_download_mode(), subject.at_commands());
    ensure(bytes == 0 && commands.is_empty(), || {
        format!("a neighbour got {bytes} bytes in download mode, and was asked {commands:?}")
    })
}

pub fn two_in_download(stage: &Stage) -> Judged {
    let in_download = Setup {
        in_download: true,
        ..Setup::default()
    };
    let kinds = [Kind::named("asr1603")?, Kind::named("uis8910")?];
    let (sockets, mut modules) = (stage.hub.sockets(), Vec::new());
    for (socket, kind) in kinds.into_iter().enumerate() {
        modules.push(stage.plug(kind, sockets[socket], &in_download)?);
    }
    for (socket, kind) in kinds.into_iter().enumerate() {
        let other = stage.package(kinds[1 - socket])?;
        let place = format!("--path {} --oc {}", sockets[socket], kind.ordering_code);
        let refused = stage.write(&format!("{other} {place}"))?;
        ensure(refused.ended.code == Some(6), || refused.describe())?;
        ensure(modules[socket].bytes_received_in_download_mode() == 0, || {
            "it was sent something".into()
        })?;
        let package = stage.package(kind)?;
        stage
            .write(&format!("{package} {place}"))?
            .is_complete(kind, &*modules[socket])?;
    }
    Ok(())
}

pub fn another_path(stage: &Stage) -> Judged {
    let kind = Kind::named("asr1603")?;
    let [here, .., elsewhere] = stage.hub.sockets();
    let setup = Setup {
        download_topology: Some(elsewhere.to_owned()),
        ..Setup::default()
    };
    let module = stage.plug(kind, here, &setup)?;
    let package = stage.package(kind)?;
    stage
        .write(&format!("{package} --timeout-scale 0.2"))?
        .failed_with(9, "module.download-mode")?;
    let bytes = module.bytes_received_in_download_mode();
    ensure(bytes == 0, || {
        format!("it was sent {bytes} bytes at the other path")
    })
}

/// What a Linux machine with `g_serial` shows. Source: specs/usb-and-hosts.md §1.2.
fn gadget() -> Enumerated {
    let interface = |number, class, role| EnumeratedInterface { number, class, role };
    Enumerated {
        vid: 0x0525,
        pid: 0xA4A7,
        bcd_device: "0601",
        strings: [
            Some("Linux 6.1.0 with dummy_udc"),
            Some("Gadget Serial v2.4"),
            None,
        ],
        speed: "high",
        interfaces: vec![interface(0, "02", Some(Role::Repl)), interface(1, "0a", None)],
    }
}

/// Plugs the gadget in and waits until the kernel has made its port.
pub fn plug_gadget(stage: &Stage, topology: &str) -> Judged<Plugged> {
    let stranger = words(stage.hub.plug(topology, &gadget()))?;
    let look = format!("ls /sys/bus/usb/devices/{topology}:1.0/tty 2>/dev/null; true");
    stage.wait("port of the gadget", || {
        Ok(stage.shell(&look)?.starts_with("ttyACM"))
    })?;
    Ok(stranger)
}

pub fn stranger(stage: &Stage) -> Judged {
    let [here, beside, ..] = stage.hub.sockets();
    let stranger = plug_gadget(stage, beside)?;
    let kind = Kind::named("uis8910")?;
    let package = stage.package(kind)?;
    let alone = stage.write(&format!("{package} --oc {}", kind.ordering_code))?;
    alone.failed_with(4, "module.missing")?;

    let in_download = Setup {
        in_download: true,
        ..Setup::default()
    };
    let module = stage.plug(kind, here, &in_download)?;
    let beside = stage.write(&format!("{package} --oc {}", kind.ordering_code))?;
    beside.is_complete(kind, &*module)?;
    let mut heard = [0; 64];
    for pipe in &stranger.pipes {
        let count = words(pipe.read(&mut heard))?;
        ensure(count == 0, || {
            format!("the gadget was sent {:02x?}", &heard[..count])
        })?;
    }
    Ok(())
}
