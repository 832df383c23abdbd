//! Many slots at once: a thread for each module, and one place that starts them, watches them and hears Ctrl-C.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

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

/// What has become of the modules of one slot.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many passed.
    pub passed: u32,
    /// How many did not.
    pub failed: u32,
    /// The exit code of the worst of them.
    pub exit_code: u8,
    /// How the last of them ended.
    pub last: Option<Outcome>,
}

impl Tally {
    fn add(&mut self, outcome: Outcome) {
        match outcome.exit_code {
            0 => self.passed += 1,
            _ => self.failed += 1,
        }
        self.exit_code = worst([self.exit_code, outcome.exit_code]);
        self.last = Some(outcome);
    }
}

/// The exit code of many is that of the worst: what needs a person most comes first.
pub fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    const ORDER: [u8; 14] = [1, 12, 10, 11, 9, 6, 7, 3, 8, 5, 4, 2, 130, 0];
    let rank = |code: &u8| ORDER.iter().position(|other| other == code).unwrap_or(0);
    codes.into_iter().min_by_key(rank).unwrap_or(0)
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
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::event::{Event, EventKind};

    type Heard = Arc<Mutex<Vec<Event>>>;

    /// Modules that are all there.
    struct Ready(Vec<Task>);

    impl Feed for Ready {
        async fn next(&mut self) -> Option<Task> {
            let task = self.0.pop()?;
            task.voice.begin_unit();
            Some(task)
        }

        fn give_up(self) {
            for task in self.0 {
                task.voice.say(EventKind::OutOfService { text: String::new() });
            }
        }
    }

    fn conduct_all(slots: Vec<Ready>, parallel: usize, silent: u64, stop: &Stop) -> Vec<Tally> {
        let conductor = Conductor::begin().unwrap();
        conductor
            .conduct(slots, parallel, Duration::from_secs(silent), stop)
            .unwrap()
    }

    fn ready(tasks: Vec<Task>) -> Vec<Ready> {
        tasks.into_iter().map(|task| Ready(vec![task])).collect()
    }

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

    fn ends(tallies: Vec<Tally>) -> Vec<Outcome> {
        tallies.into_iter().map(|tally| tally.last.unwrap()).collect()
    }

    fn codes(outcomes: &[Outcome]) -> Vec<&'static str> {
        let code = |outcome: &Outcome| outcome.error.as_ref().map_or("", |error| error.code);
        outcomes.iter().map(code).collect()
    }

    #[test]
    fn the_worst_module_gives_the_exit_code() {
        assert_eq!(worst([0, 0]), 0);
        assert_eq!(worst([0, 4, 10, 6]), 10);
        assert_eq!(worst([130, 0]), 130);
        assert_eq!(worst([6, 1]), 1);
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
        let outcomes = ends(conduct_all(ready(tasks), 2, 2, &Stop::default()));
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
        let outcomes = ends(conduct_all(ready(tasks), 1, 60, &stop));
        assert_eq!(codes(&outcomes), ["", "interrupted"]);
        assert_eq!(outcomes[1].exit_code, 130);
    }
    #[test]
    fn a_slot_goes_on_after_a_panic_and_not_after_a_module_that_hangs() {
        let heard = Heard::default();
        let (release, hangs) = channel::<()>();
        let first = task("A", &heard, |_| std::panic::panic_any("on purpose"));
        let again = |work: fn(&Voice) -> Outcome| {
            let voice = first.voice.clone();
            Task {
                voice: voice.clone(),
                work: Box::new(move || work(&voice)),
                lost: Box::new(|_| {}),
            }
        };
        let (second, never) = (again(passes), again(passes));
        let own = first.voice.clone();
        let third = Task {
            voice: own.clone(),
            work: Box::new(move || {
                let _ = hangs.recv();
                passes(&own)
            }),
            lost: Box::new(|_| {}),
        };
        let feed = Ready(vec![never, third, second, first]);
        let ended = conduct_all(vec![feed], 1, 2, &Stop::default());
        drop(release);
        assert_eq!((ended[0].passed, ended[0].failed, ended[0].exit_code), (1, 2, 1));
        assert_eq!(codes(&ends(ended)), ["slot.hung"]);
        let heard = heard.lock().unwrap();
        let told: Vec<_> = heard
            .iter()
            .map(|event| {
                (
                    event.seq,
                    event.unit,
                    matches!(event.kind, EventKind::Finished { .. }),
                )
            })
            .collect();
        let expected = [
            (0, Some(1), true),
            (1, Some(2), false),
            (2, Some(2), true),
            (3, Some(3), true),
            (4, None, false),
        ];
        assert_eq!(told, expected);
        assert!(matches!(heard[4].kind, EventKind::OutOfService { .. }));
    }
}
