//! A page for a big screen above a production line: a tile a slot, and what the day has brought.
//!
//! The board is one more reader of the events. It has a thread and a runtime of its own, and takes an event in without
//! ever waiting for a browser, so that nothing that happens to it holds up the line.
//!
//! ```text
//! events of all slots -> state    a tile a slot
//! record              -> today    yield and cycle time, read again after a module has finished
//! state, today        -> feed     a snapshot for who comes or has fallen behind, then changes, ten times a second
//! feed                -> server   HTTP: GET alone, this machine alone or with a token
//! page/                           what the browser gets; nothing of it comes from elsewhere
//! ```

mod access;
mod feed;
mod server;
mod state;
mod today;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tokio::sync::oneshot;

use super::SharedSink;
use super::config::{Config, Slot};
use crate::error::{Error, Kind};
use crate::event::Event;

pub use access::Access;
use feed::Feed;

/// Longest time for the last word to reach the browsers before the process ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// The page, served until this is dropped; it then says that the run is over.
pub struct Board {
    feed: Arc<Feed>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: Receiver<()>,
}

impl Board {
    /// Serves the page of these slots of a station.
    ///
    /// # Errors
    /// [`Kind::LinkBusy`] when the address is taken, [`Kind::LinkDenied`] when it may not be used, [`Kind::Usage`] when
    /// this machine does not have it, [`Kind::Internal`] when the thread cannot start.
    pub fn open(access: Access, config: &Config, slots: &[Slot]) -> Result<Self, Error> {
        let listener = listen(access.address())?;
        let internal =
            |why: std::io::Error| Error::new(Kind::Internal, format!("cannot start the board: {why}"));
        let address = listener.local_addr().map_err(internal)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(internal)?;
        let feed = Arc::new(Feed::new(config, slots, today::read(&config.state)));
        let (stop, stopped) = oneshot::channel();
        let (ending, ended) = channel();
        let (own, state) = (Arc::clone(&feed), PathBuf::from(&config.state));
        let serve = move || {
            runtime.block_on(server::serve(listener, access, own, state, stopped));
            // The record may just be read: nobody waits for that.
            runtime.shutdown_background();
            let _ = ending.send(());
        };
        std::thread::Builder::new()
            .name("board".into())
            .spawn(serve)
            .map_err(internal)?;
        Ok(Board {
            feed,
            address,
            stop: Some(stop),
            ended,
        })
    }

    /// Where the page is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A sink that lets the board know, too.
    pub fn beside(&self, sink: SharedSink) -> SharedSink {
        let feed = Arc::clone(&self.feed);
        Arc::new(move |event: &Event| {
            sink(event);
            feed.hear(event);
        })
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        // A browser that does not read must not hold up the end of the run.
        let _ = self.ended.recv_timeout(FAREWELL + FAREWELL);
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|why| {
        let text = format!("the board cannot be served at `{address}`: {why}");
        match why.kind() {
            std::io::ErrorKind::AddrInUse => Error::new(Kind::LinkBusy, text)
                .hint("another program serves there; choose another port, or stop that program"),
            std::io::ErrorKind::PermissionDenied => {
                Error::new(Kind::LinkDenied, text).hint("choose a port above 1023")
            }
            _ => Error::new(Kind::Usage, text).hint("`ip address` shows the addresses of this machine"),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use qpyflash_protocols::Phase;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    struct Words {
        en: BTreeMap<String, String>,
        zh: BTreeMap<String, String>,
        failures: BTreeMap<String, BTreeMap<String, [String; 2]>>,
    }

    #[test]
    fn every_failure_and_every_phase_has_words_in_both_languages() {
        let words: Words = serde_json::from_str(include_str!("page/words.json")).unwrap();
        let is_chinese = |text: &String| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        assert!(words.en.keys().eq(words.zh.keys()));
        let page = concat!(include_str!("page/page.js"), include_str!("page/index.html"));
        for key in words.en.keys().filter(|key| !key.contains('.')) {
            assert!(
                page.contains(&format!("\"{key}\"")) || page.contains(&format!("#{key}")),
                "`{key}` is said nowhere"
            );
        }
        for phase in Phase::ALL {
            let key = format!("phase.{}", json!(phase).as_str().unwrap());
            assert!(
                words.en.contains_key(&key) && is_chinese(&words.zh[&key]),
                "{key}"
            );
        }
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "{kind:?}");
            let failure = &words.failures[kind.code()];
            assert!(
                failure["en"]
                    .iter()
                    .all(|text| text.is_ascii() && text.ends_with('.')),
                "{kind:?}"
            );
            assert!(
                failure["zh"]
                    .iter()
                    .all(|text| is_chinese(text) && text.ends_with('。')),
                "{kind:?}"
            );
        }
        assert_eq!(words.failures.len(), Kind::ALL.len());
    }

    #[test]
    fn the_page_asks_nobody_else() {
        for text in [
            include_str!("page/index.html"),
            include_str!("page/page.css"),
            include_str!("page/page.js"),
        ] {
            assert!(!text.contains("://"));
            assert!(!text.contains("innerHTML") && !text.contains("insertAdjacent"));
        }
    }
}
