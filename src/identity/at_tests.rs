use super::super::scripted::{AtModule, Replies, Scripted};
use super::*;
use crate::identity::Witness;

/// Longest any reading may take, in virtual time.
const BOUND: Duration = Duration::from_secs(120);

fn ask_module(mut module: AtModule) -> (Result<Identity, IdentityError>, String) {
    let mut wire = Scripted::new(|bytes| module.answer(bytes));
    let found = read(&mut wire);
    assert!(wire.now() < BOUND);
    (found, wire.sent_text())
}

fn identity(module: AtModule) -> Identity {
    ask_module(module).0.unwrap_or_else(|e| panic!("{e}"))
}

fn code(identity: &Identity) -> Option<&str> {
    identity.ordering_code.as_ref().map(OrderingCode::first_part)
}

#[test]
fn asks_in_the_vendors_order_and_reads_every_answer() {
    let (found, sent) = ask_module(AtModule::new());
    let found = found.unwrap();
    assert_eq!(sent, r"AT\r\nATI\r\nAT+CGMR\r\nAT+CGSN\r\nAT+EGMR=0,5\r\n");
    assert_eq!(code(&found), Some("EC600NCNLA"));
    assert_eq!(found.revision_text.as_deref(), Some(AtModule::REVISION));
    assert_eq!(found.object_id.as_deref(), Some("EC600N"));
    assert_eq!(found.imei.as_deref(), Some("862635064814932"));
    assert_eq!(found.serial_number.as_deref(), Some("D1Q20GM050038341P"));
    assert_eq!(
        (found.source, found.witness),
        (Source::At, Some(Witness::Factory))
    );
    assert_eq!(found.notes, [""; 0]);
}

#[test]
fn echo_urcs_chunks_and_delays_change_nothing() {
    let plain = identity(AtModule::new());
    for echo in [true, false] {
        for urc in [
            "",
            "+CFUN: 1\r\n",
            "\r\n+QIND: SMS DONE\r\n\r\n+CPIN: READY\r\n",
            "+QUSIM: 1\r\nRING\r\n",
        ] {
            for chunk in [1, 2, 3, 7, 1000] {
                for delay in [0, 5, 299, 900] {
                    let mut module = AtModule {
                        echo,
                        urc,
                        delay,
                        ..AtModule::new()
                    };
                    let mut wire = Scripted::new(|bytes| module.answer(bytes)).in_chunks(chunk);
                    assert_eq!(
                        read(&mut wire),
                        Ok(plain.clone()),
                        "{echo} {urc:?} {chunk} {delay}"
                    );
                }
            }
        }
    }
}

#[test]
fn answers_that_come_after_their_time_are_not_taken_for_others() {
    for delay in [1100, 1500, 1950] {
        assert_eq!(
            identity(AtModule {
                delay,
                ..AtModule::new()
            }),
            identity(AtModule::new()),
            "{delay}"
        );
    }
}

#[test]
fn waits_for_a_module_that_has_just_booted() {
    let mut module = AtModule::new();
    let mut wire = Scripted::new(|bytes| module.answer(bytes))
        .saying(100, "\r\nRDY\r\n")
        .saying(700, "\r\n+CFUN: 1\r\n")
        .saying(1500, "\r\n+CPIN: READY\r\n+QUSIM: 1\r\n")
        .saying(2200, "\r\n+QIND: PB DONE\r\n");
    assert_eq!(code(&read(&mut wire).unwrap()), Some("EC600NCNLA"));
}

#[test]
fn waits_for_a_slow_boot_that_has_shown_a_sign_of_life() {
    let mut module = AtModule::new();
    let mut unheard = 8;
    let mut wire = Scripted::new(|bytes| {
        if unheard > 0 {
            unheard -= 1;
            return vec![(500, b"\r\n+CFUN: 1\r\n".to_vec())];
        }
        module.answer(bytes)
    });
    assert_eq!(code(&read(&mut wire).unwrap()), Some("EC600NCNLA"));
}

#[test]
fn a_reboot_between_two_questions_is_survived() {
    let mut module = AtModule::new();
    let mut wire = Scripted::new(|bytes: &[u8]| {
        let mut replies = module.answer(bytes);
        if bytes == b"ATI\r\n" {
            replies.insert(0, (1, b"\r\nRDY\r\n".to_vec()));
        }
        replies
    });
    assert_eq!(code(&read(&mut wire).unwrap()), Some("EC600NCNLA"));
}

#[test]
fn asks_again_when_the_module_is_busy() {
    let found = identity(AtModule {
        busy: 2,
        ..AtModule::new()
    });
    assert_eq!((code(&found), found.imei.is_some()), (Some("EC600NCNLA"), true));
}

