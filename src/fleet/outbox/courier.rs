//! Brings the messages of one destination there, one after the other, and never gives up.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::store::{Message, Queue};
use super::{Notice, Tell};
use crate::fleet::journal::file_in;

/// Time between two looks for a new message: the line writes it, nobody calls.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The first wait after a failure; each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait once the program only waits for what is left.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// How far the program has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// New messages come.
    Run,
    /// No more come: deliver what is left.
    Finish,
    /// Stop at once.
    Quit,
}

/// Why a message was not delivered, without any secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub why: String,
    /// The destination was reached, and says no to this message.
    pub is_refusal: bool,
}

impl Failure {
    /// It may work the next time.
    pub fn passing(why: impl Into<String>) -> Self {
        Failure {
            why: why.into(),
            is_refusal: false,
        }
    }

    /// It will not work until somebody changes something.
    pub fn refusal(why: impl Into<String>) -> Self {
        Failure {
            why: why.into(),
            is_refusal: true,
        }
    }
}

/// Where messages go.
pub(super) trait Destination {
    /// Its name in configuration, record and notices.
    const NAME: &'static str;

    /// Sends a message, and returns when the other end has said that it has it.
    fn deliver(&mut self, message: &Message) -> impl Future<Output = Result<(), Failure>>;

    /// Keeps the connection alive; never returns.
    fn idle(&mut self) -> impl Future<Output = ()>;

    /// Says good-bye.
    fn close(self) -> impl Future<Output = ()>;
}

/// The thread of one destination.
pub(super) struct Courier<D> {
    destination: D,
    /// The longest wait after a failure.
    retry: Duration,
    wait: Duration,
    stage: watch::Receiver<Stage>,
    tell: Tell,
    told: Option<String>,
}

impl<D: Destination> Courier<D> {
    pub fn new(destination: D, retry: Duration, stage: watch::Receiver<Stage>, tell: Tell) -> Self {
        Courier {
            destination,
            retry,
            wait: FIRST_WAIT,
            stage,
            tell,
            told: None,
        }
    }

    /// Works until all is delivered and no more comes, or it is to stop at once.
    pub async fn work(mut self, state: &Path) {
        let Some(queue) = self.open(state).await else {
            return;
        };
        loop {
            let stage = self.stage();
            match queue.next() {
                _ if stage == Stage::Quit => return,
                Ok(Some(message)) => {
                    let mut quit = self.stage.clone();
                    let delivered = tokio::select! {
                        delivered = self.destination.deliver(&message) => delivered,
                        // Unless told to stop, or left alone.
                        _ = quit.wait_for(|stage| *stage == Stage::Quit) => return,
                    };
                    self.conclude(&queue, &message, delivered).await;
                }
                Ok(None) if stage == Stage::Finish => break,
                Ok(None) => {
                    tokio::select! {
                        () = self.destination.idle() => {}
                        () = sleep(LOOK_EVERY) => {}
                        _ = self.stage.changed() => {}
                    }
                }
                Err(why) => self.fail(&Failure::passing(record(&why))).await,
            }
        }
        self.destination.close().await;
    }

    /// The queue, as soon as there is one and nobody else works on it.
    async fn open(&mut self, state: &Path) -> Option<Queue> {
        loop {
            match Queue::open(state, D::NAME) {
                Ok(Some(queue)) => return Some(queue),
                // No run has ever begun, and none will.
                Ok(None) if self.stage() == Stage::Finish && !file_in(state).exists() => return None,
                Ok(None) => self.rest(LOOK_EVERY).await,
                Err(why) => self.fail(&Failure::passing(record(&why))).await,
            }
            if self.stage() == Stage::Quit {
                return None;
            }
        }
    }

    async fn conclude(&mut self, queue: &Queue, message: &Message, delivered: Result<(), Failure>) {
        let recorded = match &delivered {
            Ok(()) => queue.delivered(message),
            Err(failure) => queue.failed(&failure.why),
        };
        match (delivered, recorded) {
            (Ok(()), Ok(())) => {
                self.wait = FIRST_WAIT;
                if self.told.take().is_some() {
                    (self.tell)(&Notice::Recovered { destination: D::NAME });
                }
            }
            (Err(failure), _) => self.fail(&failure).await,
            (Ok(()), Err(why)) => self.fail(&Failure::passing(record(&why))).await,
        }
    }

    /// Says what is wrong, unless that was said before, and waits.
    async fn fail(&mut self, failure: &Failure) {
        if self.told.as_ref() != Some(&failure.why) {
            self.told = Some(failure.why.clone());
            (self.tell)(&Notice::Trouble {
                destination: D::NAME,
                why: failure.why.clone(),
                is_refusal: failure.is_refusal,
            });
        }
        let longest = match self.stage() {
            Stage::Run => self.retry,
            Stage::Finish | Stage::Quit => LAST_WAIT.min(self.retry),
        };
        let wait = if failure.is_refusal {
            longest
        } else {
            self.wait.min(longest)
        };
        self.wait = (self.wait * 2).min(self.retry);
        self.rest(wait).await;
    }

    /// Waits, but not longer than the stage lasts.
    async fn rest(&mut self, how_long: Duration) {
        tokio::select! {
            () = sleep(how_long) => {}
            _ = self.stage.changed() => {}
        }
    }

    /// A program that has let go of the outbox without a word has ended.
    fn stage(&self) -> Stage {
        match self.stage.has_changed() {
            Ok(_) => *self.stage.borrow(),
            Err(_) => Stage::Quit,
        }
    }
}

fn record(why: &impl std::fmt::Display) -> String {
    format!("the record cannot be read or kept: {why}")
}
