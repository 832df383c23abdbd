//! What the board tells over HTTP, byte by byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use qpyflash::Phase;
use qpyflash::event::EventKind;
use qpyflash_protocols::Progress;
use serde_json::Value;

use crate::stage::{PATIENCE, Stage, gone, wrong_module};

/// Sends these bytes and returns all that comes back.
fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    // What is too long is refused before it is read to its end.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn get(address: SocketAddr, path: &str) -> String {
    exchange(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    )
}

#[track_caller]
fn status(answer: &str) -> u16 {
    let status = answer
        .split(' ')
        .nth(1)
        .unwrap_or_else(|| panic!("no answer: {answer:?}"));
    status.parse().unwrap()
}

fn state(stage: &Stage) -> Value {
    let answer = get(stage.address(), "/state");
    assert_eq!(status(&answer), 200, "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// A stream of server-sent events, in work.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(address: SocketAddr) -> Self {
        let mut stream = connect(address);
        // Who is turned away reads the end.
        let _ = stream.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        Stream(BufReader::new(stream))
    }

    /// The next event that is no beat; none when the stream has ended.
    fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(event) = line.strip_prefix("event: ") {
                name = event.trim_end().to_owned();
            } else if let Some(data) = line
                .strip_prefix("data: ")
                .filter(|_| !matches!(&*name, "" | "beat"))
            {
                return Some((name, serde_json::from_str(data).unwrap()));
            }
        }
    }

    /// The name of the next event that is no beat; what it says is not looked at.
    fn pass_over(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "ended");
            match line.trim_end().strip_prefix("event: ") {
                None | Some("beat") => {}
                Some(event) => return event.to_owned(),
            }
        }
    }

    /// Waits for a beat.
    fn beat(&mut self) {
        let mut line = String::new();
        while line.trim_end() != "event: beat" {
            line.clear();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "ended without a beat");
        }
    }
}

#[test]
fn every_answer_forbids_what_is_not_needed() {
    let stage = Stage::new(&["A"]);
    for (path, code) in [
        ("/", 200),
        ("/page.js", 200),
        ("/words.json", 200),
        ("/nothing", 404),
        ("/../etc/passwd", 404),
    ] {
        let answer = get(stage.address(), path).to_lowercase();
        assert_eq!(status(&answer), code, "{path}");
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ] {
            assert!(answer.contains(header), "{path}: {header}\n{answer}");
        }
        assert!(!answer.contains("access-control-"), "{answer}");
    }
}

