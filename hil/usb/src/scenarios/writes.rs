//! One module, written from run mode through download mode to the new revision.

use crate::stage::{Judged, Stage};
use crate::subject::{Kind, Setup};

pub fn asr(stage: &Stage) -> Judged {
    write(stage, "asr1603")
}

fn write(stage: &Stage, name: &str) -> Judged {
    let kind = Kind::named(name).ok_or("no such kind")?;
    let subject = stage.plug(kind, 0, &Setup::default())?;
    let package = stage.package(kind)?;
    let written = stage.write(&package)?;
    written.is_complete(kind, &*subject)?;
    let rate = written.rate().unwrap_or_default();
    stage.figure(format!("{name} {rate:.2} MB/s"));
    Ok(())
}
