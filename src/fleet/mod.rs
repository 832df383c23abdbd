//! Runs under a conductor: one thread per module, and one place that hears Ctrl-C. The only home of tokio.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, Kind};
use crate::link::Cancel;

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
        Ok(Err(panic)) => {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(internal(text.unwrap_or_else(|| "a panic without words".into())))
        }
        Err(_) => Err(internal("the run ended without a word".into())),
    }
}

/// Ctrl-C, SIGTERM and a terminal that closes, heard from the moment this exists.
#[cfg(unix)]
struct StopWishes {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl StopWishes {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(StopWishes {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Resolves when somebody wants the program to stop.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// Ctrl-C, heard from the moment this exists.
#[cfg(windows)]
struct StopWishes(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl StopWishes {
    fn listen() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(StopWishes)
    }

    /// Resolves when somebody wants the program to stop.
    async fn next(&mut self) {
        let _ = self.0.recv().await;
    }
}