#[test]
fn nothing_but_get_and_nothing_of_elsewhere() {
    let stage = Stage::new(&["A"]);
    for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "QPY"] {
        for path in ["/", "/state", "/nothing"] {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
            let answer = exchange(stage.address(), &request);
            assert_eq!(status(&answer), 405, "{method} {path}");
            assert!(answer.contains("allow: GET"), "{answer}");
        }
    }
    for (host, code) in [
        ("Host: rebound.example\r\n", 403),
        ("", 403),
        ("Host: 127.0.0.1:1\r\n", 200),
    ] {
        let answer = exchange(stage.address(), &format!("GET /state HTTP/1.1\r\n{host}\r\n"));
        assert_eq!(status(&answer), code, "{host:?}");
    }
    let many: String = (0..100).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = format!("X: {}\r\n", "y".repeat(64 * 1024));
    for headers in [many, long] {
        let request = format!("GET /state HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let answer = exchange(stage.address(), &request);
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
    assert_eq!(state(&stage)["station"]["line"], "L1");
}

#[test]
fn with_a_token_nothing_of_the_station_is_told_without_it() {
    let token = "0123456789abcdef-L1";
    let stage = Stage::at("127.0.0.1:0", Some(token), &["A"]);
    for path in [
        "/",
        "/state",
        "/events",
        "/state?token=",
        "/state?token=0123456789abcdef-L2",
    ] {
        let answer = get(stage.address(), path);
        assert_eq!(status(&answer), 401, "{path}");
        assert!(!answer.contains("flash-3") && !answer.contains(token), "{answer}");
    }
    for path in ["/", "/state"] {
        assert_eq!(
            status(&get(stage.address(), &format!("{path}?token={token}"))),
            200,
            "{path}"
        );
    }
    assert_eq!(status(&get(stage.address(), "/page.css")), 200);
}

#[test]
fn the_state_follows_the_events() {
    let stage = Stage::new(&["A", "B", "C", "D"]);
    let mut events = stage.writing("A", "system", 300, 1200);
    stage.pass("B");
    stage.fail("C", &wrong_module());
    let all = state(&stage);
    assert_eq!(
        all["station"]["products"][0]["package"],
        "QPY_OCPU_V0006_EC600N_CNLA_FW.zip"
    );
    let slots = &all["slots"];
    let of = |number: usize| (&slots[number]["name"], &slots[number]["state"]);
    assert_eq!(of(0), (&"A".into(), &"busy".into()), "{all:#}");
    assert_eq!(of(1), (&"B".into(), &"pass".into()), "{all:#}");
    assert_eq!(of(3), (&"D".into(), &"waiting".into()), "{all:#}");
    let image = &slots[0]["image"];
    assert_eq!(
        (
            &slots[0]["phase"],
            &image["name"],
            &image["done"],
            &image["total"]
        ),
        (&"write".into(), &"system".into(), &300.into(), &1200.into())
    );
    let fail = &slots[2];
    assert_eq!(
        (&fail["state"], &fail["code"], &fail["changed"]),
        (&"fail".into(), &"refused.submodel".into(), &false.into())
    );
    assert_eq!(fail["hints"][0], "this module takes EC600N_CNLA firmware");
    events.start(Phase::Verify);
    assert_eq!(state(&stage)["slots"][0]["image"], Value::Null);
    stage.fail("A", &gone());
    assert_eq!(state(&stage)["slots"][0]["changed"], true);
    // The next module in the slot begins anew.
    stage.module("C").start(Phase::Identify);
    let next = state(&stage);
    assert_eq!(next["slots"][2]["state"], "busy");
    assert_eq!(next["slots"][2]["code"], Value::Null, "{next:#}");
    assert_eq!(next["over"], false);
    let warn = |text: String| stage.tell("D", EventKind::Warning { text });
    (0..9).for_each(|number| warn(format!("label {number} is not taken")));
    let warnings = &state(&stage)["slots"][3]["warnings"];
    assert_eq!(warnings.as_array().unwrap().len(), 3);
    assert_eq!(warnings[2], "label 8 is not taken");
}

#[test]
fn first_everything_then_changes_then_the_end() {
    let stage = Stage::new(&["A", "B"]);
    let mut stream = Stream::open(stage.address());
    let (name, all) = stream.next().unwrap();
    assert_eq!(
        (name.as_str(), all["slots"].as_array().unwrap().len()),
        ("snapshot", 2)
    );
    stream.beat();
    stage.pass("B");
    let (name, change) = stream.next().unwrap();
    assert_eq!(
        (name.as_str(), &change["slots"][0]["name"]),
        ("change", &"B".into()),
        "{change:#}"
    );
    assert_eq!(change["slots"].as_array().unwrap().len(), 1, "{change:#}");
    drop(stage);
    let mut last = Value::Null;
    while let Some((_, told)) = stream.next() {
        last = told;
    }
    assert_eq!(last["over"], true);
}

/// Tells so much that no socket holds it for a reader that does not read.
fn flood(stage: &Stage, names: &[String]) {
    let mut quick = Stream::open(stage.address());
    assert_eq!(quick.next().unwrap().0, "snapshot");
    let mut modules: Vec<_> = names
        .iter()
        .map(|name| stage.writing(name, "system", 0, 1 << 40))
        .collect();
    let image = "an image with a very long name ".repeat(1000);
    // A socket holds a dozen of them, the backlog eight.
    for done in 1..32 {
        for module in &mut modules {
            module.report(Progress::Bytes {
                image: &image,
                done,
                total: 1 << 40,
            });
        }
        assert_eq!(quick.pass_over(), "change", "the quick reader is never behind");
    }
    names.iter().for_each(|name| stage.pass(name));
}

fn many() -> (Vec<String>, Stage) {
    let names: Vec<String> = (0..32).map(|n| format!("S{n}")).collect();
    let stage = Stage::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    (names, stage)
}

#[test]
fn who_takes_nothing_holds_up_nobody_and_loses_its_place() {
    let (names, stage) = many();
    let _takes_nothing = Stream::open(stage.address());
    flood(&stage, &names);
    let mut others = Vec::new();
    occupy(&stage, &mut others, 63);
    wait_for_room(&stage);
}

#[test]
fn who_says_nothing_loses_its_place() {
    let stage = Stage::new(&["A"]);
    let ended = connect(stage.address()).read_to_string(&mut String::new());
    assert!(ended.is_ok_and(|bytes| bytes == 0));
}

/// Opens streams until there are so many.
fn occupy(stage: &Stage, streams: &mut Vec<Stream>, many: usize) {
    let until = Instant::now() + PATIENCE;
    while streams.len() < many {
        assert!(Instant::now() < until, "room for {} alone", streams.len());
        let mut stream = Stream::open(stage.address());
        // One that has just left may still have its place.
        match stream.0.read_line(&mut String::new()) {
            Ok(1..) => streams.push(stream),
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn wait_for_room(stage: &Stage) {
    let until = Instant::now() + 2 * PATIENCE;
    while get(stage.address(), "/state").is_empty() {
        assert!(Instant::now() < until, "no room again");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn one_browser_too_many_is_turned_away_and_those_that_leave_make_room() {
    let stage = Stage::new(&["A"]);
    let mut streams = Vec::new();
    occupy(&stage, &mut streams, 64);
    let refused = get(stage.address(), "/state");
    assert_eq!(refused, "", "one too many");
    streams.truncate(32);
    wait_for_room(&stage);
}
