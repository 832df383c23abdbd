//! Destinations as they are read, and what is said of one that is wrong.

use crate::fleet::config::Config;

use super::*;

const GOOD: &str = r#"
line = "L1"
station = "S1"
state = "state"
[publish]
grace_seconds = 7
[publish.mqtt]
url = "mqtts://broker.plant"
user = "line"
password_file = "secret/mqtt"
ca = "ca.pem"
[publish.http]
url = "https://mes.plant:8443/flashed?station=1"
token = "hunter2"
"#;

fn parse(text: &str) -> Result<Publish, String> {
    let config = Config::parse(Path::new("line/fixture.toml"), text);
    config.map(|config| config.publish).map_err(|error| error.message)
}

#[test]
fn reads_destinations() {
    let publish = parse(GOOD).unwrap();
    assert_eq!(publish.grace, Duration::from_secs(7));
    assert_eq!(publish.retry, Duration::from_secs(60));
    assert_eq!(publish.destinations().collect::<Vec<_>>(), ["mqtt", "http"]);
    assert!(!format!("{publish:?}").contains("hunter2"));
    let mqtt = publish.mqtt.unwrap();
    assert_eq!((mqtt.host.as_str(), mqtt.port), ("broker.plant", 8883));
    assert_eq!(mqtt.client_id, "qpyflash-L1-S1");
    assert_eq!(mqtt.tls.unwrap().ca.as_deref(), Some(Path::new("line/ca.pem")));
    let (user, Some(Source::File(file))) = mqtt.user.unwrap() else {
        panic!("the password is in a file");
    };
    assert_eq!(
        (user.as_str(), file.as_path()),
        ("line", Path::new("line/secret/mqtt"))
    );
    assert_eq!(publish.http.unwrap().header, ("Authorization".into(), "Bearer "));
    assert_eq!(
        parse("line = \"L\"\nstation = \"S\"\nstate = \".\"")
            .unwrap()
            .destinations()
            .count(),
        0
    );
}

#[test]
fn says_what_is_wrong_and_shows_no_secret() {
    let cases = [
        (
            "mqtts://broker.plant",
            "mqtts://line:hunter2@broker.plant",
            ":8: `url`: no user or password in it",
        ),
        (
            "mqtts://broker.plant",
            "tcp://broker.plant",
            ":8: `url`: a `mqtt://` or `mqtts://` with a host",
        ),
        (
            "mqtts://broker.plant",
            "mqtts://broker.plant/a",
            ":8: `url`: a broker has no path",
        ),
        (
            "mqtts://broker.plant",
            "mqtt://broker.plant",
            "certificates need a `url` that begins with `mqtts://`",
        ),
        ("user = \"line\"", "", "a password needs a `user`"),
        (
            "user = \"line\"",
            "user = \"line\"\npassword = \"hunter2\"",
            "only one of `password`, `password_file`",
        ),
        (
            "user = \"line\"",
            "user = \"line\"\nkey = \"key.pem\"",
            "`certificate` and `key` go together",
        ),
        (
            "user = \"line\"",
            "topic = \"{slott}\"\nuser = \"line\"",
            ":9: `topic`: in braces, a topic can have `{line}`",
        ),
        (
            "user = \"line\"",
            "keep_alive_seconds = 1\nuser = \"line\"",
            ":9: `keep_alive_seconds`: 5 to 65535 seconds",
        ),
        ("grace_seconds = 7", "grace = 7", ":6: `grace`: unknown field"),
        (
            "\"hunter2\"",
            "123456",
            ":14: `token`: a text in quotation marks is needed",
        ),
        (
            "token = \"hunter2\"",
            "token = \"hunter2\"\nheader = \"a b\"",
            ":15: `header`: this is no name",
        ),
    ];
    for (from, to, expected) in cases {
        let message = parse(&GOOD.replace(from, to)).unwrap_err();
        assert!(message.contains(expected), "{to}: {message}");
        assert!(
            !message.contains("hunter2") && !message.contains("123456"),
            "{message}"
        );
    }
}
