//! What the page shows, folded from the events: a tile a slot.

use std::time::Instant;

use qpyflash_protocols::{Phase, Written};
use serde::{Serialize, Serializer};

use super::today::Today;
use crate::event::{Event, EventKind, Wants};
use crate::flash::Outcome;
use crate::fleet::config::Slot;
use crate::identity::Identity;

/// More do not fit into a tile; the last ones count.
const MOST_WARNINGS: usize = 3;
/// A mean over less says nothing, in seconds.
const SHORTEST_MEAN: f64 = 0.25;

/// A slot, as it is shown.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Tile {
    name: String,
    /// Of the slot, until the module or its label says more.
    ordering_code: Option<String>,
    imei: Option<String>,
    revision: Option<String>,
    /// Counts from 1.
    attempt: u32,
    warnings: Vec<String>,
    /// What an operator is to do, in a loop.
    wants: Option<Wants>,
    /// How the module before this one ended, in a loop: it passed.
    last_passed: Option<bool>,
    #[serde(flatten)]
    doing: Doing,
}

/// What goes on in a slot.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum Doing {
    Waiting,
    Busy {
        phase: Option<Phase>,
        image: Option<Image>,
        #[serde(rename = "seconds", serialize_with = "elapsed")]
        since: Instant,
    },
    Pass {
        seconds: f64,
    },
    Fail {
        seconds: f64,
        code: String,
        message: String,
        hints: Vec<String>,
        /// The flash is not as it was.
        changed: bool,
    },
    /// The slot takes no more modules.
    Out {
        message: String,
    },
}

/// The image that is being written.
#[derive(Debug, Clone, Serialize)]
struct Image {
    name: String,
    done: u64,
    total: u64,
    /// Mean since the image's first acknowledged bytes, in bytes per second.
    rate: Option<f64>,
    /// Where the mean begins: seconds of the slot's clock, and bytes.
    #[serde(skip)]
    from: (f64, u64),
}

fn elapsed<S: Serializer>(since: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(since.elapsed().as_secs_f64())
}

/// Everything the page shows.
#[derive(Debug, Clone)]
pub(super) struct State {
    tiles: Vec<Tile>,
    /// The ordering code of each slot by the station's file.
    codes: Vec<Option<String>>,
    /// Tiles that have changed since somebody asked.
    changed: Vec<bool>,
    today: Option<Today>,
    /// Something beside the tiles has changed since somebody asked.
    news: bool,
    /// The last word that concerns no slot.
    notice: Option<Notice>,
    /// The run is over.
    over: bool,
}

/// What a person at the station should know: a label of no slot, a scanner that has gone.
#[derive(Debug, Clone, Serialize)]
struct Notice {
    text: String,
    #[serde(rename = "seconds", serialize_with = "elapsed")]
    since: Instant,
}

/// What is told at once: everything, or what has changed.
#[derive(Debug, Serialize)]
pub(super) struct View {
    slots: Vec<Tile>,
    today: Option<Today>,
    notice: Option<Notice>,
    over: bool,
}

impl State {
    pub fn new(slots: &[Slot], today: Option<Today>) -> Self {
        let code = |slot: &Slot| slot.ordering_code.as_ref().map(ToString::to_string);
        let codes: Vec<Option<String>> = slots.iter().map(code).collect();
        let tiles = slots.iter().zip(&codes);
        State {
            tiles: tiles
                .map(|(slot, code)| Tile::waiting(&slot.name, code.clone()))
                .collect(),
            changed: vec![false; slots.len()],
            codes,
            today,
            news: false,
            notice: None,
            over: false,
        }
    }

    /// The figures of the day.
    pub fn set_today(&mut self, today: Option<Today>) {
        self.news |= self.today != today;
        self.today = today;
    }

    /// The run is over.
    pub fn end(&mut self) {
        (self.news, self.over) = (true, true);
    }

    /// Takes a fact in.
    pub fn fold(&mut self, event: &Event) {
        if let (None, EventKind::Warning { text }) = (&event.slot, &event.kind) {
            let (text, since) = (text.clone(), Instant::now());
            self.notice = Some(Notice { text, since });
            self.news = true;
        }
        let found = self
            .tiles
            .iter()
            .position(|tile| Some(&tile.name) == event.slot.as_ref());
        let Some(index) = found else {
            return;
        };
        if let (Some(tile), Some(code), Some(changed)) = (
            self.tiles.get_mut(index),
            self.codes.get(index),
            self.changed.get_mut(index),
        ) {
            *changed = true;
            tile.fold(event, code);
        }
    }

    /// Everything, the tiles in the order of the station's file.
    pub fn all(&self) -> View {
        self.view(self.tiles.clone())
    }

    /// What has changed since the last call.
    pub fn take_changes(&mut self) -> Option<View> {
        let changed = self.tiles.iter().zip(&mut self.changed);
        let slots: Vec<Tile> = changed
            .filter_map(|(tile, changed)| std::mem::take(changed).then(|| tile.clone()))
            .collect();
        let is_new = std::mem::take(&mut self.news) || !slots.is_empty();
        is_new.then(|| self.view(slots))
    }

