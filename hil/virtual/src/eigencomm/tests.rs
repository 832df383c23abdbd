//! What depends on time, on a clock of its own.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::agents::{self, AgentKind};
use super::builder::Eigencomm;
use super::flash::EigencommFlash;
use super::frame::{self, AG, DL, LPC, WRONG_STATE};
use super::header::{Header, ImageId};
use super::loader::Loader;
use crate::outbox::Outbox;
use crate::port::{Ending, Talker};
use crate::shared::Shared;

const NOTHING: [u8; 0] = [];
const MOMENT: Duration = Duration::from_micros(100);

/// A loader with a clock that only moves when it is told.
struct Bench {
    loader: Loader,
    now: Instant,
    out: Outbox,
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

impl Bench {
    fn new(change: impl FnOnce(&mut Eigencomm)) -> Self {
        let (mut settings, now) = (Eigencomm::new(), Instant::now());
        change(&mut settings);
        let flash = Arc::new(Mutex::new(EigencommFlash::factory(None)));
        Bench {
            loader: Loader::new(settings, Shared::for_tests(), flash, None, now),
            now,
            out: Outbox::default(),
        }
    }

    /// Lets time pass, tick by tick; gives what the module says.
    fn wait(&mut self, time: Duration) -> Vec<u8> {
        let end = self.now + time;
        let mut said = Vec::new();
        loop {
            self.loader.tick(self.now, &mut self.out);
            let ready = self.out.ready(self.now).to_vec();
            self.out.sent(ready.len());
            said.extend(ready);
            if self.now >= end {
                return said;
            }
            let next = [self.loader.next_tick(), self.out.next_due()]
                .into_iter()
                .flatten()
                .min();
            self.now = next.map_or(end, |next| next.clamp(self.now + MOMENT, end));
        }
    }

    fn say(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.loader.hear(bytes, self.now, &mut self.out);
        self.wait(MOMENT)
    }

    fn sync(&mut self, word: [u8; 4]) -> Vec<u8> {
        self.say(&[word, word].concat())
    }

    fn rom(&mut self, command: u8, index: u8, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![command, index, 0xCD, 0x32];
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend_from_slice(data);
        if command == frame::DOWNLOAD_DATA {
            let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
            bytes.extend(sum.to_le_bytes());
        }
        self.say(&bytes)
    }

    fn rom_image(&mut self, image: &[u8]) {
        assert_eq!(self.sync(DL), DL);
        for (index, packet) in image.chunks(0x400).enumerate() {
            let left = (image.len() - 0x400 * index) as u32;
            self.rom(frame::DATA_HEAD, 0, &left.to_le_bytes());
            let reply = self.rom(frame::DOWNLOAD_DATA, index as u8, packet);
            assert_eq!(reply[4..], [0, 0]);
        }
        assert_eq!(self.rom(frame::DONE, 0, &[])[4..], [0, 0]);
    }

    /// Loads the agent for the port; it has not been synchronised yet.
    fn load(&mut self, kind: AgentKind) {
        let agent = agents::made_up(kind, "EC600ECNLCR01A01M04");
        self.rom_image(&Header::of(ImageId::Bl, 0, &agent).0);
        self.rom_image(&agent);
    }

    fn in_lpc(change: impl FnOnce(&mut Eigencomm)) -> Self {
        let mut bench = Bench::new(change);
        bench.load(AgentKind::Usb);
        bench.wait(ms(50));
        assert_eq!(bench.sync(LPC), LPC);
        bench
    }

    fn command(&mut self, order: [u8; 2], command: u8, data: &[u8]) -> Vec<u8> {
        self.say(&encoded(order, command, data))
    }

    fn lpc(&mut self, command: u8, data: &[u8]) -> Vec<u8> {
        self.command(frame::ORDER_LPC, command, data)
    }

    fn ag(&mut self, command: u8, data: &[u8]) -> Vec<u8> {
        self.command(frame::ORDER_AG, command, data)
    }

