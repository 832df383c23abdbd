//! A small host for the tests of the virtual module: opens a tty, finds frames, plays a `firmware.bin` script.
#![allow(dead_code)]

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Longest wait for anything the module is expected to say.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// One open tty.
pub struct Client {
    tty: File,
    received: VecDeque<u8>,
    /// Answers, INFO and PROG, in the order of arrival.
    pub heard: Vec<String>,
    /// Log lines.
    pub logged: Vec<String>,
    pub heartbeats: usize,
}

impl Client {
    pub fn open(path: impl AsRef<Path>) -> Self {
        let tty = File::options().read(true).write(true).open(path).unwrap();
        Client {
            tty,
            received: VecDeque::new(),
            heard: Vec::new(),
            logged: Vec::new(),
            heartbeats: 0,
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.tty.write_all(bytes)
    }

    /// Writes until the terminal takes no more; returns the bytes it took.
    pub fn fill_up(&mut self) -> usize {
        let flags = rustix::fs::fcntl_getfl(&self.tty).unwrap();
        rustix::fs::fcntl_setfl(&self.tty, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
        let mut taken = 0;
        while let Ok(count) = self.tty.write(&[0; 4096]) {
            taken += count;
            assert!(taken < 1 << 24, "the module takes everything");
        }
        rustix::fs::fcntl_setfl(&self.tty, flags).unwrap();
        taken
    }

    /// Sets the line speed of the tty, in baud.
    pub fn set_baud(&mut self, baud: u32) {
        let mut line = rustix::termios::tcgetattr(&self.tty).unwrap();
        line.set_speed(baud).unwrap();
        rustix::termios::tcsetattr(&self.tty, rustix::termios::OptionalActions::Now, &line).unwrap();
    }

    /// Reads what arrives within `within`; none when nothing did, an empty text when the tty hung up.
    pub fn read(&mut self, within: Duration) -> Option<Vec<u8>> {
        let timeout = Timespec {
            tv_sec: within.as_secs() as i64,
            tv_nsec: within.subsec_nanos().into(),
        };
        if poll(&mut [PollFd::new(&self.tty, PollFlags::IN)], Some(&timeout)).unwrap() == 0 {
            return None;
        }
        let mut buffer = vec![0; 4096];
        let count = self.tty.read(&mut buffer).unwrap_or(0);
        buffer.truncate(count);
        Some(buffer)
    }

    /// Reads text until it contains `end`.
    pub fn read_until(&mut self, end: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut text = String::from_utf8_lossy(self.received.make_contiguous()).into_owned();
        self.received.clear();
        while !text.contains(end) {
            assert!(Instant::now() < deadline, "waited for {end:?}, got {text:?}");
            let bytes = self.read(PATIENCE).unwrap_or_default();
            assert!(!bytes.is_empty(), "the tty hung up or was silent after {text:?}");
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
        text
    }

    /// The next frame as type and payload; none when there was none within `within`.
    pub fn frame(&mut self, within: Duration) -> Option<(u8, Vec<u8>)> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(frame) = self.take_frame() {
                return Some(frame);
            }
            let bytes = self.read(deadline.saturating_duration_since(Instant::now()))?;
            if bytes.is_empty() {
                return None;
            }
            self.received.extend(bytes);
        }
    }

    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let bytes = self.received.make_contiguous();
        let start = bytes.iter().position(|byte| *byte == 0x7E)?;
        let length = bytes[start + 1..].iter().position(|byte| *byte == 0x7E)?;
        let body = bytes[start + 1..start + 1 + length].to_vec();
        self.received.drain(..start + length + 2);
        let (mut kind, mut payload, mut rest) = (0, Vec::new(), body.iter());
        while let Some(byte) = rest.next() {
            match byte {
                0x7D => match rest.next() {
                    Some(0x5E) => payload.push(0x7E),
                    Some(0x5D) => payload.push(0x7D),
                    Some(code) => kind = code ^ 0x20,
                    None => {}
                },
                byte => payload.push(*byte),
            }
        }
        Some((kind, payload))
    }

    pub fn send_frame(&mut self, kind: u8, payload: &[u8]) -> std::io::Result<()> {
        let mut frame = vec![0x7E, 0x7D, kind ^ 0x20];
        for byte in payload {
            match byte {
                0x7E => frame.extend([0x7D, 0x5E]),
                0x7D => frame.extend([0x7D, 0x5D]),
                byte => frame.push(*byte),
            }
        }
        frame.push(0x7E);
        self.send(&frame)
    }

