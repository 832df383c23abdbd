//! ser2net in front of a port: a server that nobody here has written.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Debian puts it where only root's search path leads.
const PLACES: [&str; 3] = ["ser2net", "/usr/sbin/ser2net", "/usr/local/sbin/ser2net"];
/// How long it may take to begin.
const BEGINS_WITHIN: Duration = Duration::from_secs(20);

/// A ser2net at work, until it is dropped.
pub struct Ser2net {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Ser2net {
    /// Serves the port at `node` on a free port of this host. None, with a word about it, where it is not installed.
    pub fn start(node: &Path) -> Option<Ser2net> {
        let Some(program) = PLACES.into_iter().find(|place| runs(place)) else {
            let text = "ser2net is not installed (`apt install ser2net`)";
            assert!(
                std::env::var_os("QPYFLASH_EXPECT_ALL").is_none_or(|value| value != "1"),
                "{text}"
            );
            // Past the capture of what tests print, so that it is seen.
            let _ = writeln!(std::io::stderr(), "skipped: {text}");
            return None;
        };
        let folder = TempDir::with_prefix("qpyflash-ser2net-").unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .unwrap()
            .port();
        let text = format!(
            "%YAML 1.1\n---\nconnection: &module\n  accepter: telnet(rfc2217),tcp,127.0.0.1,{port}\n  \
             connector: serialdev(nouucplock=true),{},115200n81,local\n",
            node.display()
        );
        let file = folder.path().join("ser2net.yaml");
        std::fs::write(&file, text).unwrap();
        let child = Command::new(program)
            .args(["-n", "-u", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Ser2net {
            child,
            port,
            _folder: folder,
        };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert_eq!(server.child.try_wait().unwrap(), None, "ser2net has ended");
            assert!(began.elapsed() < BEGINS_WITHIN, "ser2net does not listen");
            std::thread::yield_now();
        }
        Some(server)
    }

    /// What `--port` is told.
    pub fn url(&self) -> String {
        format!("rfc2217://localhost:{}", self.port)
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Ser2net {
    fn drop(&mut self) {
        self.kill();
    }
}

fn runs(program: &str) -> bool {
    let version = Command::new(program)
        .arg("-v")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}
