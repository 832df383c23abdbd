//! Stations as they are read, and what is said of one that is wrong.

use super::*;

const GOOD: &str = r#"
line = "L1"
station = "S1"
state = "state"
[limits]
retries = 2
[[product]]
ordering_code = "EC600N_CNLA"
file = "fw.zip"
sha256 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
[[slot]]
name = "A1"
path = "1-4.2"
[[slot]]
name = "A2"
port = "/dev/ttyUSB0"
ordering_code = "EC600NCNLA"
"#;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("line/fixture.toml"), text).map_err(|error| {
        assert_eq!(error.kind, Kind::Usage);
        error.message
    })
}

#[test]
fn reads_a_station() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.state, Path::new("line/state"));
    assert_eq!(config.limits.retries, 2);
    assert_eq!(config.limits.hook_seconds, Limits::default().hook_seconds);
    assert_eq!(config.products[0].file, Path::new("line/fw.zip"));
    assert_eq!(config.products[0].sha256, "a".repeat(64));
    assert_eq!(config.slots[0].place.path().unwrap().to_string(), "1-4.2");
    assert_eq!(config.slots[1].place.port(), Some("/dev/ttyUSB0"));
}

#[test]
fn a_port_on_the_network_has_one_name() {
    let remote = GOOD.replace("/dev/ttyUSB0", "rfc2217://Rack-7");
    assert_eq!(
        parse(&remote).unwrap().slots[1].place.port(),
        Some("rfc2217://rack-7:2217")
    );
    let twice = format!("{remote}[[slot]]\nname = \"A3\"\nport = \"rfc2217://rack-7:2217\"\n");
    let message = parse(&twice).unwrap_err();
    assert!(
        message.ends_with("`port`: another slot has this place"),
        "{message}"
    );
}

#[test]
fn a_slot_is_talked_to_as_the_station_says_unless_it_says_so_itself() {
    let link = "[link]\nbaud = 9600\nframe = 2048\npacing = \"64B/1ms\"\n[limits]";
    let text = GOOD.replace("[limits]", link) + "baud = 921600\nflash_baud = 3000000\n";
    let config = parse(&text).unwrap();
    let request = |slot: usize| {
        let mut request = crate::flash::Request::new("fw.zip");
        config.slots[slot].tuning.apply(&mut request);
        let pacing = request.pacing.map(|(bytes, pause)| (bytes, pause.as_millis()));
        (request.baud, request.flash_baud, request.frame, pacing)
    };
    assert_eq!(request(0), (9600, None, Some(2048), Some((64, 1))));
    assert_eq!(request(1), (921_600, Some(3_000_000), Some(2048), Some((64, 1))));
    assert_eq!(parse(GOOD).unwrap().slots[0].tuning.baud(), 115_200);
}

#[test]
fn what_could_harm_a_module_stays_off_unless_it_is_named() {
    let production = |text: &str| {
        let config = parse(text).unwrap();
        crate::fleet::slot::request(&config.slots[0], &config.products[0])
    };
    let plain = production(GOOD);
    let defaults = crate::flash::Request::new("fw.zip");
    assert!(!plain.production && !plain.fill_missing_nv && plain.verify);
    assert_eq!((plain.before, plain.after), (defaults.before, defaults.after));
    assert!(production(&GOOD.replace("file =", "production = true\nfile =")).production);
}

#[test]
fn says_line_and_key_of_what_is_wrong() {
    let cases = [
        (
            "station = \"S1\"",
            "statoin = \"S1\"",
            ":3: `statoin`: unknown field",
        ),
        (
            "retries = 2",
            "retries = 11",
            ":5: `[limits]`: `retries` must be at most 10",
        ),
        ("retries = 2", "retries = \"two\"", ":6: `retries`: invalid type"),
        ("retries = 2", "silent_seconds = 5", "`silent_seconds` must be"),
        (
            "retries = 2",
            "empty_seconds = 0",
            ":5: `[limits]`: `empty_seconds` must be 1 to 600",
        ),
        ("\"A2\"", "\"A;2\"", ":15: `name`: a name of"),
        (
            "[limits]",
            "[link]\nflash_baud = 9600\n[limits]",
            ":6: `flash_baud`: 9600 is no line speed",
        ),
        (
            "[limits]",
            "[link]\npacing = \"64\"\n[limits]",
            ":6: `pacing`: bytes of a write",
        ),
        (
            "[limits]",
            "[scanner]\nprot = \"x\"\n[limits]",
            ":6: `prot`: unknown field",
        ),
        (
            "[limits]",
            "[hooks]\nend = []\n[limits]",
            "a hook needs a program",
        ),
        ("EC600N_CNLA", "EC600N", ":8: `ordering_code`:"),
        ("AAAA\"", "AAA\"", ":10: `sha256`: 64 hexadecimal digits"),
        (
            "\"1-4.2\"",
            "\"usb4\"",
            ":13: `path`: `usb4` is not a USB topology path",
        ),
        ("\"A2\"", "\"A1\"", ":15: `name`: another slot has this name"),
        ("\"A2\"", "\"A 2\"", ":15: `name`: a name of"),
        (
            "port = \"/dev/ttyUSB0\"",
            "path = \"1-4.2\"",
            ":16: `path`: another slot has this place",
        ),
        (
            "/dev/ttyUSB0",
            "rfc2217://me@rack",
            ":16: `port`: `rfc2217://me@rack` is not like",
        ),
        (
            "port = \"/dev/ttyUSB0\"",
            "baud = 9600",
            ":15: `name`: a slot needs either",
        ),
    ];
    for (from, to, expected) in cases {
        let message = parse(&GOOD.replace(from, to)).unwrap_err();
        assert!(
            message.starts_with("line/fixture.toml:") && message.contains(expected),
            "{to}: {message}"
        );
    }
}
