//! A real browser without a screen, driven over WebDriver.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stage::PATIENCE;

/// Where chromium and its driver are on Debian.
const CHROMIUM: &str = "/usr/bin/chromium";
const DRIVER: &str = "/usr/bin/chromedriver";
/// For containers, for root, and for a machine that is not to be asked for anything else.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
];

/// Leaves the test, loudly, where there is no browser; a failure where one is promised.
pub fn there_is_one() -> bool {
    let there = Path::new(CHROMIUM).exists() && Path::new(DRIVER).exists();
    assert!(
        there || std::env::var_os("QPYFLASH_EXPECT_ALL").is_none(),
        "no browser: `apt-get install chromium chromium-driver`"
    );
    if !there {
        // Past the test harness, which would swallow it.
        let _ = writeln!(
            std::io::stderr(),
            "\n!!! SKIPPED: no browser, so the page was not looked at: `apt-get install chromium chromium-driver` !!!\n"
        );
    }
    there
}

/// A browser with one window. Dropping it ends it.
pub struct Browser {
    client: Client,
    port: u16,
    session: String,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    /// A window of a large screen, of somebody who reads this language.
    pub async fn start(language: &str) -> Self {
        let profile = TempDir::with_prefix("qpyflash-browser-").unwrap();
        let mut driver = Command::new(DRIVER)
            .arg("--port=0")
            .env("HOME", profile.path())
            .env("TMPDIR", profile.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let port = port(&mut driver);
        let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).into();
        arguments.push(format!(
            "--user-data-dir={}",
            profile.path().join("profile").display()
        ));
        arguments.push(format!("--accept-lang={language}"));
        arguments.push("--window-size=1920,1080".into());
        let options = json!({ "goog:chromeOptions": { "binary": CHROMIUM, "args": arguments } });
        let Value::Object(options) = options else {
            unreachable!("it is an object")
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(options)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        let session = client.session_id().await.unwrap().unwrap();
        Browser {
            client,
            port,
            session,
            driver,
            _profile: profile,
        }
    }

    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    pub async fn resize(&self, width: u32, height: u32) {
        self.client.set_window_size(width, height).await.unwrap();
    }

    /// What a script returns.
    pub async fn ask(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Waits until an expression is true.
    pub async fn until(&self, expression: &str) {
        let until = Instant::now() + PATIENCE;
        while self.ask(&format!("return Boolean({expression});")).await != Value::Bool(true) {
            if Instant::now() > until {
                let text = self.ask("return document.body.innerText;").await;
                panic!(
                    "never came true: {expression}\n{}",
                    text.as_str().unwrap_or_default()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Keeps what is to be seen, in the folder that QPYFLASH_SCREENSHOTS names.
    pub async fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("QPYFLASH_SCREENSHOTS") {
            let picture = self.client.screenshot().await.unwrap();
            std::fs::write(Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
        }
    }
}

/// The port the driver has found, which it says within its first lines.
fn port(driver: &mut Child) -> u16 {
    let stdout = driver.stdout.take().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                let _ = sender.send(port.trim_end_matches('.').parse().unwrap());
            }
        }
    });
    receiver
        .recv_timeout(PATIENCE)
        .expect("the driver names its port")
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser with its session; whatever is left of both ends with their group.
        let session = format!("http://127.0.0.1:{}/session/{}", self.port, self.session);
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .new_agent();
        let _ = agent.delete(&session).call();
        let _ = kill_process_group(Pid::from_child(&self.driver), Signal::KILL);
        let _ = self.driver.wait();
    }
}
