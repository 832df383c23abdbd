//! Messages to a web service.

use super::mqtt::authority;
use super::service::{Deed, Service};
use super::{add, assert_secret, database, empty_station, fixture, messages, waiting};
use crate::bench::Bench;
use crate::fixture::{asr, station};

const TOKEN: &str = "0123456789abcdef-token";

fn section(service: &Service) -> String {
    format!(
        "[publish]\nretry_seconds = 1\n[publish.http]\nurl = \"http://127.0.0.1:{}/flashed?key=in-the-address\"\n\
         token_env = \"PLANT_TOKEN\"\ntimeout_seconds = 1\n",
        service.port
    )
}

#[test]
fn a_service_that_fails_in_every_way_gets_every_attempt_in_order() {
    let bench = Bench::new();
    let bad = [
        Deed::Answer(500),
        Deed::Close,
        Deed::Stall,
        Deed::Answer(429),
        Deed::Answer(200),
        Deed::Answer(503),
        Deed::Answer(201),
        Deed::Close,
    ];
    let service = Service::start(&bad);
    empty_station(&bench, 4, &section(&service));
    let token = |line: &str| {
        let mut run = bench.say(line);
        run.0.env("PLANT_TOKEN", TOKEN);
        run.end()
    };
    let ended = token("fixture run --json");
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    let again = token("fixture publish --within 60");
    assert_eq!(again.code, Some(0), "{again:#?}");
    assert!(service.is_done());
    let arrived = service.received.wait_for_all(&messages(&database(&bench)));
    assert_eq!(arrived[0].place, "POST /flashed?key=in-the-address HTTP/1.1");
    assert!(
        service
            .headers()
            .iter()
            .any(|line| line.eq_ignore_ascii_case(&format!("authorization: Bearer {TOKEN}")))
    );
    assert!(
        ended.stderr.contains("publish.http: the answer is 500"),
        "{ended:#?}"
    );
    assert_secret(&bench, &[&ended, &again], TOKEN);
    assert_secret(&bench, &[&ended, &again], "in-the-address");
    // Without the token, nothing begins.
    let ended = fixture(&bench, "run --json", 2);
    assert_eq!(ended.json()["error"]["code"], "usage");
}

#[test]
fn a_message_that_is_refused_is_told_and_never_left_out() {
    let bench = Bench::new();
    let service = Service::start(&[Deed::Answer(200)]);
    service.then(Deed::Answer(400));
    let text = section(&service).replace("token_env = \"PLANT_TOKEN\"", "");
    empty_station(
        &bench,
        3,
        &text.replace("retry_seconds = 1", "retry_seconds = 1\ngrace_seconds = 2"),
    );
    let ended = fixture(&bench, "run", 4);
    let told =
        "publish.http: the message is refused: the answer is 400 Bad Request; it and all after it wait";
    assert!(ended.stderr.contains(told), "{ended:#?}");
    let report = fixture(&bench, "report", 0);
    let told = "publish.http: 2 messages wait, the oldest of 20";
    assert!(
        report.stdout.contains(told) && report.stdout.contains("the answer is 400"),
        "{report:#?}"
    );
    let ended = fixture(&bench, "publish --within 2 --json", 4);
    assert_eq!(ended.json()["error"]["code"], "publish.undelivered");
    service.then(Deed::Answer(204));
    fixture(&bench, "publish", 0);
    service.received.wait_for_all(&messages(&database(&bench)));
    assert_eq!(waiting(&bench, "http")["messages"], 0);
}

#[test]
fn a_service_is_trusted_by_its_authority_alone() {
    let (bench, other) = (Bench::new(), Bench::bare());
    let service = Service::start_secure(&authority(bench.path()));
    authority(other.path());
    let section = |ca: &str| {
        format!(
            "[publish]\ngrace_seconds = 1\n[publish.http]\nurl = \"https://127.0.0.1:{}/\"\n{ca}\n",
            service.port
        )
    };
    for ca in [
        String::new(),
        format!("ca = \"{}\"", other.path().join("ca.pem").display()),
    ] {
        empty_station(&bench, 1, &section(&ca));
        let ended = fixture(&bench, "run", 4);
        assert!(
            ended.stderr.contains("no secure connection to the service"),
            "{ended:#?}"
        );
    }
    assert!(service.received.all().is_empty());
    empty_station(&bench, 1, &section("ca = \"ca.pem\""));
    fixture(&bench, "publish", 0);
    service.received.wait_for_all(&messages(&database(&bench)));
}

#[test]
fn without_a_destination_messages_are_kept_and_one_that_comes_later_gets_them() {
    let bench = Bench::new();
    empty_station(&bench, 2, "");
    fixture(&bench, "run", 4);
    let ended = fixture(&bench, "publish --json", 2);
    assert_eq!(ended.json()["error"]["code"], "usage");
    let service = Service::start(&[]);
    let text = section(&service).replace(
        "token_env = \"PLANT_TOKEN\"",
        "header = \"X-Api-Key\"\ntoken = \"4711\"",
    );
    empty_station(&bench, 2, &text);
    fixture(&bench, "publish", 0);
    let arrived = service.received.wait_for_all(&messages(&database(&bench)));
    assert_eq!(arrived.len(), 2);
    assert!(
        service
            .headers()
            .iter()
            .any(|line| line.eq_ignore_ascii_case("x-api-key: 4711"))
    );
}

#[test]
fn a_station_that_goes_on_delivers_while_it_does() {
    let bench = Bench::new();
    let service = Service::start(&[]);
    let _module = bench.attach(asr("1-1", 1));
    let slots = [("A", "1-1", "EC600NCNLA")];
    station(&bench, "retries = 0", &slots, &[("EC600NCNLA", "fw.zip")]);
    add(
        &bench,
        &section(&service).replace("token_env = \"PLANT_TOKEN\"", ""),
    );
    let mut running = bench.say("fixture run --loop --jsonl").start();
    running.wait_for(|event| event["kind"] == "finished");
    let arrived = service.received.wait_for_all(&messages(&database(&bench)));
    assert_eq!(arrived[0].body["attempt"]["verdict"], "confirmed");
    running.interrupt();
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}
