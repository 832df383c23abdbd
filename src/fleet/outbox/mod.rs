//! The outbox: one message for each attempt that has ended, brought to the plant's network whenever that works.
//!
//! ```text
//! journal      an attempt ends, and its message is in the outbox: one transaction
//!   store      messages, and for each destination the number of the last one that it has
//!   courier    a thread a destination: the next message, until the destination says that it has it
//!     mqtt     ... with a PUBACK
//!     http     ... with a 2xx
//! ```
//!
//! The line never waits for the network. A destination gets every message at least once and in order, whatever ends
//! the program or the host; a message that comes twice has the same `id`. Messages are kept as long as their attempts:
//! a new destination gets those of the whole record, and one that has moved goes on where it was.
//!
//! A destination that refuses a message gets it again, and nothing after it, until it takes it or somebody changes
//! something: a gap would look like a module that was never flashed.

mod courier;
mod http;
mod mqtt;
mod secret;
pub mod settings;
mod store;
mod tls;
mod topic;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::config::Config;
use super::wishes::StopWishes;
use crate::error::{Error, Kind};
use courier::{Courier, Destination, Stage};
use settings::Publish;
pub(super) use store::add;
pub use store::{Waiting, waiting};

/// Version of the form of a message: `{schema, id, attempt}`, where `attempt` is what `fixture report --json` shows.
pub const SCHEMA: u32 = 1;

/// What a person should know of the delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A destination cannot be reached, or does not take the next message. It is tried again.
    Trouble {
        /// Which destination.
        destination: &'static str,
        /// What is wrong.
        why: String,
        /// It was reached, and said no to this message.
        is_refusal: bool,
    },
    /// After trouble, messages are delivered again.
    Recovered {
        /// Which destination.
        destination: &'static str,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Trouble {
                destination,
                why,
                is_refusal: false,
            } => write!(f, "publish.{destination}: {why}; the messages wait"),
            Notice::Trouble { destination, why, .. } => write!(
                f,
                "publish.{destination}: the message is refused: {why}; it and all after it wait, and it is tried again"
            ),
            Notice::Recovered { destination } => {
                write!(f, "publish.{destination}: messages are delivered again")
            }
        }
    }
}

/// Hears what a person should know, from many threads.
pub type Tell = Arc<dyn Fn(&Notice) + Send + Sync>;

/// The couriers of a station at work. Dropping it ends them.
pub struct Outbox {
    stage: watch::Sender<Stage>,
    ends: Vec<oneshot::Receiver<()>>,
    config: Config,
}

impl Outbox {
    /// Starts a courier for each destination of the station; they begin when the record is there. While another
    /// program's courier works for a destination, the one here waits.
    ///
    /// # Errors
    /// [`Kind::Usage`] when a password, a token or a certificate cannot be read; [`Kind::Internal`].
    pub fn start(config: &Config, tell: &Tell) -> Result<Self, Error> {
        let mut outbox = Outbox {
            stage: watch::Sender::new(Stage::Run),
            ends: Vec::new(),
            config: config.clone(),
        };
        let Publish { mqtt, http, .. } = &config.publish;
        if let Some(settings) = mqtt {
            outbox.employ(mqtt::Mqtt::new(settings)?, tell)?;
        }
        if let Some(settings) = http {
            outbox.employ(http::Http::new(settings)?, tell)?;
        }
        Ok(outbox)
    }

    fn employ(&mut self, destination: impl Destination + Send + 'static, tell: &Tell) -> Result<(), Error> {
        let internal = |why: String| Error::new(Kind::Internal, format!("cannot start a courier: {why}"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|why| internal(why.to_string()))?;
        let (sender, receiver) = oneshot::channel();
        let state = self.config.state.clone();
        let courier = Courier::new(
            destination,
            self.config.publish.retry,
            self.stage.subscribe(),
            Arc::clone(tell),
        );
        let work = move || {
            // A panic has been told already; the line goes on.
            let _ = catch_unwind(AssertUnwindSafe(|| runtime.block_on(courier.work(&state))));
            let _ = sender.send(());
        };
        std::thread::Builder::new()
            .name("courier".into())
            .spawn(work)
            .map_err(|why| internal(why.to_string()))?;
        self.ends.push(receiver);
        Ok(())
    }

    /// Gives the couriers `grace` to deliver what is left, and returns what waits then. A wish that the program stop
    /// ends the grace.
    ///
    /// # Errors
    /// [`Kind::JournalFailed`] when the record cannot be read; [`Kind::Internal`].
    pub fn finish(self, grace: Duration) -> Result<Vec<Waiting>, Error> {
        let internal =
            |why: std::io::Error| Error::new(Kind::Internal, format!("cannot wait for the couriers: {why}"));
        let Outbox { stage, ends, config } = self;
        if ends.is_empty() {
            return Ok(Vec::new());
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(internal)?;
        stage.send_replace(Stage::Finish);
        runtime.block_on(async {
            let mut wishes = StopWishes::listen().map_err(internal)?;
            let all = async {
                for end in ends {
                    let _ = end.await;
                }
            };
            tokio::select! {
                () = all => {}
                () = tokio::time::sleep(grace) => {}
                () = wishes.next() => {}
            }
            Ok::<_, Error>(())
        })?;
        stage.send_replace(Stage::Quit);
        let mut left = waiting(&config.state, &config.publish)?;
        left.retain(|one| one.messages > 0);
        Ok(left)
    }
}
