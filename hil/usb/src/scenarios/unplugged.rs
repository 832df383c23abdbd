//! The cable is pulled: the run ends soon, says so, and says what has been written.

use std::time::Duration;

use qpyflash_virtual::Mode;

use crate::stage::{Judged, SETTLE, Stage, ensure, fault};
use crate::subject::{Kind, Setup};

/// A run whose module has gone ends within this time. Time-outs are shortened to a tenth in these scenarios.
const SOON: Duration = Duration::from_secs(20);
const HASTE: &str = "--timeout-scale 0.1";

pub fn asr1603(stage: &Stage) -> Judged {
    in_each_phase(stage, Kind::named("asr1603")?)
}

pub fn uis8910(stage: &Stage) -> Judged {
    in_each_phase(stage, Kind::named("uis8910")?)
}

/// Pulls the cable in each phase; after the last one, which has left a torn flash, a second run completes.
fn in_each_phase(stage: &Stage, kind: &Kind) -> Judged {
    let [here, ..] = stage.hub.sockets();
    let package = stage.package(kind)?;
    for (phase, what) in kind.unplugged {
        let setup = Setup {
            fault: fault(what)?,
            ..Setup::default()
        };
        let module = stage.plug(kind, here, &setup)?;
        let written = stage.write(&format!("{package} {HASTE}"))?;
        let told = |why: &str| format!("in {phase} ({what}): {why}, {}", written.describe());
        let (exit, state) = (written.ended.code, &written.outcome["written"]["state"]);
        let wanted = match state.as_str() {
            Some("nothing" | "helpers-only") => 4,
            Some("partial") => 10,
            Some("complete") => 11,
            _ => return Err(told("it does not say what is written")),
        };
        ensure(exit == Some(wanted), || told(&format!("wanted exit {wanted}")))?;
        let hints = written.outcome["error"]["hints"].as_array().map_or(0, Vec::len);
        ensure(hints > 0, || told("no hint"))?;
        ensure(written.ended.took < SOON, || told("it took too long"))?;
        stage.figure(format!(
            "{phase}: exit {wanted}, {}, {} written, after {:.1} s",
            written.outcome["error"]["code"].as_str().unwrap_or_default(),
            state.as_str().unwrap_or_default(),
            written.ended.took.as_secs_f64()
        ));
        if state == "partial" && *phase == "write" {
            module.wait_for_mode(Mode::Off, SETTLE)?;
            // Torn flash does not boot: a person holds the BOOT key while plugging the cable in again.
            module.hold_boot_key(true);
            module.attach();
            stage.wait_for_ports(here)?;
            module.hold_boot_key(false);
            let again = format!("{package} --path {} --oc {}", here, kind.ordering_code);
            stage.write(&again)?.is_complete(kind, &*module)?;
        }
    }
    Ok(())
}

pub fn on_the_way(stage: &Stage) -> Judged {
    let kind = Kind::named("asr1603")?;
    let [here, ..] = stage.hub.sockets();
    let package = stage.package(kind)?;
    let module = stage.plug(kind, here, &Setup::default())?;
    let written = std::thread::scope(|scope| {
        let writing = scope.spawn(|| stage.write(&format!("{package} {HASTE}")));
        let left = module.wait_for_mode(Mode::Off, SETTLE);
        module.detach();
        let written = writing
            .join()
            .map_err(|_| "the writing thread panicked".to_owned())?;
        left.and(written)
    })?;
    written.failed_with(9, "module.download-mode")?;
    ensure(written.ended.took < SOON, || {
        format!("it took {:?}", written.ended.took)
    })
}
