//! Messages through a broker.

use std::path::Path;
use std::time::Duration;

use qpyflash_virtual::LinkModel;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use serde_json::Value;

use super::broker::{Broker, Certificates, PASSWORD, USER};
use super::service::{Mute, Service};
use super::{add, assert_secret, database, empty_station, fixture, messages, waiting};
use crate::bench::{Bench, assert_holds, firmware};
use crate::fixture::{asr, imei, station};

const CODE: &str = "EC600NCNLA";

/// `[publish.mqtt]` for a broker that wants a password.
fn section(port: u16) -> String {
    format!(
        "[publish]\nretry_seconds = 1\n[publish.mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\nuser = \"{USER}\"\n\
         password_file = \"password\"\ntopic = \"plant/{{line}}/{{station}}/{{slot}}/{{verdict}}/{{imei}}\"\n"
    )
}

#[test]
fn a_broker_that_goes_and_comes_gets_every_attempt_in_order() {
    let Some(mut broker) = Broker::start(None) else {
        return;
    };
    let plant = broker.listen(None);
    let bench = Bench::new();
    bench.file("password", format!("{PASSWORD}\n"));
    let slow = LinkModel {
        bytes_per_second: Some(400_000),
        ..LinkModel::default()
    };
    let modules = [1, 2].map(|n| bench.attach(asr(&format!("1-{n}"), n).link(slow)));
    let slots = [("A", "1-1", CODE), ("B", "1-2", CODE), ("C", "1-3", CODE)];
    station(&bench, "retries = 0", &slots, &[(CODE, "fw.zip")]);
    add(&bench, &section(broker.port));

    // There from the beginning.
    let ended = fixture(&bench, "run --json --operator Ada", 4);
    assert_eq!(ended.json()["outbox"], Value::Array(Vec::new()));
    let arrived = plant.received.wait_for_all(&messages(&database(&bench)));
    assert_eq!(arrived.len(), 3, "{ended:#?}");
    let topics: Vec<&str> = arrived.iter().map(|one| one.place.as_str()).collect();
    for topic in [
        format!("plant/L1/S1/A/confirmed/{}", imei(1)),
        format!("plant/L1/S1/B/confirmed/{}", imei(2)),
        "plant/L1/S1/C/failed/unknown".into(),
    ] {
        assert!(topics.contains(&topic.as_str()), "{topics:?}");
    }
    assert!(arrived.iter().all(|one| one.body["attempt"]["operator"] == "Ada"));

    // Gone in the middle of a run, and back before it ends.
    let mut running = bench.say("fixture run --jsonl").start();
    running.wait_for(|event| event["kind"] == "finished" && event["slot"] == "C");
    broker.stop();
    let busy = fixture(&bench, "publish", 8);
    assert!(
        busy.stderr.contains("hint: it delivers what waits itself"),
        "{busy:#?}"
    );
    running.wait_for(|event| event["kind"] == "finished");
    broker.restart();
    let ended = running.end();
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    plant.received.wait_for_all(&messages(&database(&bench)));

    // Gone for a whole run.
    broker.stop();
    let ended = fixture(&bench, "run --slot A", 0);
    assert!(
        ended
            .stderr
            .contains("publish.mqtt: the broker cannot be reached"),
        "{ended:#?}"
    );
    assert!(
        ended.stderr.contains("publish.mqtt: 1 message waits, of 20"),
        "{ended:#?}"
    );
    let left = waiting(&bench, "mqtt");
    assert_eq!(left["messages"], 1, "{left:#}");
    assert!(
        left["error"].as_str().unwrap().contains("cannot be reached"),
        "{left:#}"
    );
    let ended = fixture(&bench, "publish --within 1 --json", 4);
    assert_eq!(ended.json()["error"]["code"], "publish.undelivered");
    broker.restart();
    let ended = fixture(&bench, "publish", 0);
    assert_eq!(ended.stdout, "everything is delivered");
    plant.received.wait_for_all(&messages(&database(&bench)));
    let left = waiting(&bench, "mqtt");
    assert_eq!(
        (&left["messages"], left["error"].is_null()),
        (&0.into(), true),
        "{left:#}"
    );
    modules.iter().for_each(|module| assert_holds(module, firmware()));
    assert_secret(&bench, &[&ended], PASSWORD);
}

/// An authority with a broker and a client: in the folder, as files.
pub fn authority(folder: &Path) -> Certificates {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "plant");
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let signed = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let mut of = CertificateParams::new(vec![name.to_owned()]).unwrap();
        of.distinguished_name.push(DnType::CommonName, name);
        (of.signed_by(&key, &ca).unwrap().pem(), key.serialize_pem())
    };
    let ((server, key), (client, client_key)) = (signed("127.0.0.1"), signed("station"));
    for (name, pem) in [
        ("ca.pem", &ca.pem()),
        ("client.pem", &client),
        ("client.key", &client_key),
    ] {
        std::fs::write(folder.join(name), pem).unwrap();
    }
    Certificates {
        authority: ca.pem(),
        server,
        key,
    }
}

