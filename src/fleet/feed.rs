//! Where a slot's modules come from: what is in it, once; or in a loop whatever is plugged in there, one after the
//! other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::batch::Station;
use super::conductor::{Feed, Task};
use super::config::Slot;
use super::label::Scans;
use super::lookout::{Lookout, View};
use super::presence::{Presence, Seen};
use super::slot::{Goods, SlotWork};
use super::voice::Voice;
use crate::event::{EventKind, Wants};

/// Longest time until a slot that waits notices that it is to stop.
const NOTICES_WITHIN: Duration = Duration::from_millis(200);

/// The modules of one slot.
pub(super) struct SlotFeed {
    pub station: Arc<Station>,
    pub slot: Slot,
    pub voice: Voice,
    /// In a loop: whether the module at the place is another one.
    pub presence: Option<Presence>,
    /// There is no module after this one.
    pub is_done: bool,
}

impl Feed for SlotFeed {
    async fn next(&mut self) -> Option<Task> {
        if self.is_done {
            return None;
        }
        self.is_done = self.presence.is_none();
        let began = Instant::now();
        let station = Arc::clone(&self.station);
        let mut views = station.lookout.as_ref().map(Lookout::wait);
        let mut scans = station.desk.wait();
        let mut told = None;
        while !station.stop.drain.is_set() {
            let seen = self.look(views.as_mut(), began);
            let misses_label = self.misses_label(&scans.borrow_and_update());
            let wants = match (seen, misses_label) {
                (Some(Seen::Next), false) => return Some(self.take()),
                (None, _) => told,
                (Some(Seen::Next), true) => Some(Wants::Label),
                (Some(Seen::Last), _) => Some(Wants::Removal),
                (Some(Seen::Nobody | Seen::Restless), true) => Some(Wants::ModuleAndLabel),
                (Some(Seen::Nobody | Seen::Restless), false) => Some(Wants::Module),
            };
            if let Some(wants) = wants.filter(|_| wants != told) {
                self.voice.say(EventKind::Waiting { wants });
            }
            told = wants;
            tokio::select! {
                () = change(views.as_mut()) => {}
                _ = scans.changed() => {}
                () = tokio::time::sleep(NOTICES_WITHIN) => {}
            }
        }
        // A module of a batch is there and has an end, if only that it was not begun.
        self.presence.is_none().then(|| self.take())
    }

    fn give_up(self) {
        if self.presence.is_some() {
            self.voice.say(EventKind::OutOfService {
                text: format!(
                    "slot `{}` is out of service: a call of the operating system does not come back; power-cycle its \
                     module and its hub, then start the program again",
                    self.slot.name
                ),
            });
        }
    }
}

async fn change(views: Option<&mut watch::Receiver<View>>) {
    match views {
        // Nobody looks any more when everything stops.
        Some(views) if views.has_changed().is_ok() => drop(views.changed().await),
        _ => std::future::pending().await,
    }
}

impl SlotFeed {
    /// What is at the place, as far as anybody has seen since `began`.
    fn look(&mut self, views: Option<&mut watch::Receiver<View>>, began: Instant) -> Option<Seen> {
        let (Some(presence), Some(views)) = (&mut self.presence, views) else {
            return Some(Seen::Next);
        };
        let View { at, modules } = views.borrow_and_update().clone();
        let seen = presence.look(&modules.filter(|_| at >= began)?, at);
        if seen == Seen::Restless {
            self.voice.say(EventKind::Warning {
                text: "a module comes and goes: it crashes, or it sits loose".into(),
            });
        }
        Some(seen)
    }

    /// A label must come first where only it says what belongs into the slot, where what was scanned is doubtful, and
    /// where a batch waits for all its labels.
    fn misses_label(&self, scans: &Scans) -> bool {
        let comes = self.station.has_label_source;
        match scans.of(&self.slot.name) {
            Some(label) => label.is_err() && comes,
            None => comes && (self.slot.ordering_code.is_none() || self.presence.is_none()),
        }
    }

    /// The next module is taken on, with its label.
    fn take(&mut self) -> Task {
        self.voice.begin_unit();
        if let Some(presence) = &mut self.presence {
            presence.take();
            self.voice.emit(EventKind::Plugged);
        }
        let Station {
            config,
            stock,
            book,
            run,
            desk,
            settings,
            stop,
            ..
        } = &*self.station;
        let scan = desk.take(&self.slot.name);
        let job = scan.expected(&self.slot).and_then(|label| {
            let (product, package) = stock.product_for(&label.ordering_code)?;
            Ok(Goods {
                label,
                product: product.clone(),
                package: Arc::clone(package),
            })
        });
        let label = match &job {
            Ok(goods) => Some(goods.label.clone()),
            Err(_) => scan.label().cloned(),
        };
        let record = book.record(*run);
        let (lost, name, of_lost) = (record.clone(), self.slot.name.clone(), label.clone());
        let work = SlotWork {
            config: Arc::clone(config),
            slot: self.slot.clone(),
            label,
            record,
            voice: self.voice.clone(),
            settings: settings.clone(),
            stop: stop.clone(),
        };
        Task {
            voice: self.voice.clone(),
            work: Box::new(move || work.run(job)),
            lost: Box::new(move |outcome| lost.lose(&name, of_lost.as_ref(), outcome)),
        }
    }
}
