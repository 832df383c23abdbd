//! Says a recorded run again, and finds where it would say something else today.

use qpyflash_protocols::{Phase, Platform};
use serde::Serialize;

use super::Difference;
use super::record::{Event, SESSION, What};
use super::recording::{Line, Recording};
use super::wire::Replay;
use crate::error::{Error, Kind};
use crate::firmware::{Package, sha256};
use crate::flash::{self, NvBackup, SessionOptions};
use crate::identity::Talk;

/// What a recording does not hold itself.
#[derive(Debug, Default)]
pub struct With<'a> {
    /// The package.
    pub package: Option<&'a Package>,
    /// The package may be another one than was recorded.
    pub any_package: bool,
    /// The NV backup that was at hand.
    pub nv_backup: Option<NvBackup>,
    /// Bytes of one frame to the loader, for recordings of other tools.
    pub frame: Option<u16>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replayed {
    /// Openings of ports that were said again.
    pub lines: usize,
    /// How many of them were sessions of a platform's own protocol.
    pub sessions: usize,
    /// Bytes that were sent again, and equal.
    pub bytes: u64,
    /// What could not be said again, and why.
    pub skipped: Vec<String>,
    /// The recording ends before the run does. Up to there everything is equal, if there is no difference.
    pub cut_off: bool,
    /// The first difference.
    pub difference: Option<Difference>,
}

/// Says everything again, up to the first difference.
///
/// # Errors
/// [`Kind::Usage`] when something is missing that the recording does not hold itself, [`Kind::PackageOther`] when the
/// package is another one, [`Kind::TraceUnreadable`] when the recording contradicts itself or holds nothing that can be said again.
pub fn replay(recording: &Recording, with: &With<'_>) -> Result<Replayed, Error> {
    let mut replayed = Replayed {
        lines: 0,
        sessions: 0,
        bytes: 0,
        skipped: Vec::new(),
        cut_off: false,
        difference: None,
    };
    for line in &recording.lines() {
        let Some((wire, because)) = say_again(line, recording, with, &mut replayed)? else {
            continue;
        };
        replayed.lines += 1;
        replayed.bytes += wire.sent();
        replayed.cut_off |= wire.is_cut_off();
        replayed.difference = wire.into_difference(because);
        if replayed.difference.is_some() {
            break;
        }
    }
    replayed.cut_off |= recording.cut_off;
    match replayed.skipped.first() {
        Some(why) if replayed.lines == 0 => {
            let text = format!("nothing in the recording can be said again: {why}");
            Err(Error::new(Kind::TraceUnreadable, text)
                .hint("a capture whose first bytes tell no protocol is imported with `--platform`"))
        }
        _ => Ok(replayed),
    }
}

/// Says one line again; gives the wire as it was left, and why the talk ended before its end.
fn say_again<'r>(
    line: &'r Line<'r>,
    recording: &Recording,
    with: &With<'_>,
    replayed: &mut Replayed,
) -> Result<Option<(Replay<'r>, Option<String>)>, Error> {
    let is_capture = recording.header.capture.is_some();
    if line.talk != SESSION {
        let Some(talk) = Talk::of_name(line.talk) else {
            let why = format!("{}: nobody knows what `{}` is", line.port, line.talk);
            replayed.skipped.push(why);
            return Ok(None);
        };
        let mut wire = Replay::new(line, None, is_capture);
        let ended = talk.hold(&mut wire);
        return Ok(Some((wire, ended.err().map(|error| error.to_string()))));
    }
    let Some(package) = with.package else {
        let recorded = recorded_package(recording).map_or(String::new(), |(file, ..)| format!(" `{file}`"));
        let text = format!("the recording holds a session that needs its package{recorded}");
        return Err(Error::new(Kind::Usage, text).hint("give it: `--package FILE`"));
    };
    let options = session_options(line, recording, package, with)?;
    let mut wire = Replay::new(
        line,
        Some(line.platform.unwrap_or(package.platform())),
        is_capture,
    );
    let ended = flash::say_again(&mut wire, package, &options, with.nv_backup.clone());
    replayed.sessions += 1;
    Ok(Some((wire, ended.err().map(|failure| failure.to_string()))))
}

fn session_options(
    line: &Line<'_>,
    recording: &Recording,
    package: &Package,
    with: &With<'_>,
) -> Result<SessionOptions, Error> {
    let Some(options) = line.session else {
        if recording.header.capture.is_none() {
            let text = format!("the session on {} has no options in the recording", line.port);
            return Err(Error::new(Kind::TraceUnreadable, text));
        }
        return Ok(SessionOptions {
            frame: with.frame,
            ..SessionOptions::of_another_tool(package)
        });
    };
    let options: SessionOptions = serde_json::from_value(options.clone()).map_err(|why| {
        let text = format!("the options of the session on {}: {why}", line.port);
        Error::new(Kind::TraceUnreadable, text)
    })?;
    if options.package != package.sha256() && !with.any_package {
        let recorded = recorded_package(recording);
        let (file, platform) = recorded.map_or(("?", None), |(file, platform)| (file, Some(platform)));
        let text = format!(
            "the package is not the one of the recording: that was `{file}`{} with SHA-256 {}, this has {}",
            platform.map_or(String::new(), |platform| format!(" for {}", platform.title())),
            options.package,
            package.sha256()
        );
        return Err(Error::new(Kind::PackageOther, text)
            .in_phase(Phase::Resolve)
            .hint("to see where they differ on the wire, add `--any-package`"));
    }
    let given = with.nv_backup.as_ref().map(|backup| sha256(&backup.area));
    if given != options.nv_backup {
        let text = match &options.nv_backup {
            Some(sha256) => format!("the session had an NV backup with SHA-256 {sha256}"),
            None => "the session had no NV backup".into(),
        };
        return Err(Error::new(Kind::Usage, text).hint("give the same: `--nv-backup FILE`, or none"));
    }
    Ok(options)
}

/// File and platform of the package, where the recording names one.
fn recorded_package(recording: &Recording) -> Option<(&str, Platform)> {
    recording.entries.iter().find_map(|entry| match &entry.what {
        What::Event(Event::Package { file, platform, .. }) => Some((file.as_str(), *platform)),
        _ => None,
    })
}
