//! `[publish]` of `fixture.toml`: where messages go.
//!
//! ```toml
//! [publish]
//! grace_seconds = 5                # at the end of a run, for what is left
//! retry_seconds = 60               # longest wait between two tries; after a refusal, every wait
//!
//! [publish.mqtt]                   # MQTT 5, QoS 1, not retained, user property `id`
//! url = "mqtts://broker.plant"     # or `mqtt://`, and a port where it is not 8883 or 1883
//! topic = "qpyflash/{line}/{station}/{slot}"      # also `{verdict}`, `{imei}`; an attempt without one: `unknown`
//! client_id = "qpyflash-L1-S1"
//! user = "line"
//! password_file = "secret/mqtt"    # or `password_env = "VARIABLE"`, or, for all to see, `password`
//! ca = "plant-ca.pem"              # left away: public authorities
//! certificate = "station.pem"      # with `key`, where the broker wants it
//! key = "station.key"
//! keep_alive_seconds = 30
//! timeout_seconds = 10
//!
//! [publish.http]                   # POST, `Idempotency-Key: <id>`, `Content-Type: application/json`
//! url = "https://mes.plant/flashed"
//! token_file = "secret/http"       # or `token_env`, or `token`: `Authorization: Bearer <token>`
//! header = "X-Api-Key"             # with the token alone in it, instead of `Authorization`
//! ca = "plant-ca.pem"
//! timeout_seconds = 10
//! ```
//!
//! The session with the broker is a clean one: what it has not acknowledged is in the outbox, and we subscribe to
//! nothing, so that there is nothing a broker could keep for us.
//!
//! A proxy that the environment names (`HTTPS_PROXY`, `NO_PROXY`) is used for HTTP.
//!
//! HTTP 2xx is the word that a message has arrived. 408, 425, 429, 5xx and silence pass; any other answer is a
//! refusal. So is an MQTT acknowledgement with a reason other than success, no subscriber, quota and unspecified.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;
use ureq::http::{HeaderName, Uri};

use super::courier::Destination;
use super::http::Http;
use super::mqtt::Mqtt;
use super::secret::{Secret, Source};
use super::tls::Tls;
use super::topic::Topic;

/// Where messages go.
#[derive(Debug, Clone, Default)]
pub struct Publish {
    /// Time at the end of a run for what is left.
    pub grace: Duration,
    /// Longest wait between two tries.
    pub retry: Duration,
    /// A broker.
    pub mqtt: Option<MqttSettings>,
    /// A web service.
    pub http: Option<HttpSettings>,
}

/// A broker.
#[derive(Debug, Clone)]
pub struct MqttSettings {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How the connection is kept from others; nothing for one that is not.
    pub tls: Option<Tls>,
    /// Who we are for the broker.
    pub client_id: String,
    /// User and password.
    pub user: Option<(String, Option<Source>)>,
    /// The topic of a message.
    pub topic: Topic,
    /// Longest silence of the connection.
    pub keep_alive: Duration,
    /// Longest time for a connection, and for an acknowledgement.
    pub timeout: Duration,
}

/// A web service.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Where messages are posted.
    pub url: String,
    /// The header that holds the token, and the word before it.
    pub header: (String, &'static str),
    /// The token.
    pub token: Option<Source>,
    /// Whom we trust.
    pub tls: Tls,
    /// Longest time for an answer.
    pub timeout: Duration,
}