    fn status(&mut self) -> Option<u8> {
        self.lpc(frame::GET_BURN_STATUS, &[]).get(6).copied()
    }

    /// BURN_ONE of a FLEX image, up to the DONE of its header.
    fn begin(&mut self, address: u32, body: &[u8]) {
        self.lpc(frame::BURN_ONE, &ImageId::Flex.bytes());
        assert_eq!(self.sync(AG), NOTHING);
        assert_eq!(self.sync(AG), AG);
        self.ag(frame::DATA_HEAD, &272_u32.to_le_bytes());
        self.ag(frame::DOWNLOAD_DATA, &Header::of(ImageId::Flex, address, body).0);
        self.ag(frame::DONE, &[]);
    }

    fn packet(&mut self, body: &[u8]) {
        self.ag(frame::DATA_HEAD, &(body.len() as u32).to_le_bytes());
        self.ag(frame::DOWNLOAD_DATA, body);
        assert_eq!(self.ag(frame::DONE, &[])[..5], [0x3A, 0, 0xCD, 0x32, 0]);
    }
}

fn encoded(order: [u8; 2], command: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![command, 0, order[0], order[1]];
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend_from_slice(data);
    let check = crate::crc::crc32(&bytes);
    bytes[7] = frame::crc8(&bytes[4..7]);
    bytes.extend(check.to_le_bytes());
    bytes
}

#[test]
fn half_a_frame_is_forgotten_after_a_second() {
    let mut bench = Bench::in_lpc(|_| {});
    let status = encoded(frame::ORDER_LPC, frame::GET_BURN_STATUS, &[]);
    assert_eq!(bench.say(&status[..9]), NOTHING);
    bench.wait(ms(950));
    assert_eq!(bench.say(&status[9..]).len(), 14);
    assert_eq!(bench.say(&status[..9]), NOTHING);
    bench.wait(ms(1001));
    assert_eq!(bench.status(), Some(0));
}

#[test]
fn waits_four_seconds_for_a_session_and_sixteen_for_a_command() {
    let mut bench = Bench::in_lpc(|_| {});
    bench.lpc(frame::BURN_ONE, &ImageId::Flex.bytes());
    bench.wait(ms(3900));
    assert_eq!(bench.sync(AG), NOTHING, "swallowed");
    assert_eq!(bench.sync(AG), AG);
    bench.wait(ms(15_900));
    assert_eq!(bench.ag(frame::SEL_IMAGE, &[])[6..10], *b"HMIT");
    bench.wait(ms(16_100));
    assert_eq!(bench.sync(AG), WRONG_STATE);
    assert_eq!(bench.status(), Some(0x96));
    bench.lpc(frame::BURN_ONE, &ImageId::Flex.bytes());
    bench.wait(ms(4100));
    assert_eq!(bench.sync(AG), WRONG_STATE);
    assert_eq!(bench.status(), Some(0x96));
}

#[test]
fn syncs_are_lost_while_it_erases_before_a_block() {
    let mut bench = Bench::in_lpc(|settings| settings.takes_time = true);
    let body = [0x5A; 0x8000];
    bench.begin(0x38_0000, &body);
    assert_eq!(bench.sync(AG), NOTHING, "32 KiB are erased in 120 ms");
    assert_eq!(bench.wait(ms(119)), NOTHING);
    assert_eq!(bench.wait(ms(30)), NOTHING, "the sync is gone");
    assert_eq!(bench.sync(AG), AG);
    for (index, packet) in body.chunks(0x4000).enumerate() {
        bench.ag(frame::DATA_HEAD, &(packet.len() as u32).to_le_bytes());
        let mut data = encoded(frame::ORDER_AG, frame::DOWNLOAD_DATA, packet);
        data[1] = index as u8;
        let end = data.len() - 4;
        let mut plain = data[..end].to_vec();
        plain[7] = 0;
        data[end..].copy_from_slice(&crate::crc::crc32(&plain).to_le_bytes());
        assert_eq!(bench.say(&data)[4], 0);
    }
    bench.ag(frame::DONE, &[]);
    assert_eq!(bench.status(), None, "not before it is programmed and read back");
    assert_eq!(bench.wait(ms(60))[6], 0);
}

#[test]
fn a_whole_aligned_block_is_erased_while_its_data_arrive() {
    let mut bench = Bench::in_lpc(|settings| settings.takes_time = true);
    bench.begin(0x38_0000, &[0; 0x1_0000]);
    assert_eq!(bench.sync(AG), AG);
}

#[test]
fn erases_take_their_time_before_their_answer() {
    let mut bench = Bench::in_lpc(|settings| settings.takes_time = true);
    let words = [0x1_0000_u32, 0x00B8_0000];
    let data: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    assert_eq!(bench.lpc(frame::FLASH_ERASE, &data), NOTHING);
    assert_eq!(bench.wait(ms(239)), NOTHING);
    assert_eq!(bench.wait(ms(2))[4], 0);
}

#[test]
fn a_refused_frame_empties_the_line() {
    let mut bench = Bench::in_lpc(|_| {});
    let mut wrong = encoded(frame::ORDER_LPC, frame::READ_MEM, &[0; 8]);
    wrong[7] ^= 1;
    let (head, tail) = wrong.split_at(10);
    assert_eq!(bench.say(head)[6], 0x9B);
    assert_eq!(
        bench.say(tail),
        NOTHING,
        "the rest of it, and all that follows without a pause"
    );
    assert_eq!(bench.status(), None);
    bench.wait(ms(3));
    assert_eq!(bench.status(), Some(0));
}

#[test]
fn an_agent_that_starts_is_deaf() {
    let mut bench = Bench::new(|settings| settings.agent_start = ms(30));
    bench.load(AgentKind::Usb);
    assert_eq!(bench.sync(LPC), NOTHING);
    bench.wait(ms(30));
    assert_eq!(bench.sync(LPC), LPC);
}

#[test]
fn leaves_after_its_farewell_or_when_nobody_speaks() {
    let mut bench = Bench::in_lpc(|_| {});
    assert_eq!(bench.lpc(frame::SYS_RST, &[])[6..14], *b"ZzZzZzZz");
    assert_eq!(bench.loader.ending(bench.now + ms(150)), None);
    assert_eq!(bench.loader.ending(bench.now + ms(200)), Some(Ending::Restart));

    let mut bench = Bench::new(|settings| settings.download_idle = Some(ms(500)));
    bench.wait(ms(400));
    assert_eq!(bench.sync(DL), DL);
    assert_eq!(bench.loader.ending(bench.now + ms(400)), None);
    assert_eq!(
        bench.loader.ending(bench.now + ms(500)),
        Some(Ending::WindowClosed)
    );
}

#[test]
fn a_uart_agent_answers_over_uart_only() {
    let mut bench = Bench::new(|settings| settings.transport = AgentKind::Uart);
    let agent = agents::made_up(AgentKind::Uart, "EC600ECNLCR01A01M04");
    let mut header = Header::of(ImageId::Bl, 0, &agent);
    header.set_baud(921_600);
    bench.rom_image(&header.0);
    bench.rom_image(&agent);
    assert_eq!(bench.sync(LPC), NOTHING, "still at 115200");
    bench.loader.line_speed(921_600);
    assert_eq!(bench.sync(LPC), LPC);
    bench.begin(0x38_0000, &[7; 16]);
    assert_eq!(bench.sync(AG), AG);
    bench.packet(&[7; 16]);
    assert_eq!(bench.status(), Some(0));

    let mut bench = Bench::new(|_| {});
    bench.load(AgentKind::Uart);
    assert_eq!(bench.sync(LPC), NOTHING);
}
