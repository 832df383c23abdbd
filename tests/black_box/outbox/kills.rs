//! Proof of the record and the outbox: the program is killed, and the host cut off, at random moments.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use qpyflash_virtual::{AsrModule, LinkModel, Mode};
use rusqlite::Connection;
use rustix::process::Signal;

use super::broker::{Broker, PASSWORD, Plant, USER};
use super::service::{Deed, Service};
use super::{Kept, add, assert_delivered, database, fixture, messages};
use crate::bench::{Bench, PATIENCE, assert_holds, firmware};
use crate::fixture::{asr, station};

const CODE: &str = "EC600NCNLA";
/// Kills in an ordinary run of the tests, over all stations; `QPYFLASH_KILLS` sets another number.
const KILLS: usize = 40;
const STATIONS: usize = 4;
const SLOTS: [&str; 2] = ["A", "B"];

/// Random numbers that come again with the same seed (splitmix64).
struct Random(u64);

impl Random {
    /// `QPYFLASH_SEED`, or another one each time; it is said, and shown when the test fails.
    fn seeded() -> Self {
        let given = std::env::var("QPYFLASH_SEED")
            .ok()
            .map(|seed| seed.parse().unwrap());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let seed = given.unwrap_or(now.as_nanos() as u64);
        eprintln!("QPYFLASH_SEED={seed}");
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64((self.next() >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

/// A station with two modules, a service of its own, and a place at the broker.
struct Line {
    name: String,
    bench: Bench,
    modules: Vec<AsrModule>,
    service: Service,
}

impl Line {
    fn new(number: usize, broker: Option<&Broker>) -> Line {
        let bench = Bench::new();
        let link = LinkModel {
            bytes_per_second: Some(1_500_000),
            ..LinkModel::default()
        };
        let paths = ["1-1", "1-2"];
        let modules =
            paths.map(|path| bench.attach(asr(path, number * 2 + usize::from(path == "1-2")).link(link)));
        let slots = [(SLOTS[0], paths[0], CODE), (SLOTS[1], paths[1], CODE)];
        station(&bench, "retries = 0", &slots, &[(CODE, "fw.zip")]);
        let service = Service::start(&[Deed::Answer(503), Deed::Close]);
        let name = format!("S{number}");
        let file = bench.path().join("fixture.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(
            file,
            text.replace("station = \"S1\"", &format!("station = \"{name}\"")),
        )
        .unwrap();
        add(
            &bench,
            &format!(
                "[publish]\nretry_seconds = 1\ngrace_seconds = 30\n[publish.http]\nurl = \"http://127.0.0.1:{}/\"\n",
                service.port
            ),
        );
        if let Some(broker) = broker {
            let port = broker.port;
            add(
                &bench,
                &format!(
                    "[publish.mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\nuser = \"{USER}\"\npassword = \"{PASSWORD}\"\n"
                ),
            );
        }
        Line {
            name,
            bench,
            modules: modules.into(),
            service,
        }
    }

    /// Bytes that each module has seen.
    fn seen(&self) -> Vec<u64> {
        let bytes = |module: &AsrModule| module.counters().at_bytes + module.counters().download_bytes;
        self.modules.iter().map(bytes).collect()
    }

    /// How long a run takes, once the service has had its bad moments.
    fn time_of_a_run(&self) -> Duration {
        fixture(&self.bench, "run", 0);
        let began = Instant::now();
        fixture(&self.bench, "run", 0);
        began.elapsed()
    }

    /// As somebody does after a crash.
    fn power_cycle(&self) {
        for module in &self.modules {
            module.detach();
            module.attach();
            assert_ne!(module.wait_while_mode(Mode::Off, PATIENCE), Mode::Off);
        }
    }

    /// The record as a new program would find it, elsewhere.
    fn copy(&self, into: &Path) -> Option<PathBuf> {
        let from = database(&self.bench);
        let wal = |file: &Path| PathBuf::from(format!("{}-wal", file.display()));
        if !from.exists() {
            return None;
        }
        std::fs::create_dir_all(into).unwrap();
        let to = into.join(from.file_name().unwrap());
        let _ = std::fs::remove_file(wal(&to));
        std::fs::copy(&from, &to).unwrap();
        if wal(&from).exists() {
            std::fs::copy(wal(&from), wal(&to)).unwrap();
        }
        Some(to)
    }
}

/// Attempts of each slot, those without an end in all but the newest run, and how far the newest attempt had come.
fn attempts(database: &Path) -> (Vec<i64>, i64, String) {
    let connection = Connection::open(database).unwrap();
    let number = |query: &str| -> i64 { connection.query_row(query, [], |row| row.get(0)).unwrap() };
    let version = number("PRAGMA user_version");
    if version == 0 {
        return (vec![0; SLOTS.len()], 0, "begin".into());
    }
    let of_slot = |slot: &&str| number(&format!("SELECT count(*) FROM attempt WHERE slot = '{slot}'"));
    let open = "SELECT count(*) FROM attempt WHERE verdict IS NULL AND run != (SELECT max(id) FROM run)";
    let phase = "SELECT coalesce((SELECT CASE WHEN verdict IS NULL THEN coalesce((SELECT phase FROM phase \
                 WHERE attempt = attempt.id ORDER BY phase.number DESC LIMIT 1), 'begin') ELSE 'ended' END \
                 FROM attempt ORDER BY id DESC LIMIT 1), 'begin')";
    let phase = connection.query_row(phase, [], |row| row.get(0)).unwrap();
    (SLOTS.iter().map(of_slot).collect(), number(open), phase)
}

/// Kills a station so many times, and returns how far it had come each time.
fn kill_often(line: &Line, kills: usize, random: &mut Random) -> Vec<String> {
    let longest = line.time_of_a_run();
    let elsewhere = line.bench.path().join("copy");
    let mut known: Vec<Kept> = messages(&line.copy(&elsewhere).unwrap());
    let mut phases = Vec::new();
    for number in 0..kills {
        let (counts, ..) = attempts(&line.copy(&elsewhere).unwrap());
        let before = line.seen();
        let after = random.up_to(longest);
        let running = line.bench.say("fixture run --jsonl").start();
        std::thread::sleep(after);
        drop(running);
        let told = format!("{}, kill {number} after {after:?}", line.name);
        let copy = line.copy(&elsewhere).unwrap();
        let kept = messages(&copy);
        let (now, open, phase) = attempts(&copy);
        assert_eq!(open, 0, "{told}: attempts of runs before are not ended");
        for (slot, ((before, after), (had, has))) in before
            .iter()
            .zip(line.seen())
            .zip(counts.iter().zip(&now))
            .enumerate()
        {
            assert!(
                has - had <= 1,
                "{told}: {has} attempts in slot {slot}, {had} before"
            );
            assert!(
                after == *before || has > had,
                "{told}: slot {slot} is not in the record"
            );
        }
        assert!(kept.len() >= known.len(), "{told}: messages are lost");
        for (old, new) in known.iter().zip(&kept) {
            assert_eq!((old.attempt, &old.id), (new.attempt, &new.id), "{told}");
        }
        (known, _) = (kept, phases.push(phase));
        line.power_cycle();
    }
    phases
}

/// Everything that is in the record has arrived, at each end.
fn assert_all_arrived(line: &Line, plant: Option<&Plant>) {
    // A module without whole firmware comes and goes until it is written.
    let file = line.bench.path().join("fixture.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text.replace("retries = 0", "retries = 5")).unwrap();
    fixture(&line.bench, "run", 0);
    fixture(&line.bench, "publish", 0);
    line.modules
        .iter()
        .for_each(|module| assert_holds(module, firmware()));
    let kept = messages(&database(&line.bench));
    line.service.received.wait_for_all(&kept);
    if let Some(plant) = plant {
        let own =
            |arrived: &super::Arrival| arrived.place.starts_with(&format!("qpyflash/L1/{}/", line.name));
        plant.received.wait_for(&kept[kept.len() - 1].id);
        let arrived: Vec<super::Arrival> = plant.received.all().into_iter().filter(own).collect();
        assert_delivered(&kept, &arrived, 1);
    }
}

#[test]
fn killed_at_random_moments_the_record_is_whole_and_everything_is_delivered() {
    let kills = std::env::var("QPYFLASH_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut random = Random::seeded();
    let broker = Broker::start(None);
    let plant = broker.as_ref().map(|broker| broker.listen(None));
    let lines: Vec<Line> = (0..STATIONS)
        .map(|number| Line::new(number, broker.as_ref()))
        .collect();
    let began = Instant::now();
    let mut phases: Vec<String> = std::thread::scope(|scope| {
        let kill = |line| {
            let mut random = Random(random.next());
            scope.spawn(move || kill_often(line, kills.div_ceil(STATIONS), &mut random))
        };
        let threads: Vec<_> = lines.iter().map(kill).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    lines
        .iter()
        .for_each(|line| assert_all_arrived(line, plant.as_ref()));
    let killed = phases.len();
    phases.sort();
    let counts: Vec<String> = phases
        .chunk_by(|a, b| a == b)
        .map(|same| format!("{} in `{}`", same.len(), same[0]))
        .collect();
    let (mut kept, mut arrived) = (0, 0);
    for line in &lines {
        kept += messages(&database(&line.bench)).len();
        arrived += line.service.received.all().len();
    }
    let through_broker = plant.map_or(0, |plant| plant.received.all().len());
    eprintln!(
        "{killed} kills in {:.0?}: {}; {kept} attempts, {arrived} arrivals over HTTP, {through_broker} over MQTT",
        began.elapsed(),
        counts.join(", ")
    );
}

/// A copy of the files at one moment is what a power cut leaves, but for what was on its way to the disk: the end of the
/// log may be torn.
#[test]
fn cut_off_at_random_moments_the_record_is_whole_and_goes_on_elsewhere() {
    let mut random = Random::seeded();
    let line = Line::new(0, None);
    let longest = line.time_of_a_run();
    for number in 0..12 {
        let after = random.up_to(longest);
        let running = line.bench.say("fixture run --jsonl").start();
        std::thread::sleep(after);
        running.signal(Signal::STOP);
        std::thread::sleep(Duration::from_millis(20));
        let other = Bench::new();
        let copy = line.copy(&other.path().join("state")).unwrap();
        let arrived = line.service.received.all();
        running.signal(Signal::CONT);
        assert_eq!(running.end().code, Some(0));
        tear(&copy, number, &mut random);

        let delivered: i64 = Connection::open(&copy)
            .unwrap()
            .query_row("SELECT coalesce(max(delivered), 0) FROM destination", [], |row| {
                row.get(0)
            })
            .unwrap();
        let kept = messages(&copy);
        let (had, rest) = kept.split_at(delivered as usize);
        for message in had {
            assert!(
                arrived.iter().any(|one| one.id == message.id),
                "{message:?} was never sent"
            );
        }
        let service = Service::start(&[]);
        let text = std::fs::read_to_string(line.bench.path().join("fixture.toml")).unwrap();
        let (from, to) = (line.service.port.to_string(), service.port.to_string());
        other.file("fixture.toml", text.replace(&from, &to));
        fixture(&other, "publish", 0);
        let after = messages(&copy);
        assert!(
            rest.iter()
                .zip(&after[had.len()..])
                .all(|(old, new)| old.id == new.id)
        );
        assert_delivered(&after[had.len()..], &service.received.all(), 1);
        let (_, open, _) = attempts(&copy);
        assert_eq!(open, 0);
    }
}

/// Takes away up to a page of the log's end, or writes over it; every third stays as it is.
fn tear(database: &Path, number: usize, random: &mut Random) {
    let wal = PathBuf::from(format!("{}-wal", database.display()));
    let Ok(mut bytes) = std::fs::read(&wal) else {
        return;
    };
    let most = bytes.len().min(4096 + 24);
    let torn = random.next() as usize % (most + 1);
    let whole = bytes.len() - torn;
    match number % 3 {
        0 => return,
        1 => bytes.truncate(whole),
        _ => bytes[whole..]
            .iter_mut()
            .for_each(|byte| *byte = random.next() as u8),
    }
    std::fs::write(wal, bytes).unwrap();
}
