//! One pair of eyes on the bus for all slots that wait: however many they are, the bus is enumerated once a look, and
//! not at all while nobody waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::voice::Voice;
use crate::error::{Error, Kind};
use crate::event::EventKind;
use crate::link::Cancel;
use crate::module::{Attached, attached};

/// Time between two looks. A person takes seconds to change a module, and one look at a full bus costs milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// What was on the bus, and when.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// When it was looked at.
    pub at: Instant,
    /// The modules; nothing where the bus could not be read.
    pub modules: Option<Arc<[Attached]>>,
}

/// Where those who wait hear of each look.
#[derive(Debug, Clone)]
pub(super) struct Lookout(Arc<watch::Sender<View>>);

impl Lookout {
    /// Looks from now on, on a thread of its own, until `stop` is set.
    ///
    /// # Errors
    /// [`Kind::Internal`] when there is no thread to be had.
    pub fn begin(station: Voice, stop: Cancel) -> Result<Self, Error> {
        let nothing = View {
            at: Instant::now(),
            modules: None,
        };
        let lookout = Lookout(Arc::new(watch::Sender::new(nothing)));
        let eyes = Arc::clone(&lookout.0);
        std::thread::Builder::new()
            .name("lookout".into())
            .spawn(move || {
                let mut told = false;
                while !stop.is_set() {
                    if eyes.receiver_count() > 0 {
                        look(&eyes, &station, &mut told);
                    }
                    std::thread::sleep(LOOK_EVERY);
                }
            })
            .map_err(|why| Error::new(Kind::Internal, format!("cannot start a thread: {why}")))?;
        Ok(lookout)
    }

    /// Every look from here on; as long as it is kept, somebody waits.
    pub fn wait(&self) -> watch::Receiver<View> {
        self.0.subscribe()
    }
}

fn look(eyes: &watch::Sender<View>, station: &Voice, told: &mut bool) {
    // A module that comes while the bus is read counts from before.
    let at = Instant::now();
    let modules = match attached() {
        Ok(modules) => {
            *told = false;
            Some(modules.into())
        }
        Err(why) => {
            if !std::mem::replace(told, true) {
                station.say(EventKind::Warning {
                    text: format!("nobody can see whether modules are plugged in: {why}; tried again"),
                });
            }
            None
        }
    };
    eyes.send_replace(View { at, modules });
}
