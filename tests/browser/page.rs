//! What a person sees on the page, in a real browser.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use qpyflash::event::EventKind;
use qpyflash_virtual::{AsrModule, LinkModel};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::bench::{Bench, OLD, assert_holds, firmware};
use crate::browser::{Browser, there_is_one};
use crate::harness::Run;
use crate::stage::{PATIENCE, Stage, gone, wrong_module};

/// Would show an alert and leave a mark if it were taken for markup.
const HOSTILE: &str = "<img/src=x/onerror=window.hacked=1>";

/// A tile, by the name of its slot.
fn tile(slot: &str) -> String {
    format!("[...document.querySelectorAll('article')].find((one) => one.dataset.slot === {slot:?})")
}

fn state(slot: &str, state: &str) -> String {
    format!("{}?.dataset.state === {state:?}", tile(slot))
}

fn text(slot: &str) -> String {
    format!("{}.innerText", tile(slot))
}

fn link(state: &str) -> String {
    format!("document.body.dataset.link === {state:?}")
}

/// A station in a process of its own, which waits for labels first. Dropping it ends it.
struct Station(Child);

impl Station {
    fn start(bench: &Bench, port: u16, options: &[&str]) -> Self {
        let (variable, bus) = bench.bus.environment();
        let board = format!("127.0.0.1:{port}");
        let arguments = ["fixture", "run", "--jsonl", "--labels", "--board", &board];
        let arguments = [&arguments, options].concat();
        let run = Run::new(
            env!("CARGO_BIN_EXE_qpyflash").as_ref(),
            (variable, bus.as_os_str()),
            &arguments,
        );
        let mut command: Command = run.scale("0.3").0;
        command
            .current_dir(bench.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Station(command.spawn().unwrap())
    }

    /// Scans these labels.
    fn scan(&mut self, labels: &str) {
        let stdin = self.0.stdin.as_mut().unwrap();
        stdin.write_all(labels.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// The same, and no more.
    fn labels(&mut self, labels: &str) {
        self.scan(labels);
        self.0.stdin = None;
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until the station's page can be had.
fn wait_for(port: u16) {
    let until = std::time::Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(std::time::Instant::now() < until, "no page at {port}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// A port that is free for now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A station of these slots with one package; returns the labels of all of them.
fn station(bench: &Bench, slots: &[String]) -> String {
    let sha256: String = Sha256::digest(std::fs::read(bench.path().join("fw.zip")).unwrap())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut text = format!(
        "line = \"L1\"\nstation = \"S1\"\nstate = \"state\"\n[limits]\nretries = 0\nparallel = 6\n\
         [[product]]\nordering_code = \"EC600NCNLA\"\nfile = \"fw.zip\"\nsha256 = \"{sha256}\"\n"
    );
    for (number, name) in slots.iter().enumerate() {
        text += &format!("[[slot]]\nname = '{name}'\npath = \"1-4.{}\"\n", number + 1);
    }
    bench.file("fixture.toml", text);
    slots.iter().map(|name| format!("{name} EC600NCNLA\n")).collect()
}

/// Notes what each tile goes through.
const WATCH: &str = r#"
    window.seen = {};
    const note = () => document.querySelectorAll("article").forEach((tile) => {
        const seen = (window.seen[tile.dataset.slot] ??= { states: [], phases: [], modules: [], bar: 0 });
        const add = (list, value) => value && list.at(-1) !== value && list.push(value);
        add(seen.states, tile.dataset.state);
        add(seen.phases, tile.querySelector(".phase").textContent);
        add(seen.modules, tile.querySelector(".module").textContent);
        const bar = /scaleX\((.*)\)/.exec(tile.querySelector(".bar div").style.transform);
        if (tile.dataset.state === "busy") seen.bar = Math.max(seen.bar, Number(bar?.[1] ?? 0));
    });
    new MutationObserver(note).observe(document.getElementById("slots"),
        { subtree: true, childList: true, attributes: true, characterData: true });
    note();
"#;

#[tokio::test]
async fn sixteen_modules_go_from_waiting_to_their_verdict_and_the_run_is_over() {
    if !there_is_one() {
        return;
    }
    let bench = Bench::new();
    let mut slots: Vec<String> = (1..=16).map(|number| format!("S{number}")).collect();
    slots[15] = HOSTILE.into();
    let labels = station(&bench, &slots);
    let link_model = LinkModel {
        bytes_per_second: Some(200_000),
        ..LinkModel::default()
    };
    let modules: Vec<AsrModule> = (0..16)
        .filter(|number| *number != 2)
        .map(|number| {
            let builder = AsrModule::builder(match number {
                4 => "EC600NCNLFR01A01M16",
                6 => HOSTILE,
                _ => OLD,
            })
            .topology(&format!("1-4.{}", number + 1))
            .link(link_model)
            .identity(|identity| identity.imei = format!("8663270400{number:05}"));
            bench.attach(builder)
        })
        .collect();
    let port = free_port();
    let mut station = Station::start(&bench, port, &[]);
    wait_for(port);
    let browser = Browser::start("en-US").await;
    browser.goto(&format!("http://127.0.0.1:{port}/")).await;
    browser
        .until("document.querySelectorAll(\"article[data-state='waiting']\").length === 16")
        .await;
    browser.ask(WATCH).await;
    station.labels(&labels);
    browser.until(&link("over")).await;
    browser.picture("station").await;
    let seen = browser.ask("return window.seen;").await;
    let mut measured = 0;
    for (number, name) in slots.iter().enumerate() {
        let seen = &seen[name];
        let last = if [2, 4].contains(&number) { "fail" } else { "pass" };
        let states: Vec<&str> = seen["states"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(states.first(), Some(&"waiting"), "{name}: {seen:#}");
        assert_eq!(states.last(), Some(&last), "{name}: {seen:#}");
        if last == "pass" {
            assert!(states.contains(&"busy"), "{name}: {seen:#}");
            let writing = seen["phases"].as_array().unwrap().contains(&"Writing".into());
            measured += usize::from(writing && seen["bar"].as_f64() > Some(0.0));
        }
    }
    // A module may be through between two looks of a busy machine; not one after the other.
    assert!(measured >= 7, "{seen:#}");
    assert!(
        seen["S7"]["modules"]
            .as_array()
            .unwrap()
            .contains(&HOSTILE.into()),
        "{seen:#}"
    );
    for (slot, words) in [
        ("S3", "No module found in the slot."),
        ("S5", "Label, module and firmware do not agree."),
        ("S1", "PASS"),
        (HOSTILE, HOSTILE),
    ] {
        browser
            .until(&format!("{}.includes({words:?})", text(slot)))
            .await;
    }
    let untold = browser
        .ask(&format!("return {}.includes('will be lost');", text("S1")))
        .await;
    assert_eq!(
        untold, false,
        "what was to be known before the module was touched"
    );
    assert_eq!(browser.ask("return document.images.length;").await, 0);
    assert_eq!(browser.ask("return window.hacked ?? null;").await, Value::Null);
    let shown =
        browser.ask("return [...document.querySelectorAll('.counts b')].map((one) => one.textContent);");
    assert_eq!(shown.await, serde_json::json!(["14", "2", "0", "0"]));
    let shown = "return ['yield', 'modules'].map((id) => document.getElementById(id).textContent);";
    assert_eq!(browser.ask(shown).await, serde_json::json!(["87.5 %", "16"]));
    for number in [0, 1, 14] {
        assert_holds(&modules[number], firmware());
    }
}

#[tokio::test]
async fn a_failure_is_readable_in_both_languages() {
    if !there_is_one() {
        return;
    }
    let stage = Stage::new(&["A1", "A2", "A3"]);
    stage.fail("A1", &wrong_module());
    stage.fail("A2", &gone());
    let why = "the hub does not answer".to_owned();
    stage.tell("A3", EventKind::OutOfService { text: why.clone() });
    let english = [
        "FAIL",
        "Wrong module: this firmware is for another submodel.",
        "Compare its label",
        "as it was",
    ];
    let chinese = [
        "不合格",
        "模块不符：固件适用于其他子型号。",
        "核对标签与工单",
        "未改变",
    ];
    let exactly = "is built for EC600N CNLF";
    let browser = Browser::start("zh-CN").await;
    browser.goto(&stage.url()).await;
    for (how, words) in [
        ("1", chinese),
        ("document.getElementById('switch').click() ?? 1", english),
        (
            "dispatchEvent(new KeyboardEvent('keydown', { key: 'l' }))",
            chinese,
        ),
    ] {
        browser.until(how).await;
        browser.until(&state("A1", "fail")).await;
        for word in words.iter().chain([&exactly]) {
            browser.until(&format!("{}.includes({word:?})", text("A1"))).await;
        }
    }
    browser.goto(&format!("{}?lang=en", stage.url())).await;
    browser.until(&state("A2", "fail")).await;
    browser
        .until(&format!("{}.includes('must be flashed again')", text("A2")))
        .await;
    for words in ["Out of service", &why] {
        browser
            .until(&format!("{}.includes({words:?})", text("A3")))
            .await;
    }
    assert_eq!(browser.ask("return document.documentElement.lang;").await, "en");
}

#[tokio::test]
async fn a_lost_connection_is_said_and_the_page_comes_back_to_life() {
    if !there_is_one() {
        return;
    }
    let bench = Bench::new();
    station(&bench, &["A".into()]);
    let port = free_port();
    let first = Station::start(&bench, port, &[]);
    wait_for(port);
    let browser = Browser::start("en").await;
    browser.goto(&format!("http://127.0.0.1:{port}/")).await;
    browser.until(&link("live")).await;
    browser.until(&state("A", "waiting")).await;
    // It is there and says nothing.
    first.signal(Signal::STOP);
    browser.until(&link("lost")).await;
    browser
        .until("document.getElementById('banner').innerText.includes('Connection lost')")
        .await;
    browser.picture("lost").await;
    first.signal(Signal::CONT);
    browser.until(&link("live")).await;
    browser.until("document.getElementById('banner').hidden").await;
    // It is gone, and another one comes.
    drop(first);
    browser.until(&link("lost")).await;
    station(&bench, &["A".into(), "B".into()]);
    let mut second = Station::start(&bench, port, &[]);
    browser.until(&link("live")).await;
    browser.until(&state("B", "waiting")).await;
    // A page of another version loads itself again.
    browser
        .ask("window.old = true; station.version = 'another'; connect();")
        .await;
    browser.until("window.old === undefined").await;
    browser.until(&state("B", "waiting")).await;
    // It ends as it should.
    second.labels("");
    browser.until(&link("over")).await;
    browser
        .until("document.getElementById('banner').innerText.includes('Run over')")
        .await;
    browser.until(&state("B", "fail")).await;
}

#[tokio::test]
async fn in_a_loop_the_page_says_what_is_to_be_done_next() {
    if !there_is_one() {
        return;
    }
    let bench = Bench::new();
    station(&bench, &["A".into()]);
    let port = free_port();
    let mut station = Station::start(&bench, port, &["--loop"]);
    wait_for(port);
    let browser = Browser::start("en").await;
    browser.goto(&format!("http://127.0.0.1:{port}/")).await;
    let shows = |words: &str| format!("{}.includes({words:?})", text("A"));
    browser.until(&state("A", "waiting")).await;
    browser
        .until(&shows("Scan the next label, then put the module in."))
        .await;
    station.scan("nowhere EC600NCNLA\n");
    browser
        .until("document.getElementById('notice').innerText.includes('`nowhere`')")
        .await;
    station.scan("A EC600NCNLA\n");
    browser.until(&shows("Put the next module in.")).await;
    let module = bench.attach(AsrModule::builder(OLD).topology("1-4.1"));
    browser.until(&state("A", "pass")).await;
    browser.until(&shows("Take the module out.")).await;
    browser.picture("loop-pass").await;
    assert_holds(&module, firmware());
    module.detach();
    browser.until(&state("A", "waiting")).await;
    browser.until(&shows("Last module: PASS")).await;
    browser.picture("loop-next").await;
    assert_eq!(
        browser
            .ask("return document.getElementById('yield').textContent;")
            .await,
        "100.0 %"
    );
    station.signal(Signal::INT);
    browser.until(&link("over")).await;
}

#[tokio::test]
async fn every_tile_is_on_the_screen_and_its_words_are_not_cut() {
    if !there_is_one() {
        return;
    }
    let browser = Browser::start("en").await;
    for (slots, width, height) in [
        (1, 1920, 1080),
        (2, 1920, 1080),
        (5, 1280, 720),
        (16, 1920, 1080),
        (32, 1920, 1080),
    ] {
        let names: Vec<String> = (1..=slots).map(|number| format!("A{number}")).collect();
        let stage = Stage::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
        names.iter().for_each(|name| stage.fail(name, &wrong_module()));
        browser.resize(width, height).await;
        for language in ["en", "zh"] {
            browser.goto(&format!("{}?lang={language}", stage.url())).await;
            browser
                .until(&format!(
                    "document.querySelectorAll(\"article[data-state='fail']\").length === {slots}"
                ))
                .await;
            let cut = browser
                .ask(
                    "return [...document.querySelectorAll('article')].filter((tile) => {
                        const { left, top, right, bottom } = tile.getBoundingClientRect();
                        const middle = tile.querySelector('.middle');
                        return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight
                            || middle.scrollHeight > middle.clientHeight + 1;
                    }).map((tile) => tile.dataset.slot);",
                )
                .await;
            browser.picture(&format!("failed-{slots}-{language}")).await;
            assert_eq!(cut, serde_json::json!([]), "{slots} slots, {language}");
        }
    }
}

#[tokio::test]
async fn a_line_at_work_looks_like_one() {
    if !there_is_one() {
        return;
    }
    let names: Vec<String> = (1..=16).map(|number| format!("A{number}")).collect();
    let stage = Stage::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let browser = Browser::start("en").await;
    browser.goto(&stage.url()).await;
    browser.until(&state("A16", "waiting")).await;
    let _work: Vec<_> = (1..=6)
        .map(|number| stage.writing(&names[number], "system", number as u64 * 1_100_000, 7_340_032))
        .collect();
    names[7..12].iter().for_each(|name| stage.pass(name));
    stage.fail("A13", &wrong_module());
    stage.fail("A14", &gone());
    let mut at_work = stage.module("A1");
    at_work.start(qpyflash::Phase::EnterDownload);
    for (language, words) in [
        ("en", ["Writing", "PASS", "FAIL"]),
        ("zh", ["写入", "合格", "不合格"]),
    ] {
        browser.goto(&format!("{}?lang={language}", stage.url())).await;
        browser.until(&state("A14", "fail")).await;
        for (slot, word) in ["A2", "A8", "A13"].into_iter().zip(words) {
            browser.until(&format!("{}.includes({word:?})", text(slot))).await;
        }
        let share = format!(
            "return {}.querySelector('.bar div').getBoundingClientRect().width;",
            tile("A4")
        );
        assert!(browser.ask(&share).await.as_f64() > Some(10.0));
        browser.picture(&format!("line-{language}")).await;
    }
}
