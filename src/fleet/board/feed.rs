//! What browsers are told: first everything, then what has changed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::response::sse;
use serde::Serialize;
use tokio::sync::{Notify, broadcast};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_stream::{Stream, StreamExt};

use super::server::page_version;
use super::state::{State, View};
use super::today::Today;
use crate::event::{Event, EventKind};
use crate::fleet::config::{Config, Slot};

/// Messages that a slow browser may be behind; one that is further behind gets everything anew.
const BACKLOG: usize = 8;

/// The state, and the stream of its changes.
pub(super) struct Feed {
    station: Station,
    state: Mutex<State>,
    messages: broadcast::Sender<Message>,
    /// Number of the last message. Snapshots and messages are made on one thread, so that it says which messages a
    /// snapshot holds already.
    number: AtomicU64,
    /// Somebody has finished: the figures of the day are others.
    pub finished: Notify,
}

/// What does not change while the process lives.
#[derive(Serialize)]
struct Station {
    /// Another one: the page must be loaded again.
    version: String,
    /// Another one: another process serves.
    start: String,
    line: String,
    station: String,
    products: Vec<Product>,
}

#[derive(Serialize)]
struct Product {
    ordering_code: String,
    package: String,
}

#[derive(Clone)]
struct Message {
    number: u64,
    what: What,
}

#[derive(Clone)]
enum What {
    Change(Arc<str>),
    Beat,
    End,
}

impl Feed {
    pub fn new(config: &Config, slots: &[Slot], today: Option<Today>) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let product = |product: &crate::fleet::config::Product| Product {
            ordering_code: product.ordering_code.to_string(),
            package: product
                .file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        };
        Feed {
            station: Station {
                version: page_version(),
                start: format!("{}-{}", std::process::id(), since_epoch.as_nanos()),
                line: config.line.clone(),
                station: config.station.clone(),
                products: config.products.iter().map(product).collect(),
            },
            state: Mutex::new(State::new(slots, today)),
            messages: broadcast::Sender::new(BACKLOG),
            number: AtomicU64::new(0),
            finished: Notify::new(),
        }
    }

    /// Takes an event in; called by the threads of the slots.
    pub fn hear(&self, event: &Event) {
        self.state().fold(event);
        if matches!(
            event.kind,
            EventKind::Finished { .. } | EventKind::AttemptFailed { .. }
        ) {
            self.finished.notify_one();
        }
    }

    /// The figures of the day.
    pub fn set_today(&self, today: Option<Today>) {
        self.state().set_today(today);
    }

    /// Everything, as JSON.
    pub fn snapshot(&self) -> String {
        #[derive(Serialize)]
        struct Snapshot<'a> {
            station: &'a Station,
            #[serde(flatten)]
            view: View,
        }
        let view = self.state().all();
        text(&Snapshot {
            station: &self.station,
            view,
        })
    }

    /// Tells what has changed since the last call.
    pub fn publish(&self) {
        let changes = self.state().take_changes();
        if let Some(changes) = changes {
            self.send(What::Change(text(&changes).into()));
        }
    }

    /// Tells that the line is not dead.
    pub fn beat(&self) {
        self.send(What::Beat);
    }

    /// The run is over: that is the last that is told.
    pub fn end(&self) {
        self.state().end();
        self.publish();
        self.send(What::End);
    }

    /// Everything, then changes, until the run is over.
    pub fn follow(self: &Arc<Self>) -> impl Stream<Item = sse::Event> + Send + use<> {
        let feed = Arc::clone(self);
        let later = BroadcastStream::new(self.messages.subscribe());
        let mut told = self.number.load(Ordering::Relaxed);
        let first = sse::Event::default().event("snapshot").data(self.snapshot());
        let later = later
            .map_while(move |message| match message {
                Ok(Message { what: What::End, .. }) => None,
                Ok(Message { number, .. }) if number <= told => Some(None),
                Ok(Message {
                    what: What::Change(json),
                    ..
                }) => Some(Some(sse::Event::default().event("change").data(&*json))),
                Ok(Message { what: What::Beat, .. }) => {
                    Some(Some(sse::Event::default().event("beat").data("-")))
                }
                Err(BroadcastStreamRecvError::Lagged(_)) => {
                    told = feed.number.load(Ordering::Relaxed);
                    Some(Some(
                        sse::Event::default().event("snapshot").data(feed.snapshot()),
                    ))
                }
            })
            .filter_map(|event| event);
        tokio_stream::once(first).chain(later)
    }

    fn send(&self, what: What) {
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        // Nobody may be looking.
        let _ = self.messages.send(Message { number, what });
    }

    /// A panic elsewhere must not blind the board.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing that is told can fail to be JSON: keys are text, and there are no maps.
fn text(told: &impl Serialize) -> String {
    serde_json::to_string(told).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use qpyflash_protocols::Phase;

    use super::*;
    use crate::event::Events;

    fn feed() -> Arc<Feed> {
        let text = "line = \"L\"\nstation = \"S\"\nstate = \".\"\n[[slot]]\nname = \"A\"\npath = \"1-1\"\n";
        let config = Config::parse(Path::new("fixture.toml"), text).unwrap();
        Arc::new(Feed::new(&config, &config.slots, None))
    }

    /// So many changes, each told by itself.
    fn change(feed: &Arc<Feed>, many: usize) {
        let own = Arc::clone(feed);
        let mut events = Events::new(Box::new(move |event| own.hear(event)));
        events.set_slot("A");
        for phase in Phase::ALL.into_iter().cycle().take(many) {
            events.start(phase);
            feed.publish();
        }
    }

    /// What a reader is told until the end: the kind of each message.
    async fn told(reader: impl Stream<Item = sse::Event>) -> Vec<&'static str> {
        let kind = |event: sse::Event| {
            let text = format!("{event:?}");
            let kinds = ["snapshot", "change", "beat"];
            kinds
                .into_iter()
                .find(|kind| text.contains(&format!("event: {kind}")))
                .unwrap()
        };
        reader.map(kind).collect().await
    }

    #[tokio::test]
    async fn a_reader_that_keeps_up_is_told_each_change() {
        let feed = feed();
        let reader = feed.follow();
        change(&feed, BACKLOG - 2);
        feed.end();
        let mut expected = vec!["snapshot"];
        expected.extend(["change"; BACKLOG - 1]);
        assert_eq!(told(reader).await, expected);
    }

    #[tokio::test]
    async fn a_reader_that_lags_gets_everything_anew_and_nothing_that_is_older() {
        let feed = feed();
        let reader = feed.follow();
        change(&feed, 10 * BACKLOG);
        feed.end();
        assert_eq!(told(reader).await, ["snapshot", "snapshot"]);
        assert!(feed.snapshot().contains("\"over\":true"));
    }
}
