//! Runs under a conductor: one thread per module, and one place that hears Ctrl-C. The only home of tokio.
//!
//! [`conduct`] serves one module; [`batch`] a station of a production line with many:
//!
//! ```text
//! fixture.toml  -> config     what is where, and what belongs into it
//! labels        -> label      what must be in each slot; desk: labels that come while the station is at work
//! packages      -> stock      each read once, pinned by its SHA-256
//! batch         -> conductor  a thread a module; a slot that panics or hangs is marked, the rest go on
//!   feed        the next module of a slot: once, or in a loop when it is plugged in
//!     lookout   one look at the bus for all slots that wait
//!     presence  whether what is at the place is another module
//!   slot        hooks, attempts; record: each attempt in the journal before the module is asked anything
//!   voice       the slot's events; `finished` is the last of each module's
//! events        -> board      a page for a big screen above the line
//! outbox        a message for each attempt, brought to the plant's network beside all that
//! ```

pub mod batch;
pub mod board;
pub mod check;
mod conductor;
pub mod config;
pub mod desk;
mod feed;
mod hook;
pub mod journal;
pub mod label;
pub mod learn;
mod limits;
mod lookout;
pub mod outbox;
mod presence;
mod record;
pub mod report;
mod schema;
mod slot;
pub mod stock;
pub mod tally;
pub mod tuning;
mod voice;
mod wishes;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, Kind};
use crate::link::Cancel;

pub use voice::SharedSink;
use wishes::StopWishes;

/// Runs `work` on a thread of its own. The first Ctrl-C (or SIGTERM, or a closed terminal) sets `cancel`, and the run ends at its next
/// safe moment; the second ends the process at once.
///
/// # Errors
/// [`Kind::Internal`] when `work` panics or the runtime cannot start.
pub fn conduct<T: Send + 'static>(
    cancel: &Cancel,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let internal = |what: String| Error::new(Kind::Internal, what);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| internal(format!("cannot start the conductor: {error}")))?;
    let ended = runtime.block_on(async {
        // Before the work begins: a wish that nobody listens to ends the process without a word.
        let mut wishes =
            StopWishes::listen().map_err(|error| internal(format!("cannot listen for Ctrl-C: {error}")))?;
        let (sender, mut receiver) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("module".into()).spawn(move || {
            // A panic must not leave the conductor waiting.
            let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
        });
        thread.map_err(|error| internal(format!("cannot start a thread: {error}")))?;
        loop {
            tokio::select! {
                ended = &mut receiver => break Ok::<_, Error>(ended),
                () = wishes.next() => {
                    if cancel.is_set() {
                        // Nobody knows how far the run has come: the code says the worst.
                        std::process::exit(12);
                    }
                    cancel.set();
                }
            }
        }
    })?;
    match ended {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => Err(bug(&*panic)),
        Err(_) => Err(internal("the run ended without a word".into())),
    }
}

/// A panic as an error.
fn bug(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Error::new(
        Kind::Internal,
        text.unwrap_or_else(|| "a panic without words".into()),
    )
}