#[test]
fn a_broker_is_trusted_by_its_authority_alone() {
    let (bench, other) = (Bench::new(), Bench::bare());
    let certificates = authority(bench.path());
    let Some(broker) = Broker::start(Some(&certificates)) else {
        return;
    };
    let plant = broker.listen(Some(bench.path()));
    authority(other.path());
    let section = |ca: &Path| {
        format!(
            "[publish]\nretry_seconds = 1\ngrace_seconds = 1\n[publish.mqtt]\nurl = \"mqtts://127.0.0.1:{}\"\n\
             ca = \"{}\"\ncertificate = \"client.pem\"\nkey = \"client.key\"\n",
            broker.port,
            ca.display()
        )
    };
    empty_station(&bench, 2, &section(&other.path().join("ca.pem")));
    let ended = fixture(&bench, "run", 4);
    assert!(
        ended.stderr.contains("no secure connection to the broker"),
        "{ended:#?}"
    );
    assert!(
        ended.stderr.contains("publish.mqtt: 2 messages wait"),
        "{ended:#?}"
    );
    empty_station(&bench, 2, &section(Path::new("ca.pem")));
    fixture(&bench, "publish", 0);
    let arrived = plant.received.wait_for_all(&messages(&database(&bench)));
    assert_eq!(arrived[0].place, "qpyflash/L1/S1/S1");
    // What is wrong with the files is told before a module is touched.
    bench.file("client.key", "no key");
    let ended = fixture(&bench, "run --json", 2);
    assert_eq!(ended.json()["error"]["code"], "usage");
}

#[test]
fn what_a_broker_refuses_is_told_and_never_left_out() {
    let Some(mut broker) = Broker::start(None) else {
        return;
    };
    let plant = broker.listen(None);
    let bench = Bench::new();
    bench.file("password", PASSWORD);
    let readers = bench.file("readers", format!("user {USER}\ntopic read #\n"));
    empty_station(&bench, 2, &section(broker.port));
    for (refuses, told) in [
        (
            format!("acl_file {}", readers.display()),
            "the message is refused: the broker answers NotAuthorized; it and",
        ),
        (
            "max_packet_size 200".into(),
            "the broker takes 200; it and all after it wait",
        ),
    ] {
        broker.reconfigure(&refuses);
        let ended = fixture(&bench, "run", 4);
        assert!(
            ended.stderr.contains(told),
            "{refuses}: {ended:#?}\n{}",
            broker.log()
        );
        assert_eq!(waiting(&bench, "mqtt")["messages"], 2);
        broker.reconfigure("");
        fixture(&bench, "publish", 0);
        plant.received.wait_for_all(&messages(&database(&bench)));
    }
}

#[test]
fn what_cannot_be_reached_is_told_and_holds_up_nobody() {
    let bench = Bench::new();
    let service = Service::start(&[]);
    let mute = Mute::new();
    let web = format!("[publish.http]\nurl = \"http://127.0.0.1:{}/\"\n", service.port);
    let mqtt = |url: &str| {
        format!(
            "[publish]\ngrace_seconds = 3\nretry_seconds = 1\n[publish.mqtt]\nurl = \"{url}\"\nuser = \"{USER}\"\n\
             password = \"not the password\"\ntimeout_seconds = 1\n{web}"
        )
    };
    let mut cases = vec![
        (
            "mqtt://127.0.0.1:1".into(),
            "the broker cannot be reached: Connection refused",
        ),
        (
            format!("mqtt://127.0.0.1:{}", mute.port()),
            "the broker does not answer",
        ),
        // How long it takes to learn that nobody has that name is up to the host.
        ("mqtt://broker.invalid".into(), "publish.mqtt: the broker "),
    ];
    let broker = Broker::start(None);
    if let Some(broker) = &broker {
        cases.push((
            format!("mqtt://127.0.0.1:{}", broker.port),
            "the broker refuses the connection",
        ));
    }
    for (url, expected) in &cases {
        empty_station(&bench, 1, &mqtt(url));
        let ended = fixture(&bench, "run -vv", 4);
        assert!(ended.stderr.contains(expected), "{url}: {ended:#?}");
        assert_secret(&bench, &[&ended], "not the password");
    }
    assert_eq!(waiting(&bench, "mqtt")["messages"], cases.len());
    assert_eq!(waiting(&bench, "http")["messages"], 0);
    service.received.wait_for_all(&messages(&database(&bench)));
}

#[test]
fn ctrl_c_ends_the_wait_for_the_network() {
    let bench = Bench::new();
    let url = "mqtt://127.0.0.1:1";
    empty_station(
        &bench,
        1,
        &format!("[publish]\ngrace_seconds = 3600\n[publish.mqtt]\nurl = \"{url}\"\n"),
    );
    let mut running = bench.say("fixture run --jsonl").start();
    running.wait_for(|event| event["kind"] == "finished");
    // One that comes while the slots still end is theirs.
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(500));
        running.interrupt();
    }
    let ended = running.end();
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    assert!(
        ended.stderr.contains("publish.mqtt: 1 message waits"),
        "{ended:#?}"
    );
}
