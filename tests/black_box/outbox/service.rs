//! A small web service that does what it is told: well, badly, or not at all.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::Received;
use super::broker::Certificates;

/// What the service does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Takes it, and answers so.
    Answer(u16),
    /// Takes it, and closes the connection without a word.
    Close,
    /// Never answers.
    Stall,
}

/// A service on a port of its own, for as long as the program runs.
#[derive(Clone)]
pub struct Service {
    pub port: u16,
    pub received: Received,
    deeds: Arc<Mutex<(VecDeque<Deed>, Deed)>>,
    headers: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// Does these deeds, one a request, and then answers 200.
    pub fn start(deeds: &[Deed]) -> Service {
        Service::serve(deeds, None)
    }

    pub fn start_secure(certificates: &Certificates) -> Service {
        let chain = vec![CertificateDer::from_pem_slice(certificates.server.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(certificates.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Service::serve(&[], Some(Arc::new(config)))
    }

    fn serve(deeds: &[Deed], tls: Option<Arc<ServerConfig>>) -> Service {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let service = Service {
            port: listener.local_addr().unwrap().port(),
            received: Received::new(1),
            deeds: Arc::new(Mutex::new((deeds.iter().copied().collect(), Deed::Answer(200)))),
            headers: Arc::default(),
        };
        let own = service.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (own, tls) = (own.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    // A client that does not trust us goes without a word.
                    Some(tls) => {
                        let session = ServerConnection::new(tls).unwrap();
                        let _ = own.talk(StreamOwned::new(session, connection));
                    }
                    None => drop(own.talk(connection)),
                });
            }
        });
        service
    }

    /// What it does once it has done what it was told first.
    pub fn then(&self, deed: Deed) {
        self.deeds.lock().unwrap().1 = deed;
    }

    /// Are all deeds done that were told first?
    pub fn is_done(&self) -> bool {
        self.deeds.lock().unwrap().0.is_empty()
    }

    /// The header lines of all requests.
    pub fn headers(&self) -> Vec<String> {
        self.headers.lock().unwrap().clone()
    }

    /// Requests of one connection, until it is closed.
    fn talk(&self, stream: impl Read + Write) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut length, mut id, mut first) = (0, String::new(), String::new());
            stream.read_line(&mut first)?;
            if first.is_empty() {
                return Ok(());
            }
            loop {
                let mut line = String::new();
                stream.read_line(&mut line)?;
                let Some((name, value)) = line.trim_end().split_once(": ") else {
                    break;
                };
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.parse().unwrap(),
                    "idempotency-key" => value.clone_into(&mut id),
                    _ => {}
                }
                self.headers.lock().unwrap().push(line.trim_end().to_owned());
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body)?;
            let deed = {
                let mut deeds = self.deeds.lock().unwrap();
                let then = deeds.1;
                deeds.0.pop_front().unwrap_or(then)
            };
            let body = serde_json::from_slice(&body).unwrap();
            match deed {
                Deed::Answer(status) => {
                    if (200..300).contains(&status) {
                        self.received.add(first.trim_end(), &id, body);
                    }
                    let answer = format!("HTTP/1.1 {status} Word\r\nContent-Length: 5\r\n\r\nhello");
                    stream.get_mut().write_all(answer.as_bytes())?;
                    stream.get_mut().flush()?;
                }
                Deed::Close => {
                    self.received.add(first.trim_end(), &id, body);
                    return Ok(());
                }
                Deed::Stall => {
                    self.received.add(first.trim_end(), &id, body);
                    // Until the other end has lost patience.
                    let _ = stream.read(&mut [0]);
                    return Ok(());
                }
            }
        }
    }
}

/// A port that takes connections and never says a word.
pub struct Mute(TcpListener);

impl Mute {
    pub fn new() -> Mute {
        Mute(TcpListener::bind(("127.0.0.1", 0)).unwrap())
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }
}
