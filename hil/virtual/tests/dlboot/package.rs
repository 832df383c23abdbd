//! A package, as a host reads it.

/// A package, read without a single check.
pub struct Package {
    /// Kind, address and bytes of the container's images.
    pub images: Vec<(String, u32, Vec<u8>)>,
    /// Start, size of the area and bytes of the files beside it.
    pub extras: Vec<(u32, u32, Vec<u8>)>,
    pub usb_agent: Vec<u8>,
    pub uart_agent: Vec<u8>,
}

impl Package {
    pub fn read(file: impl Fn(&str) -> Vec<u8>) -> Self {
        Package {
            images: images(&file("at_command.binpkg")),
            extras: extras(&file),
            usb_agent: file("agentboot_usb/agentboot.bin"),
            uart_agent: file("agentboot_uart/agentboot.bin"),
        }
    }
}

fn images(file: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let mut at = 52;
    let mut images = Vec::new();
    for _ in 0..word(16) {
        let size = word(at + 76) as usize;
        assert_eq!(word(at + 72) as usize, at);
        let kind = String::from_utf8_lossy(&file[at + 336..at + 338]).into_owned();
        let data = file[at + 364..at + 364 + size].to_vec();
        images.push((kind, word(at + 64), data));
        at += 364 + size;
    }
    assert_eq!(at, file.len());
    images
}

fn extras(file: impl Fn(&str) -> Vec<u8>) -> Vec<(u32, u32, Vec<u8>)> {
    let text = String::from_utf8(file("quec_download_config.ini")).unwrap();
    let value = |section: &str, key: &str| {
        let (_, section) = text.split_once(&format!("[{section}]")).unwrap();
        let (_, rest) = section.split_once(&format!("{key} = ")).unwrap();
        let value = rest.lines().next().unwrap().trim().to_owned();
        value.strip_prefix("0x").map_or_else(
            || value.parse().unwrap(),
            |hex| u32::from_str_radix(hex, 16).unwrap(),
        )
    };
    let names = [
        "ap_application",
        "ap_updater",
        "customer_fs",
        "customer_backup_fs",
    ];
    let count = value("File", "File_Count") as usize;
    let files = names.iter().take(count).enumerate();
    files
        .map(|(number, name)| {
            let section = format!("File_{}", number + 1);
            let area = (value(&section, "START_ADDR"), value(&section, "MAX_SIZE"));
            (area.0, area.1, file(&format!("{name}.bin")))
        })
        .collect()
}
