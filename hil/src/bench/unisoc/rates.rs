//! Frames over pseudo-terminals in real time, against a peer that costs next to nothing ([`super::peer`]): what the
//! host and this machine's terminals need beside the module's turn-round time.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use qpyflash::link::Serial;
use qpyflash_protocols::unisoc::Plan;

use super::peer::Module;
use super::session::{self, IMAGE};
use crate::bench::terminal::Peers;
use crate::bench::{Figure, Outcome, best, lock};

const TURN_ROUND: Duration = Duration::from_millis(1);
/// Most time that a frame takes beside the turn-round time, in milliseconds.
const MOST_HOST_MS: f64 = 0.2;
/// The frames to the boot ROM, in bytes. Source: specs/unisoc-pac-bsl.md §4.5 (V).
const ROM_FRAME: u64 = 0x210;
/// Least rate of them, in kB/s.
const LEAST_ROM_RATE: f64 = 420.0;
/// Large frames, and the least rate of them in MB/s.
const LARGE: (u16, f64) = (61_440, 28.0);
/// The largest frames, to many modules at once without a turn-round time, and the least rate of all in MB/s.
const LARGEST: (u16, f64) = (0xFC00, 200.0);
const MODULES: usize = 16;
/// What a module gets, in bytes.
const IMAGE_BYTES: usize = 8 << 20;

pub fn measure(quick: bool) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for frame in [0x800, 0x3000] {
        let plan = session::of_one_image(usize::from(frame) * if quick { 100 } else { 500 })?;
        figures.push(best(|| {
            let span = write(&plan, frame, TURN_ROUND, IMAGE)?;
            let each = span.seconds() / span.bytes.div_ceil(frame.into()) as f64;
            let host = (each - TURN_ROUND.as_secs_f64()) * 1e3;
            let figure = Figure::new("unisoc", format!("{frame:#x}: beside the turn-round"), host, "ms");
            Ok(figure.at_most(MOST_HOST_MS).detail(format!(
                "a frame, host and terminal together; {:.0} kB/s",
                span.rate() / 1e3
            )))
        })?);
    }
    let plan = session::of_one_image(usize::from(LARGE.0) * if quick { 50 } else { 200 })?;
    figures.push(best(|| {
        let span = write(&plan, LARGE.0, TURN_ROUND, "FDL")?;
        let name = format!("UIS8850 boot ROM, {ROM_FRAME:#x}, 1 ms");
        let each = span.seconds() / span.bytes.div_ceil(ROM_FRAME) as f64;
        let figure = Figure::new("unisoc", name, span.rate() / 1e3, "kB/s");
        Ok(figure
            .at_least(LEAST_ROM_RATE)
            .detail(format!("{:.3} ms a frame", each * 1e3)))
    })?);
    figures.push(best(|| {
        let span = write(&plan, LARGE.0, TURN_ROUND, IMAGE)?;
        let each = span.seconds() / span.bytes.div_ceil(LARGE.0.into()) as f64;
        let figure = Figure::new(
            "unisoc",
            format!("{} B, 1 ms", LARGE.0),
            span.rate() / 1e6,
            "MB/s",
        );
        Ok(figure
            .at_least(LARGE.1)
            .detail(format!("{:.3} ms a frame", each * 1e3)))
    })?);
    let plan = session::of_one_image(IMAGE_BYTES)?;
    figures.push(best(|| {
        let name = format!("{MODULES} modules, {} B, 0 ms", LARGEST.0);
        let alone = at_once(|port| send_frames(port, usize::from(LARGEST.0)))?;
        let rate = at_once(|port| write_to(port, &plan, LARGEST.0, IMAGE))?.rate() / 1e6;
        let figure = Figure::new("unisoc", name, rate, "MB/s");
        Ok(figure.at_least(LARGEST.1).detail(format!(
            "all together, in one process with their peers; the terminals alone {:.0} MB/s",
            alone.rate() / 1e6
        )))
    })?);
    Ok(figures)
}

/// From the moment when an image began until the last of it was acknowledged.
#[derive(Clone, Copy)]
struct Span {
    began: Instant,
    ended: Instant,
    bytes: u64,
}

impl Span {
    fn seconds(&self) -> f64 {
        (self.ended - self.began).as_secs_f64()
    }

    /// Bytes per second.
    fn rate(&self) -> f64 {
        self.bytes as f64 / self.seconds()
    }
}

fn write(plan: &Plan, frame: u16, turn_round: Duration, image: &'static str) -> Outcome<Span> {
    let peer = Peers::start(vec![Module::new()], turn_round)?;
    write_to(&peer.ports[0], plan, frame, image)
}

fn write_to(port: &Path, plan: &Plan, frame: u16, image: &'static str) -> Outcome<Span> {
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    let port = Serial::open(port, 115_200)?;
    session::write(port, plan, frame, move |name, done, total| {
        if name == image && (lock(&seen).is_empty() || done == total) {
            lock(&seen).push((Instant::now(), done));
        }
    })?;
    let times = lock(&times);
    let [(began, before), (ended, all)] = times[..] else {
        return Err("the image was not written once".into());
    };
    Ok(Span {
        began,
        ended,
        bytes: all - before,
    })
}

/// Every module at once; from the first byte to any module until the last to any.
fn at_once(one: impl Fn(&Path) -> Outcome<Span> + Sync) -> Outcome<Span> {
    let start = Barrier::new(MODULES);
    let peers = Peers::start((0..MODULES).map(|_| Module::new()).collect(), Duration::ZERO)?;
    let begin = |port: &Path| {
        start.wait();
        one(port).map_err(|why| why.to_string())
    };
    let spans: Result<Vec<Span>, String> = thread::scope(|scope| {
        let ports = peers.ports.iter();
        let all: Vec<_> = ports.map(|port| scope.spawn(|| begin(port))).collect();
        all.into_iter()
            .map(|thread| thread.join().map_err(|_| "a session panicked".to_owned())?)
            .collect()
    });
    let whole = spans?.into_iter().reduce(|one, other| Span {
        began: one.began.min(other.began),
        ended: one.ended.max(other.ended),
        bytes: one.bytes + other.bytes,
    });
    whole.ok_or_else(|| "no module".into())
}

/// What a session sends, without one: frames of one kind, each when the one before is acknowledged.
fn send_frames(port: &Path, payload: usize) -> Outcome<Span> {
    let mut terminal = File::options().read(true).write(true).open(port)?;
    let mut frame = vec![0x55; payload + 8];
    frame[..3].copy_from_slice(&[0x7E, 0, 0]);
    frame[payload + 7] = 0x7E;
    let began = Instant::now();
    let frames = IMAGE_BYTES / payload;
    for _ in 0..frames {
        terminal.write_all(&frame)?;
        terminal.read_exact(&mut [0; 8])?;
    }
    Ok(Span {
        began,
        ended: Instant::now(),
        bytes: (frames * payload) as u64,
    })
}
