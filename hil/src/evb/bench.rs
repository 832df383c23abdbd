//! The bench: the module under test, real or virtual, with its packages and the hands at it.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use qpyflash::identity::OrderingCode;
use qpyflash_usb_rig::subject::{Kind, Setup, Subject};
use qpyflash_virtual::{LinkModel, Mode, Role, VirtualBus};

use super::board::Board;
use super::catalogue::{Need, Scenario};
use super::hands::{Deed, Hands};
use super::packages::{self, Stock};
use super::tool::Tool;

/// Where a virtual module is plugged in.
const SOCKET: &str = "1-4.2";
const START_WITHIN: Duration = Duration::from_secs(20);
/// The virtual EC618 behind a UART adapter.
const ON_UART: &str = "ec618-uart";

/// The bench.
pub struct Bench {
    pub board: Board,
    pub label: OrderingCode,
    /// Platform of the good package: `asr`.
    pub platform: String,
    pub path: Option<String>,
    pub uart: Option<PathBuf>,
    pub packages: Stock,
    /// Image bytes of the good package.
    pub image_bytes: u64,
    pub hands: Hands,
    pub subject: Option<Rc<dyn Subject>>,
    pub tool: Tool,
    _bus: Option<VirtualBus>,
}

impl Bench {
    /// Sets a bench up; packages that are made for it are put into `folder`.
    ///
    /// # Errors
    /// A board that cannot be set up so, and a good package that cannot be read.
    pub fn set_up(
        board: Board,
        program: PathBuf,
        folder: &Path,
        has_operator: bool,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Self, String> {
        let mut stock: Stock = board
            .packages
            .given()
            .map(|(name, file)| (name.to_owned(), file.clone()))
            .collect();
        let mut tool = Tool {
            program,
            bus: None,
            interrupted: Arc::clone(interrupted),
        };
        let (mut label, mut bus, mut subject) = (board.oc.clone(), None, None);
        if let Some(kind) = &board.kind {
            let on_uart = kind == ON_UART;
            let kind = Kind::named(if on_uart { "ec618" } else { kind })?;
            let made = VirtualBus::temporary().map_err(|why| format!("cannot make a virtual bus: {why}"))?;
            subject = Some(plug(&board, kind, on_uart, &made)?);
            stock.extend(own_packages(kind, folder, board.large).map_err(|why| why.to_string())?);
            label = Some(kind.ordering_code.parse().map_err(|why| format!("{why}"))?);
            tool.bus = Some(made.path().to_path_buf());
            bus = Some(made);
        }
        let label = label.ok_or("the board has no label")?;
        let (platform, image_bytes) = inspect(&tool, &stock)?;
        packages::complete(&mut stock, folder, &platform, &label)?;
        let on_uart = board.kind.as_deref() == Some(ON_UART);
        let (path, uart) = match &subject {
            None => (board.path.clone(), board.uart.clone()),
            Some(subject) if on_uart => (None, subject.tty(Role::At)),
            Some(_) => (Some(SOCKET.to_owned()), None),
        };
        let hands = Hands::new(
            board.control.clone(),
            subject.clone(),
            has_operator,
            Arc::clone(interrupted),
        );
        Ok(Bench {
            board,
            label,
            platform,
            path,
            uart,
            packages: stock,
            image_bytes,
            hands,
            subject,
            tool,
            _bus: bus,
        })
    }

    /// What the bench lacks for a scenario, in words; none when it can be played.
    pub fn lacks(&self, scenario: &Scenario) -> Option<String> {
        scenario.needs().iter().find_map(|need| {
            let (has, words) = match need {
                Need::Package(name) => (self.packages.contains_key(name), format!("the package `{name}`")),
                Need::Power => (
                    self.hands.can(Deed::PowerOff) && self.hands.can(Deed::PowerOn),
                    "control of the supply".into(),
                ),
                Need::Cable => (
                    self.hands.can(Deed::CableOut) && self.hands.can(Deed::CableIn),
                    "control of the cable".into(),
                ),
                Need::BootKey => (self.has_boot_key(), "control of the BOOT key".into()),
                Need::Uart => (
                    self.uart.is_some(),
                    "`uart`, a serial adapter at the module".into(),
                ),
                Need::Usb => (self.path.is_some(), "`path`, the module's own USB".into()),
            };
            (!has).then_some(words)
        })
    }

    /// Bytes per second that the line carries, where that is known.
    pub fn line(&self) -> Option<u64> {
        let named = || LinkModel::named(self.board.line.as_deref()?)?.bytes_per_second;
        self.board.bytes_per_second.or_else(named)
    }

    pub fn has_boot_key(&self) -> bool {
        self.hands.can(Deed::BootPress) && self.hands.can(Deed::BootRelease)
    }
}

fn plug(board: &Board, kind: &Kind, is_on_uart: bool, bus: &VirtualBus) -> Result<Rc<dyn Subject>, String> {
    let setup = Setup {
        fault: board.fault.as_deref().map(str::parse).transpose()?,
        link: LinkModel {
            bytes_per_second: board.bytes_per_second,
            turn_round: Duration::ZERO,
        },
        is_on_uart,
        is_large: board.large,
        ..Setup::default()
    };
    let subject = kind
        .plug(bus, SOCKET, &setup)
        .map_err(|why| format!("cannot plug the virtual module in: {why}"))?;
    subject.wait_for_mode(Mode::Run, START_WITHIN)?;
    Ok(Rc::from(subject))
}

/// The package that a virtual module is compared with, and one of another version.
fn own_packages(kind: &Kind, folder: &Path, is_large: bool) -> std::io::Result<Vec<(String, PathBuf)>> {
    // The ten characters of the ordering code, then `R03A07`: the version is the second number.
    let older = format!("{}A98{}", &kind.new[..13], &kind.new[16..]);
    let mut made = Vec::new();
    for (name, revision) in [("good", kind.new), ("older", older.as_str())] {
        let path = folder.join(format!("{name}-{}.zip", kind.package));
        std::fs::write(&path, kind.archive_of(revision, kind.package, is_large)?)?;
        made.push((name.to_owned(), path));
    }
    Ok(made)
}

/// The platform of the good package and the bytes of its images.
fn inspect(tool: &Tool, stock: &Stock) -> Result<(String, u64), String> {
    let good = stock.get("good").ok_or("there is no good package")?;
    let ended = tool
        .ask(&["inspect", &good.display().to_string()])
        .map_err(|stop| stop.to_string())?;
    let platform = ended.said["platform"].as_str().map(str::to_owned);
    let images = ended.said["images"].as_array().cloned().unwrap_or_default();
    let bytes = images.iter().filter_map(|image| image["size"].as_u64()).sum();
    match platform {
        Some(platform) if ended.code == Some(0) => Ok((platform, bytes)),
        _ => Err(format!("the good package is not sound: {}", ended.stderr.trim())),
    }
}
