//! Many slots at once: a thread for each module, and one place that starts them, watches them and hears Ctrl-C.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use super::voice::Voice;
use super::wishes::StopWishes;
use crate::error::{Error, Kind};
use crate::flash::Outcome;
use crate::link::Cancel;

/// Time between two looks at a slot that says nothing.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a slot does.
pub(super) struct Task {
    pub voice: Voice,
    /// Done on a thread of its own.
    pub work: Box<dyn FnOnce() -> Outcome + Send>,
    /// Records the end of a slot whose thread cannot do it any more.
    pub lost: Box<dyn FnOnce(&Outcome) + Send>,
}

/// How a batch is stopped: the first wish starts no more modules and lets those in work end, the second stops them at
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

/// Carries all tasks out, `parallel` at once, and returns how each slot ended, in their order. A slot that is silent
/// for longer than `silent` is given up; its thread is left behind.
pub(super) fn conduct_all(
    tasks: Vec<Task>,
    parallel: usize,
    silent: Duration,
    stop: &Stop,
) -> Result<Vec<Outcome>, Error> {
    let internal = |what: String| Error::new(Kind::Internal, what);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| internal(format!("cannot start the conductor: {why}")))?;
    runtime.block_on(async {
        let mut wishes =
            StopWishes::listen().map_err(|why| internal(format!("cannot listen for Ctrl-C: {why}")))?;
        let places = Arc::new(Semaphore::new(parallel));
        let mut slots = JoinSet::new();
        for (index, task) in tasks.into_iter().enumerate() {
            let (places, drain) = (Arc::clone(&places), stop.drain.clone());
            slots.spawn(async move { (index, slot(task, &places, silent, &drain).await) });
        }
        let (mut ended, mut lost) = (Vec::new(), None);
        loop {
            tokio::select! {
                one = slots.join_next() => match one {
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
        Ok(ended.into_iter().map(|(_, outcome)| outcome).collect())
    })
}

/// One slot, from its turn to its `finished`.
async fn slot(task: Task, places: &Semaphore, silent: Duration, drain: &Cancel) -> Outcome {
    let Task { voice, work, lost } = task;
    let _place = places.acquire().await;
    let name = voice.slot();
    let outcome = if drain.is_set() {
        let outcome = Outcome::of_error(Error::new(
            Kind::Interrupted,
            "stopped before this slot had its turn",
        ));
        lost(&outcome);
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
            let outcome = Outcome::of_error(error.at(&*name).written(voice.at_most_written()));
            lost(&outcome);
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
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::event::{Event, EventKind};

    type Heard = Arc<Mutex<Vec<Event>>>;

    fn task(name: &str, heard: &Heard, work: impl FnOnce(&Voice) -> Outcome + Send + 'static) -> Task {
        let heard = Arc::clone(heard);
        let voice = Voice::new(
            name,
            Arc::new(move |event: &Event| heard.lock().unwrap().push(event.clone())),
        );
        let own = voice.clone();
        Task {
            voice,
            work: Box::new(move || work(&own)),
            lost: Box::new(|_| {}),
        }
    }

    fn passes(voice: &Voice) -> Outcome {
        voice.emit(EventKind::Note {
            text: "at work".into(),
        });
        let mut outcome = Outcome::of_bug("none");
        (outcome.exit_code, outcome.error) = (0, None);
        outcome
    }

    fn codes(outcomes: &[Outcome]) -> Vec<&'static str> {
        let code = |outcome: &Outcome| outcome.error.as_ref().map_or("", |error| error.code);
        outcomes.iter().map(code).collect()
    }

    #[test]
    fn a_slot_that_panics_or_hangs_is_marked_and_the_others_go_on() {
        let heard = Heard::default();
        let (release, hangs) = channel::<()>();
        let tasks = vec![
            task("good", &heard, passes),
            task("panics", &heard, |voice| {
                voice.emit(EventKind::PhaseStarted {
                    phase: crate::Phase::Write,
                });
                std::panic::panic_any("on purpose");
            }),
            task("hangs", &heard, move |voice| {
                let _ = hangs.recv();
                voice.emit(EventKind::Note {
                    text: "too late".into(),
                });
                passes(voice)
            }),
            task("also good", &heard, passes),
        ];
        let outcomes = conduct_all(tasks, 2, Duration::from_secs(2), &Stop::default()).unwrap();
        drop(release);
        assert_eq!(codes(&outcomes), ["", "internal", "slot.hung", ""]);
        assert!(matches!(outcomes[1].written, crate::Written::Partial { .. }));
        assert_eq!(outcomes[2].written, crate::Written::Nothing);
        let heard = heard.lock().unwrap();
        for name in ["good", "panics", "hangs", "also good"] {
            let of_slot: Vec<&Event> = heard
                .iter()
                .filter(|event| event.slot.as_deref() == Some(name))
                .collect();
            let last = of_slot.len() - 1;
            for (number, event) in of_slot.iter().enumerate() {
                assert_eq!(event.seq, number as u64);
                assert_eq!(
                    matches!(event.kind, EventKind::Finished { .. }),
                    number == last,
                    "{event:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_new_is_started_once_it_is_to_stop() {
        let heard = Heard::default();
        let stop = Stop::default();
        let drain = stop.drain.clone();
        let first = task("first", &heard, move |voice| {
            drain.set();
            passes(voice)
        });
        let tasks = vec![first, task("second", &heard, passes)];
        let outcomes = conduct_all(tasks, 1, Duration::from_secs(60), &stop).unwrap();
        assert_eq!(codes(&outcomes), ["", "interrupted"]);
        assert_eq!(outcomes[1].exit_code, 130);
    }
}