impl Publish {
    /// The section, checked; nothing of it is nowhere to send.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(in crate::fleet) fn read(
        text: Option<Text>,
        folder: &Path,
        line: &str,
        station: &str,
    ) -> Result<Self, Wrong> {
        let Some(text) = text else {
            return Ok(Publish::default());
        };
        Ok(Publish {
            grace: seconds(text.grace_seconds, 5, 0..=3600)?,
            retry: seconds(text.retry_seconds, 60, 1..=3600)?,
            mqtt: text
                .mqtt
                .map(|text| mqtt(text, folder, line, station))
                .transpose()?,
            http: text.http.map(|text| http(text, folder)).transpose()?,
        })
    }

    /// The names of the destinations.
    pub fn destinations(&self) -> impl Iterator<Item = &'static str> {
        let mqtt = self.mqtt.as_ref().map(|_| Mqtt::NAME);
        mqtt.into_iter().chain(self.http.as_ref().map(|_| Http::NAME))
    }
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::fleet) struct Text {
    grace_seconds: Option<Spanned<u32>>,
    retry_seconds: Option<Spanned<u32>>,
    mqtt: Option<Spanned<MqttText>>,
    http: Option<Spanned<HttpText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MqttText {
    url: Spanned<String>,
    topic: Option<Spanned<String>>,
    client_id: Option<Spanned<String>>,
    user: Option<String>,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
    password_env: Option<String>,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    keep_alive_seconds: Option<Spanned<u32>>,
    timeout_seconds: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpText {
    url: Spanned<String>,
    header: Option<Spanned<String>>,
    token: Option<Secret>,
    token_file: Option<PathBuf>,
    token_env: Option<String>,
    ca: Option<PathBuf>,
    timeout_seconds: Option<Spanned<u32>>,
}

/// What is wrong, and where in the text.
type Wrong = (Range<usize>, String);

fn mqtt(text: Spanned<MqttText>, folder: &Path, line: &str, station: &str) -> Result<MqttSettings, Wrong> {
    let (span, text) = (text.span(), text.into_inner());
    let wrong = |why: &str| (span.clone(), why.to_owned());
    let url = uri(&text.url, ["mqtt", "mqtts"])?;
    if url.path_and_query().is_some_and(|rest| rest.as_str() != "/") {
        return Err((text.url.span(), "a broker has no path: `mqtt://HOST:PORT`".into()));
    }
    let is_secure = url.scheme_str() == Some("mqtts");
    let client = match (text.certificate, text.key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some((folder.join(certificate), folder.join(key))),
        _ => return Err(wrong("`certificate` and `key` go together")),
    };
    let tls = Tls {
        ca: text.ca.map(|ca| folder.join(ca)),
        client,
    };
    if !is_secure && (tls.ca.is_some() || tls.client.is_some()) {
        return Err(wrong("certificates need a `url` that begins with `mqtts://`"));
    }
    let password = Source::choose(
        "password",
        folder,
        text.password,
        text.password_file,
        text.password_env,
    );
    let user = match (text.user, password.map_err(|why| wrong(&why))?) {
        (None, None) => None,
        (Some(user), password) => Some((user, password)),
        (None, Some(_)) => return Err(wrong("a password needs a `user`")),
    };
    Ok(MqttSettings {
        host: url.host().unwrap_or_default().to_owned(),
        port: url.port_u16().unwrap_or(if is_secure { 8883 } else { 1883 }),
        tls: is_secure.then_some(tls),
        client_id: text
            .client_id
            .map_or_else(|| Ok(format!("qpyflash-{line}-{station}")), client_id)?,
        user,
        topic: match text.topic {
            Some(topic) => Topic::parse(topic.get_ref()).map_err(|why| (topic.span(), why))?,
            None => Topic::default(),
        },
        keep_alive: seconds(text.keep_alive_seconds, 30, 5..=65_535)?,
        timeout: seconds(text.timeout_seconds, 10, 1..=600)?,
    })
}

fn http(text: Spanned<HttpText>, folder: &Path) -> Result<HttpSettings, Wrong> {
    let (span, text) = (text.span(), text.into_inner());
    let wrong = |why: String| (span.clone(), why);
    uri(&text.url, ["http", "https"])?;
    let token =
        Source::choose("token", folder, text.token, text.token_file, text.token_env).map_err(wrong)?;
    let header = match text.header {
        Some(header) if HeaderName::from_bytes(header.get_ref().as_bytes()).is_err() => {
            return Err((header.span(), "this is no name of an HTTP header".into()));
        }
        Some(header) if token.is_none() => return Err((header.span(), "a header needs a token".into())),
        Some(header) => (header.into_inner(), ""),
        None => ("Authorization".into(), "Bearer "),
    };
    Ok(HttpSettings {
        url: text.url.into_inner(),
        header,
        token,
        tls: Tls {
            ca: text.ca.map(|ca| folder.join(ca)),
            client: None,
        },
        timeout: seconds(text.timeout_seconds, 10, 1..=600)?,
    })
}

fn uri(text: &Spanned<String>, schemes: [&str; 2]) -> Result<Uri, Wrong> {
    // What was written is not quoted: a password could be in it.
    let form = || {
        (
            text.span(),
            format!(
                "a `{}://` or `{}://` with a host is needed",
                schemes[0], schemes[1]
            ),
        )
    };
    let url: Uri = text.get_ref().parse().map_err(|_| form())?;
    if url
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err((
            text.span(),
            "no user or password in it: they have keys of their own".into(),
        ));
    }
    let is_known = url.scheme_str().is_some_and(|scheme| schemes.contains(&scheme));
    match is_known && url.host().is_some_and(|host| !host.is_empty()) {
        true => Ok(url),
        false => Err(form()),
    }
}

/// Source: MQTT 5.0 §3.1.3.1: every broker takes 23 letters and digits; ours take more, and say so when they do not.
fn client_id(text: Spanned<String>) -> Result<String, Wrong> {
    let (span, text) = (text.span(), text.into_inner());
    match text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
        true => Err((span, "a name of 1 to 256 bytes is needed".into())),
        false => Ok(text),
    }
}

fn seconds(
    text: Option<Spanned<u32>>,
    default: u32,
    range: std::ops::RangeInclusive<u32>,
) -> Result<Duration, Wrong> {
    match text {
        Some(text) if !range.contains(text.get_ref()) => Err((
            text.span(),
            format!("{} to {} seconds are needed", range.start(), range.end()),
        )),
        text => Ok(Duration::from_secs(
            text.map_or(default, Spanned::into_inner).into(),
        )),
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