#[test]
fn leaves_data_mode() {
    let (found, sent) = ask_module(AtModule {
        data_mode: true,
        ..AtModule::new()
    });
    assert_eq!(code(&found.unwrap()), Some("EC600NCNLA"));
    assert!(sent.starts_with(r"AT\r\nAT\r\nAT\r\n+++AT\r\nATI\r\n"), "{sent}");
}

#[test]
fn escapes_only_between_two_guard_times() {
    let mut times: Vec<(Duration, Vec<u8>)> = Vec::new();
    let mut wire = Timed {
        inner: Scripted::new(|_| Replies::new()),
        times: &mut times,
    };
    assert!(matches!(read(&mut wire), Err(IdentityError::Silent { .. })));
    let escape = times.iter().position(|(_, bytes)| bytes == b"+++").unwrap();
    assert!(times[escape].0 - times[escape - 1].0 >= Duration::from_secs(1));
    assert!(times[escape + 1].0 - times[escape].0 >= Duration::from_secs(1));
}

/// Remembers when each send happened.
struct Timed<'t, 'm> {
    inner: Scripted<'m>,
    times: &'t mut Vec<(Duration, Vec<u8>)>,
}

impl Wire for Timed<'_, '_> {
    fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.times.push((self.inner.now(), bytes.to_vec()));
        self.inner.send(bytes)
    }
    fn receive(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        self.inner.receive(into, within)
    }
    fn set_baud(&mut self, baud: u32) -> Result<(), WireError> {
        self.inner.set_baud(baud)
    }
    fn now(&self) -> Duration {
        self.inner.now()
    }
    fn pause(&mut self, how_long: Duration) -> Result<(), WireError> {
        self.inner.pause(how_long)
    }
    fn report(&mut self, fact: qpyflash_protocols::Progress<'_>) {
        self.inner.report(fact);
    }
}

#[test]
fn falls_back_to_egmr_for_the_imei_and_lives_without_a_serial_number() {
    let found = identity(AtModule {
        refuses: &["AT+CGSN", "AT+EGMR=0,5"],
        ..AtModule::new()
    });
    assert_eq!(found.imei.as_deref(), Some("862635064814932"));
    assert_eq!(
        (code(&found), found.serial_number.as_deref()),
        (Some("EC600NCNLA"), None)
    );
}

#[test]
fn trusts_neither_when_ati_and_cgmr_differ() {
    let found = identity(AtModule {
        cgmr_revision: "EC600NCNLDR03A03M16",
        ..AtModule::new()
    });
    assert_eq!((code(&found), &found.revision), (None, &None));
    assert!(found.notes[0].contains("EC600NCNLAR03A07M08") && found.notes[0].contains("EC600NCNLDR03A03M16"));
}

#[test]
fn one_answer_alone_is_not_trusted() {
    for refuses in [&["AT+CGMR"], &["ATI"]] {
        let found = identity(AtModule {
            refuses,
            ..AtModule::new()
        });
        assert_eq!(
            (code(&found), found.revision.is_some()),
            (None, true),
            "{refuses:?}"
        );
        assert!(
            found.notes.iter().any(|note| note.contains("not trusted")),
            "{:?}",
            found.notes
        );
    }
}

#[test]
fn an_object_id_of_another_series_takes_the_trust_away() {
    let found = identity(AtModule {
        object_id: "EC800N",
        ..AtModule::new()
    });
    assert_eq!(code(&found), None);
    assert!(found.notes[0].contains("EC800N"));
}

#[test]
fn customer_firmware_has_no_ordering_code() {
    let c_sdk = AtModule {
        object_id: "EC800MCN_LA",
        ati_revision: "LTE01R06A04_VOLTE_C_SDK_A",
        cgmr_revision: "LTE01R06A04_VOLTE_C_SDK_A",
        ..AtModule::new()
    };
    let found = identity(c_sdk);
    assert_eq!((code(&found), &found.revision), (None, &None));
    assert_eq!(found.object_id.as_deref(), Some("EC800MCN_LA"));
    assert_eq!(found.revision_text.as_deref(), Some("LTE01R06A04_VOLTE_C_SDK_A"));

    let custom = AtModule {
        object_id: "EG800ZCNLA",
        ati_revision: "QSR01A03_C_SDK_LTE_E_BETA20260511",
        more: "CustRevision: EG800ZCNLAR01A01_BETA_OCPU_20260512\r\n",
        refuses: &["AT+CGMR", "AT+CGMM"],
        ..AtModule::new()
    };
    let found = identity(custom);
    assert_eq!(code(&found), None);
    assert_eq!(found.revision.unwrap().ordering_code().first_part(), "EG800ZCNLA");
    assert!(
        found.notes.iter().any(|note| note.contains("CustRevision")),
        "{:?}",
        found.notes
    );
}

