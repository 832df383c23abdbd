//! Slots that go well, panic, hang, and are stopped.

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
