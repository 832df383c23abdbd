//! The files beside `at_command.binpkg`. Source: specs/eigencomm-agentboot.md §2.6-2.7 [V]; no byte is a vendor's.

use super::{BinpkgEntry, Extra};
use crate::Scale;
use crate::eigencomm::agents;
use crate::package::contents::code;

pub(super) const APPLICATION: &str = "ap_application.bin";
pub(super) const UPDATER: &str = "ap_updater.bin";
pub(super) const CUSTOMER_FS: &str = "customer_fs.bin";
pub(super) const BACKUP_FS: &str = "customer_backup_fs.bin";
pub(super) const CONFIG: &str = "quec_download_config.ini";
pub(super) const USB_AGENT: &str = "agentboot_usb/agentboot.bin";
pub(super) const UART_AGENT: &str = "agentboot_uart/agentboot.bin";

/// Where the application may begin, and where its area ends.
const APPLICATION_AT: u32 = 0x20_0000;
const APPLICATION_ENDS: u32 = 0x30_0000;
const AREA: u32 = 0x1_0000;

/// The files with an address of their own, in the order of `quec_download_config.ini`. The application begins behind
/// the AP image.
pub(super) fn extras(entries: &[BinpkgEntry]) -> Vec<Extra> {
    let ap = entries.iter().find(|entry| entry.kind == "AP");
    let ap_end = ap.map_or(0, |ap| ap.address + ap.data.len() as u32);
    let application = APPLICATION_AT.max(ap_end.next_multiple_of(AREA));
    let extra = |file, start, size| Extra { file, start, size };
    vec![
        extra(
            APPLICATION,
            application,
            APPLICATION_ENDS.saturating_sub(application),
        ),
        extra(UPDATER, 0x3B_4000, 0x1_0000),
        extra(CUSTOMER_FS, 0x30_0000, 0x4_0000),
        extra(BACKUP_FS, 0x34_0000, 0x2_0000),
    ]
}

/// Every file beside the `.binpkg`, by its path below the folder.
pub(super) fn files(revision: &str, scale: Scale) -> Vec<(String, Vec<u8>)> {
    let body = |name: &str, realistic: usize, small: usize| {
        let length = match scale {
            Scale::Realistic => realistic,
            Scale::Small => small,
        };
        (name.to_owned(), code(&format!("{name} {revision}"), length))
    };
    let text = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    vec![
        (
            UART_AGENT.into(),
            agents::made_up(agents::AgentKind::Uart, revision),
        ),
        (
            USB_AGENT.into(),
            agents::made_up(agents::AgentKind::Usb, revision),
        ),
        body(APPLICATION, 0x8_4C1C, 0x2C1C),
        body(UPDATER, 0x9F34, 0x1234),
        body(BACKUP_FS, 0x2_0000, 0x1000),
        body(CUSTOMER_FS, 0x4_0000, 0x2000),
        text("format_ec618.json", FORMAT),
        body("MergeRfTable.bin", 0x1_8000, 0x800),
        text("quec_download_uart.ini", &settings("uart", 2_000_000, 1, 0)),
        text("quec_download_usb.ini", &settings("usb", 921_600, 0, 1)),
    ]
}

/// `quec_download_config.ini` for the first `count` files.
pub(super) fn config(extras: &[Extra], count: usize) -> String {
    let mut text = format!("[File]\r\nFile_Count = {count}\r\n");
    for (number, extra) in extras.iter().take(count).enumerate() {
        let (start, size) = (extra.start, extra.size);
        text.push_str(&format!(
            "\r\n[File_{}]\r\nSTART_ADDR = 0x{start:X}\r\nMAX_SIZE = 0x{size:X}\r\n",
            number + 1
        ));
    }
    text
}

/// Settings of the vendor's command-line tool for that transport.
fn settings(transport: &str, baud: u32, embedded: u8, external: u8) -> String {
    format!(
        "[config]\nline_0_com = \nagbaud = {baud}\ndlbaud = 115200\nfilter_embedusb = {embedded}\n\
         filter_externcom = {external}\n\n\
         [package_info]\npkgflag = 1\npkg_extract_exe = .\\fcelf.exe\narg_pkg_path_val = \n\n\
         [agentboot]\ntool_basedir = 1\nagpath = .\\image_ec618\\agentboot_{transport}\\agentboot.bin\n\n\
         [storage_cfg]\nopt_storage_list = \"cp_flash\"\nformat_path = format_ec618.json\n\n\
         [bootloader]\nblpath = \nburnaddr = 0x4000\n\n[system]\nsyspath = \nburnaddr = 0x24000\n\n\
         [cp_system]\ncp_syspath = \n\n\
         [control]\nprempt_detect_time = 6\nreset = 2\natbaud = 115200\nmsg_waittime = 2\nmax_preamble_cnt = 8\n\
         lpc_recover_en = 0\npullup_qspi = 1 ; of the agent's header\n\n\
         [flexfile2]\nfilepath = \nstorage_type = ap_flash\nburnaddr = 0x200000\n\n\
         [flexfile3]\nfilepath = \nstorage_type = ap_flash\nburnaddr = 0x3b4000\n\n\
         [flexfile4]\nfilepath = \nstorage_type = ap_flash\nburnaddr = \n\n\
         [flexfile5]\nfilepath = \nstorage_type = ap_flash\nburnaddr = \n\n\
         [flexfile0]\nfilepath = \nburnaddr = 0xce000\nstorage_type = cp_flash\n\n\
         [flexfile1]\nfilepath = \nburnaddr = 0xe7000\nstorage_type = cp_flash\n"
    )
}

/// Regions for the erase functions, with the addresses of §2.7.
const FORMAT: &str = r#"{
    // regions of EC618; plain objects are XIP addresses
    "fs":   { "begin": "0xB84000", "length": "0x48000" },
    "fraw": { "begin": "0xBFC000", "length": "0x1000" },
    "rr":   { "begin": "0x88E7000", "length": "0x19000" }, // live RF data
    "drr":  { "begin": "0x88CE000", "length": "0x19000" },
    "hfd":  { "begin": "0x8880000", "length": "0x4D000" },
    "cal": [
        { "stor_type": "cp_flash", "offst_flag": "1", "begin": "0xE7000", "length": "0x19000" }
    ],
    "erallum": [
        { "stor_type": "ap_flash", "offst_flag": "1", "begin": "0", "length": "0x3CC000" },
        { "stor_type": "ap_flash", "offst_flag": "1", "begin": "0x3E4000", "length": "0x1C000" },
        { "stor_type": "cp_flash", "offst_flag": "1", "begin": "0", "length": "0xCD000" }
    ]
}
"#;