#[test]
fn reads_every_real_ati_reply() {
    for (object_id, revision, expected) in [
        ("EC200U", "EC200UCNAAR03A09M08", Some("EC200UCNAA")),
        ("EC200U", "EC200UCNLBR03A02M08", Some("EC200UCNLB")),
        ("EC800M", "EC800MCNGAR06A05M08", Some("EC800MCNGA")),
        ("EC600M", "EC600MCNLER06A08M08", Some("EC600MCNLE")),
        ("EG800K", "EG800KCNGCR07A04M04", Some("EG800KCNGC")),
        ("EG800G", "EG800GEULDR01A09M04", Some("EG800GEULD")),
        ("EG800Q", "EG800QEULCR01A03M", Some("EG800QEULC")),
        ("EC200A-CNTA", "EC200AEUHAR01A30M16", Some("EC200AEUHA")),
        ("EG25", "EG25GGBR07A08M2G_01.001.01.001", None),
        ("EC600U", "EC600UCNLBR03A02M08_OCPU_QPY", Some("EC600UCNLB")),
    ] {
        let module = AtModule {
            object_id,
            ati_revision: revision,
            cgmr_revision: revision,
            ..AtModule::new()
        };
        assert_eq!(code(&identity(module)), expected, "{revision}");
    }
}

#[test]
fn accepts_a_prefix_before_the_revision() {
    let found = identity(AtModule {
        cgmr_revision: "+CGMR: EC600NCNLAR03A07M08",
        ..AtModule::new()
    });
    assert_eq!(code(&found), Some("EC600NCNLA"));
}

#[test]
fn says_when_the_imei_is_a_default() {
    let found = identity(AtModule {
        imei: "864430010001091",
        ..AtModule::new()
    });
    assert!(found.has_default_imei());
    assert!(found.notes.iter().any(|note| note.contains("lost its NV data")));
}

#[test]
fn a_log_port_never_hears_a_word() {
    let frames: Vec<u8> = (0..64u8)
        .flat_map(|n| [0x7e, n ^ 0x5a, 0x00, 0x81, 0xff, n, 0x7e])
        .collect();
    for traffic in [frames.as_slice(), b"%DBG 12:00:01 lwip: tx 43\r\n"] {
        let mut wire = Scripted::new(|_| Replies::new()).saying(50, traffic);
        assert!(matches!(read(&mut wire), Err(IdentityError::LogPort { .. })));
        assert_eq!(wire.sent_text(), "");
    }
}

#[test]
fn a_log_port_that_begins_late_hears_no_more() {
    for (traffic, begins) in [
        (&b"%DBG x\r\n"[..], 350),
        (&[0u8; 32], 400),
        (b"%DBG x\r\n", 2500),
    ] {
        let mut wire = Scripted::new(|_| Replies::new()).saying(begins, traffic);
        assert!(matches!(read(&mut wire), Err(IdentityError::LogPort { .. })));
        let tries = begins.saturating_sub(300) / 1000 + 1;
        assert_eq!(wire.sent_text(), r"AT\r\n".repeat(tries as usize));
    }
}

#[test]
fn text_without_end_is_a_log_port_too() {
    let mut wire = Scripted::new(|_| vec![(1, b"system is fine\r\n".repeat(1000))]);
    assert!(matches!(read(&mut wire), Err(IdentityError::LogPort { .. })));
    assert_eq!(wire.sent_text(), r"AT\r\n");
}

#[test]
fn line_noise_is_no_log_port() {
    let mut module = AtModule::new();
    let mut wire = Scripted::new(|bytes| module.answer(bytes)).saying(10, b"\x00\xff\xfe");
    assert_eq!(code(&read(&mut wire).unwrap()), Some("EC600NCNLA"));
}

#[test]
fn gives_up_on_silence_after_three_tries_and_an_escape() {
    let mut wire = Scripted::new(|_| Replies::new());
    assert!(matches!(read(&mut wire), Err(IdentityError::Silent { .. })));
    assert_eq!(wire.sent_text(), r"AT\r\nAT\r\nAT\r\n+++AT\r\nAT\r\n");
    assert!(wire.now() < Duration::from_secs(20));
}

#[test]
fn a_repl_is_not_taken_for_an_at_port() {
    for answer in [
        "\r\nNameError: name 'AT' isn't defined\r\n>>> ",
        "AT\r\n>>> ",
        ">>> ",
    ] {
        let mut wire = Scripted::new(|_| vec![(1, answer.as_bytes().to_vec())]);
        assert!(
            matches!(read(&mut wire), Err(IdentityError::Garbled { .. })),
            "{answer}"
        );
    }
    let mut wire = Scripted::new(|_| vec![(1, b"REPL refuse\r\n".to_vec())]);
    assert_eq!(read(&mut wire), Err(IdentityError::ReplLocked));
}

