//! What a report holds, and what a redacted one does not.

use std::fs;

use crate::desk::Desk;

/// What the virtual modules call themselves.
const IMEI: &str = "866327040830317";
const SERIAL: &str = "D1Q20GM050038341P";

#[test]
fn a_report_says_what_was_done_with_what_and_holds_every_trace() {
    let desk = Desk::with("uis8910", "");
    let ended = desk.play(&["--scenario", "refuse-label", "--scenario", "write"]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let results = desk.results();
    assert_eq!(
        (&results["schema"], &results["kind"]),
        (&1.into(), &"qpyflash-evb-report".into())
    );
    let version = concat!("qpyflash ", env!("CARGO_PKG_VERSION"));
    assert_eq!(results["tool"]["version"], version);
    for hash in [&results["tool"]["sha256"], &results["packages"]["good"]["sha256"]] {
        assert_eq!(hash.as_str().unwrap().len(), 64);
    }
    assert_eq!(results["host"]["system"], std::env::consts::OS);
    assert!(results["host"]["usb"].is_array());
    assert_eq!(results["board"]["label"], "EC600UCNLB");
    assert_eq!(results["before"]["revision_text"], "EC600UCNLBR03A02M08");
    assert!(results["left"].as_str().unwrap().ends_with("is in run mode"));
    let write = &results["scenarios"][1]["steps"][0];
    assert_eq!(
        (&write["exit"], &write["verdict"]),
        (&0.into(), &"confirmed".into())
    );
    for file in ["command.txt", "events.jsonl", "stderr.txt", "trace.jsonl"] {
        let path = desk
            .path()
            .join("report")
            .join(write["folder"].as_str().unwrap())
            .join(file);
        assert!(path.is_file(), "{}", path.display());
    }
    let summary = fs::read_to_string(desk.path().join("report/summary.md")).unwrap();
    for words in [
        "2 passed, 0 failed, 0 skipped",
        "| write | The right firmware",
        "MB/s",
        "EC600UCNLB",
    ] {
        assert!(summary.contains(words), "{words}\n{summary}");
    }
    let again = desk.play(&["--scenario", "write"]);
    assert!(
        again.stderr.contains("cannot make the report folder"),
        "{}",
        again.stderr
    );
}

/// Whether any file below the folder holds one of these, as text or as the hexadecimal digits of a trace.
fn tells(desk: &Desk, folder: &str) -> Vec<String> {
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let secrets = [IMEI.to_owned(), SERIAL.to_owned(), hex(IMEI), hex(SERIAL)];
    let files = desk.files(folder).into_iter();
    files
        .filter(|file| {
            let text =
                String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned() + &file.display().to_string();
            secrets.iter().any(|secret| text.contains(secret))
        })
        .map(|file| file.display().to_string())
        .collect()
}

#[test]
fn a_redacted_report_tells_no_imei_and_no_serial_number() {
    let desk = Desk::with("uis8910", "");
    let ended = desk.play(&["--scenario", "refuse-label"]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert!(!tells(&desk, "report").is_empty(), "there is something to redact");
    let ended = desk.evb(&["report", "report", "--redact", "-o", "share"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(tells(&desk, "share"), [""; 0]);
    assert!(desk.path().join("share/summary.md").is_file());
    assert_eq!(
        desk.evb(&["report", "report", "--redact", "-o", "share"]).code,
        Some(1)
    );
    assert_eq!(
        desk.evb(&["report", ".", "--redact", "-o", "other"]).code,
        Some(1)
    );

    let desk = Desk::with("uis8910", "");
    let ended = desk.play(&["--scenario", "refuse-label", "--redact"]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(tells(&desk, "report"), [""; 0]);
    assert_eq!(desk.results()["scenarios"][0]["verdict"], "passed");
}
