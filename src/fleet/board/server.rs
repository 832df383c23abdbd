//! The page over HTTP.

use std::convert::Infallible;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response, Sse};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_stream::StreamExt;

use super::access::Access;
use super::feed::Feed;
use super::{FAREWELL, today};

/// Time between two changes.
const CHANGES_EVERY: Duration = Duration::from_millis(100);
/// Time between two signs of life. The page calls the connection lost after four of them.
const BEATS_EVERY: Duration = Duration::from_secs(1);
/// Time between two looks into the record.
const FIGURES_EVERY: Duration = Duration::from_secs(2);
/// Browsers at once.
const MOST_CONNECTIONS: usize = 64;
/// Most bytes of a request's head.
const MOST_HEAD_BYTES: usize = 16 * 1024;
/// Most headers of a request.
const MOST_HEADERS: usize = 64;
/// Longest time for a request to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);
/// A browser that takes nothing for so long is dead.
const STALLED: Duration = Duration::from_secs(20);

/// Path, type and text of what holds nothing of the station, but for the page itself.
const FILES: [(&str, &str, &str); 5] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    (
        "/page.css",
        "text/css; charset=utf-8",
        include_str!("page/page.css"),
    ),
    (
        "/page.js",
        "text/javascript; charset=utf-8",
        include_str!("page/page.js"),
    ),
    ("/words.json", "application/json", include_str!("page/words.json")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

/// Headers of every answer. Nothing but what is served here is run, shown or asked, and nothing is kept.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Names what the browser has loaded.
pub(super) fn page_version() -> String {
    let texts: String = FILES.iter().map(|(.., text)| *text).collect();
    crate::firmware::sha256(format!("{}\n{texts}", env!("CARGO_PKG_VERSION")).as_bytes())
}

/// Serves until `stop`, then says that the run is over.
pub(super) async fn serve(
    listener: TcpListener,
    access: Access,
    feed: Arc<Feed>,
    record: PathBuf,
    mut stop: oneshot::Receiver<()>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(why) => return log::error!("the board cannot be served: {why}"),
    };
    let router = router(access, Arc::clone(&feed));
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let (mut browsers, mut helpers) = (JoinSet::new(), JoinSet::new());
    helpers.spawn(tell(Arc::clone(&feed)));
    helpers.spawn(count(Arc::clone(&feed), record.clone()));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                // One too many is turned away.
                Ok((stream, _)) => if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                    let router = router.clone();
                    browsers.spawn(async move {
                        answer(stream, router).await;
                        drop(place);
                    });
                },
                Err(why) => {
                    log::debug!("the board cannot take a connection: {why}");
                    sleep(CHANGES_EVERY).await;
                }
            },
            Some(_) = browsers.join_next() => {}
            _ = &mut stop => break,
        }
    }
    helpers.abort_all();
    let _ = timeout(FAREWELL, count_once(&feed, &record)).await;
    feed.end();
    let _ = timeout(FAREWELL, async { while browsers.join_next().await.is_some() {} }).await;
}

/// Tells of changes and of life.
async fn tell(feed: Arc<Feed>) {
    let (mut changes, mut beats) = (interval(CHANGES_EVERY), interval(BEATS_EVERY));
    loop {
        tokio::select! {
            _ = changes.tick() => feed.publish(),
            _ = beats.tick() => feed.beat(),
        }
    }
}

/// Keeps the figures of the day up to date.
async fn count(feed: Arc<Feed>, record: PathBuf) {
    loop {
        feed.finished.notified().await;
        count_once(&feed, &record).await;
        sleep(FIGURES_EVERY).await;
    }
}

async fn count_once(feed: &Feed, record: &Path) {
    let record = record.to_path_buf();
    if let Ok(today) = tokio::task::spawn_blocking(move || today::read(&record)).await {
        feed.set_today(today);
    }
}

/// One request of one connection: a browser that is turned away leaves its place at once.
async fn answer(stream: TcpStream, router: Router) {
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALLED));
    let answered = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ARRIVAL)
        .max_headers(MOST_HEADERS)
        .max_buf_size(MOST_HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(router))
        .await;
    if let Err(why) = answered {
        log::debug!("a browser has left the board: {why}");
    }
}

fn router(access: Access, feed: Arc<Feed>) -> Router {
    let mut router = Router::new()
        .route("/events", get(events))
        .route("/state", get(snapshot));
    for (path, kind, text) in FILES {
        router = router.route(
            path,
            get(move || async move { ([(header::CONTENT_TYPE, kind)], text) }),
        );
    }
    let guarded =
        middleware::from_fn(move |request: Request, next: Next| guard(access.clone(), request, next));
    router.with_state(feed).layer(guarded)
}

async fn guard(access: Access, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let public = path != "/" && FILES.iter().any(|(file, ..)| *file == path);
    let refused = access.refuses(request.method(), request.uri(), request.headers(), public);
    let mut response = match refused {
        Some(refused) => refused.into_response(),
        None => next.run(request).await,
    };
    if response.status() == axum::http::StatusCode::METHOD_NOT_ALLOWED {
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("GET"));
    }
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn events(State(feed): State<Arc<Feed>>) -> impl IntoResponse {
    Sse::new(feed.follow().map(Ok::<_, Infallible>))
}

async fn snapshot(State(feed): State<Arc<Feed>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], feed.snapshot())
}
