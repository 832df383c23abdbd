//! A web service: each message is posted, and delivered when the answer is 2xx.

use std::future::pending;

use ureq::http::HeaderValue;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Timeout};

use super::courier::{Destination, Failure};
use super::settings::HttpSettings;
use super::store::Message;
use crate::error::{Error, Kind};

/// A web service.
pub struct Http {
    agent: Agent,
    url: String,
    /// Name and value of the header that holds the token.
    token: Option<(String, HeaderValue)>,
}

impl Http {
    /// # Errors
    /// [`Kind::Usage`] when the token or a certificate cannot be read.
    pub(super) fn new(settings: &HttpSettings) -> Result<Self, Error> {
        let mut tls = TlsConfig::builder();
        if let Some(authorities) = settings.tls.authorities()? {
            let certificates = authorities
                .iter()
                .map(|one| Certificate::from_der(one).to_owned());
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates.collect::<Vec<_>>()));
        }
        // A redirection would turn a POST into a GET, or carry the token elsewhere.
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(settings.timeout))
            .user_agent(concat!("qpyflash/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build());
        let token = settings.token.as_ref().map(|source| -> Result<_, Error> {
            let (name, word) = &settings.header;
            let mut value =
                HeaderValue::try_from(format!("{word}{}", source.read()?.reveal())).map_err(|_| {
                    Error::new(
                        Kind::Usage,
                        "the token of `[publish.http]` cannot stand in an HTTP header",
                    )
                })?;
            value.set_sensitive(true);
            Ok((name.clone(), value))
        });
        Ok(Http {
            agent: config.build().into(),
            url: settings.url.clone(),
            token: token.transpose()?,
        })
    }

    fn post(&self, message: &Message) -> Result<(), Failure> {
        let mut request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", &message.id);
        if let Some((name, value)) = &self.token {
            request = request.header(name, value);
        }
        let mut answer = request.send(&message.document).map_err(|why| failure(&why))?;
        let status = answer.status();
        // Read to its end, the connection serves the next message as well. What is in it is nobody's business.
        let _ = answer.body_mut().with_config().limit(64 * 1024).read_to_vec();
        let text = format!("the answer is {status}");
        match status.as_u16() {
            200..=299 => Ok(()),
            408 | 425 | 429 | 500..=599 => Err(Failure::passing(text)),
            300..=399 => Err(Failure::refusal(format!(
                "{text}: `url` must be the final address"
            ))),
            401 | 403 => Err(Failure::refusal(format!("{text}: look at the token"))),
            _ => Err(Failure::refusal(text)),
        }
    }
}

impl Destination for Http {
    const NAME: &'static str = "http";

    async fn deliver(&mut self, message: &Message) -> Result<(), Failure> {
        self.post(message)
    }

    async fn idle(&mut self) {
        pending().await
    }

    async fn close(self) {}
}

/// Without the address, which may have a secret in it.
fn failure(error: &ureq::Error) -> Failure {
    let why = match error {
        ureq::Error::Io(why) if why.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            format!("no secure connection to the service: {why}")
        }
        ureq::Error::Io(why) => format!("the service cannot be reached: {why}"),
        ureq::Error::HostNotFound => "the service cannot be found: nobody knows its name".into(),
        ureq::Error::Timeout(Timeout::Resolve) => {
            "the service cannot be found: no answer about its name".into()
        }
        ureq::Error::Timeout(Timeout::Connect) => "the service cannot be reached: no answer".into(),
        ureq::Error::Timeout(_) => "the service does not answer in time".into(),
        ureq::Error::Tls(why) => format!("no secure connection to the service: {why}"),
        ureq::Error::Rustls(why) => format!("no secure connection to the service: {why}"),
        ureq::Error::BadUri(_) => "the address is none".into(),
        other => format!("the service cannot be spoken with: {other}"),
    };
    Failure::passing(why)
}