#[test]
fn a_module_that_vanishes_ends_the_questions() {
    for ms in [0, 100, 301, 304, 310, 650, 800] {
        let mut module = AtModule {
            delay: 100,
            ..AtModule::new()
        };
        let mut wire = Scripted::new(|bytes| module.answer(bytes)).leaving_at(ms);
        assert_eq!(read(&mut wire), Err(IdentityError::Wire(WireError::Gone)), "{ms}");
    }
}

#[test]
fn a_module_that_falls_silent_is_silent() {
    let mut wire = Scripted::new(|bytes| match bytes {
        b"AT\r\n" => vec![(1, b"\r\nOK\r\n".to_vec())],
        _ => Replies::new(),
    });
    let Err(IdentityError::Silent { asked, .. }) = read(&mut wire) else {
        panic!()
    };
    assert_eq!(asked, "`ATI` and `AT+CGMR`");
}

mod download {
    use super::*;

    fn enter(replies: Replies) -> (Result<Leaving, IdentityError>, String) {
        let mut wire = Scripted::new(move |_| replies.clone());
        (
            enter_download_mode(&mut wire, DownloadCommand::Qdownload),
            wire.sent_text(),
        )
    }

    #[test]
    fn ok_silence_and_disappearance_are_success() {
        let (left, sent) = enter(vec![(5, b"AT+QDOWNLOAD=1\r\r\nOK\r\n".to_vec())]);
        assert_eq!(
            (left, sent.as_str()),
            (Ok(Leaving::Acknowledged), r"AT+QDOWNLOAD=1\r\n")
        );
        assert_eq!(enter(Replies::new()).0, Ok(Leaving::Silent));
        assert_eq!(enter(vec![(5, b"AT+QDOWN".to_vec())]).0, Ok(Leaving::Silent));
        assert_eq!(enter(vec![(5, vec![0; 300])]).0, Ok(Leaving::Silent));
        let mut wire = Scripted::new(|_| Replies::new()).leaving_at(300);
        assert_eq!(
            enter_download_mode(&mut wire, DownloadCommand::Qdownload),
            Ok(Leaving::Vanished)
        );
    }

    #[test]
    fn a_refusal_is_told_in_the_modules_words() {
        for words in ["ERROR", "+CME ERROR: 4", "+CME ERROR: operation not supported"] {
            let (left, _) = enter(vec![(5, format!("\r\n+CFUN: 1\r\n{words}\r\n").into_bytes())]);
            let refused = IdentityError::Refused {
                command: "AT+QDOWNLOAD=1",
                answer: words.into(),
            };
            assert_eq!(left, Err(refused));
        }
    }

    #[test]
    fn nothing_is_sent_to_a_module_that_has_already_left_or_to_a_log_port() {
        let mut wire = Scripted::new(|_| Replies::new()).leaving_at(0);
        assert_eq!(
            enter_download_mode(&mut wire, DownloadCommand::Qdownload),
            Err(WireError::Gone.into())
        );
        let mut wire = Scripted::new(|_| Replies::new()).saying(0, [0; 100]);
        assert!(matches!(
            enter_download_mode(&mut wire, DownloadCommand::Qdownload),
            Err(IdentityError::LogPort { .. })
        ));
        assert_eq!(wire.sent_text(), "");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_replies_never_panic_and_always_end(replies: Vec<Vec<u8>>, chunk in 1usize..40) {
        let mut turn = replies.iter().cycle();
        let mut wire = Scripted::new(|_| turn.next().map(|r| (7, r.clone())).into_iter().collect()).in_chunks(chunk);
        let _ = read(&mut wire);
        proptest::prop_assert!(wire.now() < BOUND);
    }

    #[test]
    fn almost_right_replies_never_panic_and_always_end(
        lines in proptest::collection::vec("(OK|ERROR|RDY|ATI|Revision: ?|Quectel|EC600N[A-Z]{0,4}|\\+CME ERROR: 4|\\+EGMR: \"?[0-9]{0,15}\"?|[0-9]{15}|>>> |\\PC{0,8})(\r\n|\r|)", 1..30),
        chunk in 1usize..40,
    ) {
        let mut turn = lines.iter().cycle();
        let mut wire = Scripted::new(|_| turn.next().map(|r| (900, r.clone().into_bytes())).into_iter().collect())
            .in_chunks(chunk);
        let _ = read(&mut wire);
        proptest::prop_assert!(wire.now() < BOUND);
        let _ = enter_download_mode(&mut wire, DownloadCommand::Qdownload);
    }
}
