//! One module, written from run mode through download mode to the new revision.

use qpyflash_virtual::{BUS_VARIABLE, Mode, VirtualBus};

use crate::hub::Hub;
use crate::scenarios::owners;
use crate::stage::{Judged, SETTLE, Stage, ensure, words};
use crate::subject::{Kind, Setup};

pub fn asr1603(stage: &Stage) -> Judged {
    write(stage, Kind::named("asr1603")?)
}

pub fn asr1601_boot2(stage: &Stage) -> Judged {
    write(stage, Kind::named("asr1601-boot2")?)
}

pub fn uis8910(stage: &Stage) -> Judged {
    write(stage, Kind::named("uis8910")?)
}

pub fn uis8850(stage: &Stage) -> Judged {
    owners::tell_option(stage)?;
    write(stage, Kind::named("uis8850")?)
}

pub fn ec618(stage: &Stage) -> Judged {
    owners::tell_option(stage)?;
    write(stage, Kind::named("ec618")?)
}

fn write(stage: &Stage, kind: &Kind) -> Judged {
    let [here, ..] = stage.hub.sockets();
    let setup = Setup {
        is_large: true,
        ..Setup::default()
    };
    let package = stage.package_for(kind, &setup)?;
    let rate = {
        let subject = stage.plug(kind, here, &setup)?;
        let written = stage.write(&package)?;
        written.is_complete(kind, &*subject)?;
        written.rate().unwrap_or_default()
    };
    let seen = stage.hub.seen();
    ensure(seen.configurations > 0 && seen.dtr_raised > 0, || {
        format!("the device has seen {seen:?}")
    })?;
    ensure(!stage.hub.shows_resets() || seen.resets > 0, || {
        format!("no bus reset: {seen:?}")
    })?;
    match over_pty(stage, kind, &setup, &package)? {
        Some(pty) => stage.figure(format!(
            "write phase {rate:.2} MB/s, over a pty on the same machine {pty:.2} MB/s"
        )),
        None => stage.figure(format!("write phase {rate:.2} MB/s")),
    }
    Ok(())
}

/// The rate of the same write over a pseudo-terminal of the same machine; none where that is another machine.
fn over_pty(stage: &Stage, kind: &Kind, setup: &Setup, package: &str) -> Judged<Option<f64>> {
    let Hub::Vhci(_) = stage.hub else {
        return Ok(None);
    };
    let bus = words(VirtualBus::temporary())?;
    let subject = words(kind.plug(&bus, "1-1", setup))?;
    subject.wait_for_mode(Mode::Run, SETTLE)?;
    let place = bus.path().display().to_string();
    let written = stage.write_as(None, &[(BUS_VARIABLE, &place)], package)?;
    written.is_complete(kind, &*subject)?;
    Ok(written.rate())
}