    fn view(&self, slots: Vec<Tile>) -> View {
        View {
            slots,
            today: self.today.clone(),
            notice: self.notice.clone(),
            over: self.over,
        }
    }
}

impl Tile {
    fn waiting(name: &str, ordering_code: Option<String>) -> Self {
        Tile {
            name: name.to_owned(),
            ordering_code,
            imei: None,
            revision: None,
            attempt: 1,
            warnings: Vec::new(),
            wants: None,
            last_passed: None,
            doing: Doing::Waiting,
        }
    }

    fn fold(&mut self, event: &Event, code: &Option<String>) {
        match event.kind {
            EventKind::Plugged => self.begin(code),
            EventKind::PhaseStarted { .. } | EventKind::Finished { .. }
                if !matches!(self.doing, Doing::Busy { .. }) =>
            {
                self.begin(code);
            }
            _ => {}
        }
        match &event.kind {
            EventKind::PhaseStarted { phase: begun } => {
                if let Doing::Busy { phase, image, .. } = &mut self.doing {
                    (*phase, *image) = (Some(*begun), None);
                }
                if *begun == Phase::EnterDownload {
                    // What was to be known before the module is touched.
                    self.warnings.clear();
                }
            }
            EventKind::Bytes {
                image: name,
                done,
                total,
            } => {
                if let Doing::Busy { image, .. } = &mut self.doing {
                    let known = image
                        .take()
                        .filter(|image| image.name == *name && image.done <= *done);
                    *image = Some(Image::after(known, name, *done, *total, event.t));
                }
            }
            EventKind::Identified { identity } => self.identified(identity),
            EventKind::Warning { text } => {
                self.warnings.push(text.clone());
                let too_many = self.warnings.len().saturating_sub(MOST_WARNINGS);
                self.warnings.drain(..too_many);
            }
            EventKind::AttemptFailed { attempt, .. } => self.attempt = attempt.saturating_add(1),
            EventKind::Finished { outcome } => self.finish(outcome),
            EventKind::Waiting {
                wants: Wants::Removal,
            } => self.wants = Some(Wants::Removal),
            EventKind::Waiting { wants } => {
                self.begin(code);
                (self.doing, self.wants) = (Doing::Waiting, Some(*wants));
            }
            EventKind::OutOfService { text } => {
                self.doing = Doing::Out {
                    message: text.clone(),
                }
            }
            EventKind::Plugged | EventKind::PhaseDone { .. } | EventKind::Note { .. } => {}
        }
    }

    /// The first word about a module: of the one before it stays only how it ended.
    fn begin(&mut self, code: &Option<String>) {
        let last_passed = match self.doing {
            Doing::Pass { .. } => Some(true),
            Doing::Fail { .. } => Some(false),
            _ => self.last_passed,
        };
        *self = Tile::waiting(&self.name, code.clone());
        self.last_passed = last_passed;
        self.doing = Doing::Busy {
            phase: None,
            image: None,
            since: Instant::now(),
        };
    }

    fn identified(&mut self, identity: &Identity) {
        let imei = identity.imei.as_ref().filter(|_| !identity.has_default_imei());
        self.imei = imei.cloned().or(self.imei.take());
        self.revision = identity.revision_text.clone().or(self.revision.take());
    }

    fn finish(&mut self, outcome: &Outcome) {
        [&outcome.before, &outcome.after]
            .into_iter()
            .flatten()
            .for_each(|identity| self.identified(identity));
        self.ordering_code = outcome.ordering_code.clone().or(self.ordering_code.take());
        // Of a slot that has tried several times, a person sees how long it took altogether.
        let seconds = match &self.doing {
            Doing::Busy { since, .. } if self.attempt > 1 => since.elapsed().as_secs_f64(),
            _ => outcome.seconds,
        };
        let error = outcome.error.as_ref();
        self.doing = match outcome.exit_code {
            0 => Doing::Pass { seconds },
            _ => Doing::Fail {
                seconds,
                code: error
                    .map_or(crate::Kind::Internal.code(), |error| error.code)
                    .to_owned(),
                message: error.map(|error| error.message.clone()).unwrap_or_default(),
                hints: error.map(|error| error.hints.clone()).unwrap_or_default(),
                changed: !matches!(outcome.written, Written::Nothing | Written::HelpersOnly),
            },
        };
    }
}

impl Image {
    fn after(known: Option<Image>, name: &str, done: u64, total: u64, t: f64) -> Self {
        let from = known.map_or((t, done), |image| image.from);
        let (seconds, bytes) = (t - from.0, done.saturating_sub(from.1));
        Image {
            name: name.to_owned(),
            done,
            total,
            rate: (seconds >= SHORTEST_MEAN).then(|| bytes as f64 / seconds),
            from,
        }
    }
}