    /// Preamble, confirmation, HELLO; returns the agreed payload size.
    pub fn handshake(&mut self) -> u16 {
        self.send(b"UUUU~").unwrap();
        assert_eq!(self.frame(PATIENCE), Some((0, b"UABT".to_vec())));
        self.send(b"~UABT~").unwrap();
        assert_eq!(self.frame(PATIENCE), Some((0, b"UABT".to_vec())));
        self.send_frame(1, &1024_u16.to_be_bytes()).unwrap();
        let (kind, mtu) = self.frame(PATIENCE).unwrap();
        assert_eq!(kind, 2);
        u16::from_be_bytes([mtu[0], mtu[1]])
    }

    /// The next answer that ends a command (OKAY, FAIL, DATA), noting everything else.
    pub fn answer(&mut self, within: Duration) -> Option<String> {
        let deadline = Instant::now() + within;
        loop {
            let (kind, payload) = self.frame(deadline.saturating_duration_since(Instant::now()))?;
            let text = String::from_utf8_lossy(&payload).into_owned();
            match kind {
                0 => self.logged.push(text),
                5 => self.heartbeats += 1,
                _ => {
                    self.heard.push(text.clone());
                    if !text.starts_with("INFO") && !text.starts_with("PROG") {
                        return Some(text);
                    }
                }
            }
        }
    }

    /// Sends a command and returns the answer that ends it.
    pub fn ask(&mut self, command: &str) -> String {
        let answer = self.try_ask(command);
        answer.unwrap_or_else(|| panic!("no answer to {command:?} after {:?}", self.heard))
    }

    /// The same; none when the module has gone or stays silent.
    pub fn try_ask(&mut self, command: &str) -> Option<String> {
        self.send_frame(3, command.as_bytes()).ok()?;
        self.answer(PATIENCE)
    }

    /// Sends image bytes in frames of 1024.
    pub fn send_data(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        bytes.chunks(1024).try_for_each(|chunk| self.send_frame(4, chunk))
    }

    /// Announces and sends one download; returns what ends it.
    pub fn download(&mut self, bytes: &[u8]) -> String {
        self.try_download(bytes)
            .unwrap_or_else(|| panic!("no answer to a download after {:?}", self.heard))
    }

    fn try_download(&mut self, bytes: &[u8]) -> Option<String> {
        let announced = self.try_ask(&format!("download:{:08x}", bytes.len()))?;
        if announced != format!("DATA{:08x}", bytes.len()) {
            return Some(announced);
        }
        self.send_data(bytes).ok()?;
        self.answer(PATIENCE)
    }

    /// Plays a script, `call` replaced by `call_word`; the error is the command and its wrong answer.
    pub fn play(&mut self, script: &[u8], call_word: &str) -> Result<(), (String, String)> {
        let mut lines = Lines { rest: script };
        lines.next();
        while let Some(command) = lines.next() {
            let expected = lines.next().unwrap_or_default();
            let command = if command == "call" {
                call_word.to_owned()
            } else {
                command
            };
            let answer = match command.strip_prefix("download:") {
                None => self.try_ask(&command),
                Some(size) => {
                    let size = usize::from_str_radix(size, 16).unwrap();
                    let (payload, rest) = lines.rest.split_at(size);
                    lines.rest = rest;
                    lines.next();
                    self.try_download(payload)
                }
            };
            let answer = answer.unwrap_or_else(|| "nothing".into());
            let free = command.starts_with("getvar:");
            let fits =
                answer.starts_with("OKAY") && (free || answer == expected || expected.starts_with("DATA"));
            if !fits {
                return Err((command, answer));
            }
        }
        Ok(())
    }

    /// `reboot`, `complete`, `disconnect`.
    pub fn finish(&mut self) {
        for command in ["reboot", "complete", "disconnect"] {
            assert_eq!(self.ask(command), "OKAY", "{command}");
        }
    }
}

/// The lines of a script, blank ones skipped.
struct Lines<'a> {
    rest: &'a [u8],
}

impl Lines<'_> {
    fn next(&mut self) -> Option<String> {
        loop {
            let end = self.rest.iter().position(|byte| *byte == b'\n')?;
            let line = String::from_utf8(self.rest[..end].to_vec()).unwrap();
            self.rest = &self.rest[end + 1..];
            if !line.is_empty() {
                return Some(line);
            }
        }
    }
}
