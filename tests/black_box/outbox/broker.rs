//! A real broker, mosquitto, and its own client as the plant that listens.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::Received;
use crate::bench::PATIENCE;

/// Whom the broker lets in.
pub const USER: &str = "line";
pub const PASSWORD: &str = "correct horse battery staple";

/// Certificates for the broker's TLS listener: PEM of the authority, the broker, and its key.
pub struct Certificates {
    pub authority: String,
    pub server: String,
    pub key: String,
}

/// A broker on a port of its own. It keeps sessions over restarts.
pub struct Broker {
    programs: Programs,
    folder: TempDir,
    pub port: u16,
    process: Option<Child>,
}

#[derive(Clone)]
struct Programs {
    broker: PathBuf,
    passwords: PathBuf,
    listener: PathBuf,
}

/// The programs of the packages; none where they are not installed, which is said, and a failure where everything is
/// expected to be there.
fn programs() -> Option<Programs> {
    let find = |name: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    };
    let found = (find("mosquitto"), find("mosquitto_passwd"), find("mosquitto_sub"));
    if let (Some(broker), Some(passwords), Some(listener)) = found {
        return Some(Programs {
            broker,
            passwords,
            listener,
        });
    }
    let missing = "no broker: install the packages `mosquitto` and `mosquitto-clients`";
    assert!(std::env::var_os("QPYFLASH_EXPECT_ALL").is_none(), "{missing}");
    eprintln!("skipped: {missing}");
    None
}

/// A port that nobody is given by the system while the broker is away: systems give higher ones.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id() * 31 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + (next % 12_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Broker {
    /// Starts one; none where the package is missing. With certificates, it talks TLS only and wants a client
    /// certificate of the same authority.
    pub fn start(certificates: Option<&Certificates>) -> Option<Broker> {
        let programs = programs()?;
        let folder = TempDir::with_prefix("qpyflash-broker-").unwrap();
        let port = free_port();
        let at = |name: &str| folder.path().join(name).display().to_string();
        // The password is wanted only without certificates.
        let mut text = format!(
            "listener {port} 127.0.0.1\nuser root\npersistence true\npersistence_location {}/\nmax_queued_messages 0\n",
            folder.path().display()
        );
        if let Some(certificates) = certificates {
            for (name, pem) in [
                ("ca.pem", &certificates.authority),
                ("server.pem", &certificates.server),
                ("server.key", &certificates.key),
            ] {
                std::fs::write(folder.path().join(name), pem).unwrap();
            }
            text += &format!(
                "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\nallow_anonymous true\n",
                at("ca.pem"),
                at("server.pem"),
                at("server.key")
            );
        } else {
            let made = Command::new(&programs.passwords)
                .args(["-b", "-c", &at("passwords"), USER, PASSWORD])
                .status();
            assert!(made.unwrap().success());
            text += &format!("allow_anonymous false\npassword_file {}\n", at("passwords"));
        }
        std::fs::write(folder.path().join("mosquitto.conf"), text).unwrap();
        let mut broker = Broker {
            programs,
            folder,
            port,
            process: None,
        };
        broker.restart();
        Some(broker)
    }

    /// Goes on with these lines in addition to its first configuration, instead of those it was given so before.
    pub fn reconfigure(&mut self, lines: &str) {
        self.stop();
        let file = self.folder.path().join("mosquitto.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        let first = text.split("# more\n").next().unwrap();
        std::fs::write(file, format!("{first}# more\n{lines}\n")).unwrap();
        self.restart();
    }

    /// Starts it again, and waits until it listens.
    pub fn restart(&mut self) {
        assert!(self.process.is_none());
        let until = Instant::now() + PATIENCE;
        let spawned = self.spawn();
        let process = self.process.insert(spawned);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < until && process.try_wait().unwrap().is_none());
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(
            process.try_wait().unwrap().is_none(),
            "somebody else has the port"
        );
    }

    fn spawn(&self) -> Child {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        Command::new(&self.programs.broker)
            .args(["-v", "-c"])
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Ends it as the system does, so that it keeps its sessions.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
            process.wait().unwrap();
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Somebody who wants every message, also those that come while he or the broker is away.
    pub fn listen(&self, certificates: Option<&Path>) -> Plant {
        let command = || {
            let mut command = Command::new(&self.programs.listener);
            command
                .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-V", "mqttv5"])
                .args(["-i", "plant", "-c", "-x", "3600", "-q", "1", "-t", "#"]);
            match certificates {
                Some(folder) => {
                    for (option, name) in [
                        ("--cafile", "ca.pem"),
                        ("--cert", "client.pem"),
                        ("--key", "client.key"),
                    ] {
                        command.arg(option).arg(folder.join(name));
                    }
                }
                None => {
                    command.args(["-u", USER, "-P", PASSWORD]);
                }
            }
            command
        };
        let subscribed = command().arg("-E").status().unwrap();
        assert!(subscribed.success(), "{}", self.log());
        let mut process = command()
            .args(["-F", "%t\t%P\t%p"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let received = Received::new(usize::MAX / 2);
        let (lines, kept) = (
            BufReader::new(process.stdout.take().unwrap()).lines(),
            received.clone(),
        );
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut parts = line.splitn(3, '\t');
                let (topic, property) = (parts.next().unwrap(), parts.next().unwrap());
                let body: Value = serde_json::from_str(parts.next().unwrap()).unwrap();
                let id = property.strip_prefix("id:").unwrap_or(property);
                kept.add(topic, id, body);
            }
        });
        // A listener that cannot connect at first gives up; later it tries for ever.
        let until = Instant::now() + PATIENCE;
        while self.log().matches(" as plant ").count() < 2 {
            assert!(Instant::now() < until, "{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        Plant {
            received,
            process: Arc::new(Mutex::new(process)),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The one who listens.
pub struct Plant {
    pub received: Received,
    process: Arc<Mutex<Child>>,
}

impl Drop for Plant {
    fn drop(&mut self) {
        let mut process = self.process.lock().unwrap();
        let _ = process.kill();
        let _ = process.wait();
    }
}
