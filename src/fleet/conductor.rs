//! Many slots at once: a thread for each module, and one place that starts them, watches them and hears Ctrl-C.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use super::tally::Tally;
use super::voice::Voice;
use super::wishes::StopWishes;
use crate::error::{Error, Kind};
use crate::flash::Outcome;
use crate::link::Cancel;

/// Time between two looks at a slot that says nothing.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is done to one module in a slot.
pub(super) struct Task {
    pub voice: Voice,
    /// Done on a thread of its own.
    pub work: Box<dyn FnOnce() -> Outcome + Send>,
    /// Records the end of a module whose thread cannot do it any more.
    pub lost: Box<dyn FnOnce(&mut Outcome) + Send>,
}

/// Gives a slot its modules, one after the other.
pub(super) trait Feed: Send + 'static {
    /// The next module, once it is there; none when the slot is done, or nothing new is to be started.
    fn next(&mut self) -> impl Future<Output = Option<Task>> + Send;

    /// A module's thread hangs, so nothing can be done in the slot any more.
    fn give_up(self);
}

/// How a station is stopped: the first wish starts no more modules and lets those in work end, the second stops them at
/// their next safe moment, the third ends the process.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Nothing new is started.
    pub drain: Cancel,
    /// What is in work stops at the next safe moment.
    pub cancel: Cancel,
}

impl Stop {
    fn wish(&self) {
        match (self.drain.is_set(), self.cancel.is_set()) {
            (false, _) => self.drain.set(),
            (true, false) => self.cancel.set(),
            // Nobody knows how far the runs have come: the code says the worst.
            (true, true) => std::process::exit(12),
        }
    }
}

/// Hears every wish to stop from the moment it exists.
pub(super) struct Conductor {
    runtime: Runtime,
    wishes: StopWishes,
}

impl Conductor {
    /// # Errors
    /// [`Kind::Internal`] when there is no runtime, or nobody can listen.
    pub fn begin() -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|why| internal(format!("cannot start the conductor: {why}")))?;
        let wishes = {
            let _inside = runtime.enter();
            StopWishes::listen().map_err(|why| internal(format!("cannot listen for Ctrl-C: {why}")))?
        };
        Ok(Conductor { runtime, wishes })
    }

    /// Serves all slots, `parallel` modules at once, and returns what has become of each, in their order. A module that
    /// is silent for longer than `silent` is given up; its thread is left behind, and its slot gets no other.
    ///
    /// # Errors
    /// [`Kind::Internal`] when a slot was lost.
    pub fn conduct(
        mut self,
        slots: Vec<impl Feed>,
        parallel: usize,
        silent: Duration,
        stop: &Stop,
    ) -> Result<Vec<Tally>, Error> {
        self.runtime.block_on(async {
            // What was wished until now is heard before anything is started.
            tokio::select! {
                () = self.wishes.next() => stop.wish(),
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
            serve_all(slots, parallel, silent, stop, &mut self.wishes).await
        })
    }
}

fn internal(what: String) -> Error {
    Error::new(Kind::Internal, what)
}

async fn serve_all(
    slots: Vec<impl Feed>,
    parallel: usize,
    silent: Duration,
    stop: &Stop,
    wishes: &mut StopWishes,
) -> Result<Vec<Tally>, Error> {
    let places = Arc::new(Semaphore::new(parallel));
    let mut at_work = JoinSet::new();
    for (index, feed) in slots.into_iter().enumerate() {
        let (places, drain) = (Arc::clone(&places), stop.drain.clone());
        at_work.spawn(async move { (index, serve(feed, &places, silent, &drain).await) });
    }
    let (mut ended, mut lost) = (Vec::new(), None);
    loop {
        tokio::select! {
            one = at_work.join_next() => match one {
                Some(Ok(one)) => ended.push(one),
                // The others must still come to their end.
                Some(Err(why)) => lost = Some(why),
                None => break,
            },
            () = wishes.next() => stop.wish(),
        }
    }
    if let Some(why) = lost {
        return Err(internal(format!("the conductor has lost a slot: {why}")));
    }
    ended.sort_by_key(|(index, _)| *index);
    Ok(ended.into_iter().map(|(_, tally)| tally).collect())
}

/// One slot, module by module.
async fn serve(mut feed: impl Feed, places: &Semaphore, silent: Duration, drain: &Cancel) -> Tally {
    let mut tally = Tally::default();
    while let Some(task) = feed.next().await {
        let outcome = module(task, places, silent, drain).await;
        let hangs = outcome
            .error
            .as_ref()
            .is_some_and(|error| error.code == Kind::SlotHung.code());
        tally.add(outcome);
        if hangs {
            feed.give_up();
            break;
        }
    }
    tally
}

/// One module, from its turn to its `finished`.
async fn module(task: Task, places: &Semaphore, silent: Duration, drain: &Cancel) -> Outcome {
    let Task { voice, work, lost } = task;
    let _place = places.acquire().await;
    let name = voice.slot().unwrap_or_default();
    let outcome = if drain.is_set() {
        let mut outcome = Outcome::of_error(Error::new(
            Kind::Interrupted,
            "stopped before this slot had its turn",
        ));
        lost(&mut outcome);
        outcome
    } else {
        voice.wake();
        let (sender, mut receiver) = oneshot::channel();
        let thread = std::thread::Builder::new().name(name.clone()).spawn(move || {
            let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
        });
        let ended = match thread {
            Ok(_) => watch(&mut receiver, &voice, silent).await,
            Err(why) => Err(Error::new(
                Kind::Internal,
                format!("cannot start a thread: {why}"),
            )),
        };
        ended.unwrap_or_else(|error| {
            let mut outcome = Outcome::of_error(error.at(&*name).written(voice.at_most_written()));
            lost(&mut outcome);
            outcome
        })
    };
    voice.finish(&outcome);
    outcome
}

type Ended = Result<Outcome, Box<dyn std::any::Any + Send>>;

async fn watch(
    receiver: &mut oneshot::Receiver<Ended>,
    voice: &Voice,
    silent: Duration,
) -> Result<Outcome, Error> {
    loop {
        tokio::select! {
            ended = &mut *receiver => return match ended {
                Ok(Ok(outcome)) => Ok(outcome),
                Ok(Err(panic)) => Err(super::bug(&*panic)),
                Err(_) => Err(Error::new(Kind::Internal, "the slot ended without a word")),
            },
            () = tokio::time::sleep(LOOK_EVERY.min(silent)) => {
                if voice.quiet_for() >= silent {
                    let text = format!("the slot has said nothing for {:.0} s: it hangs, and is given up", silent.as_secs_f64());
                    return Err(Error::new(Kind::SlotHung, text)
                        .hint("power-cycle the module and its hub, and look at the cable; then flash it again"));
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "conductor_tests.rs"]
mod tests;
