//! Wishes that the program stop: Ctrl-C, SIGTERM, a terminal that closes.

/// Ctrl-C, SIGTERM and a terminal that closes, heard from the moment this exists.
#[cfg(unix)]
pub(super) struct StopWishes {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl StopWishes {
    pub(super) fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(StopWishes {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Resolves when somebody wants the program to stop.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// Ctrl-C, heard from the moment this exists.
#[cfg(windows)]
pub(super) struct StopWishes(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl StopWishes {
    pub(super) fn listen() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(StopWishes)
    }

    /// Resolves when somebody wants the program to stop.
    pub(super) async fn next(&mut self) {
        let _ = self.0.recv().await;
    }
}
