//! The two ways to a module in download mode, each with an agent of its own.

/// What carries the bytes. An agent drives only the port it was built for. Source: specs/eigencomm-agentboot.md
/// §2.6 (V*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// The USB download port.
    Usb,
    /// The module's main UART, whose speed matters.
    Uart,
}

impl Transport {
    /// Both.
    pub const ALL: [Transport; 2] = [Transport::Usb, Transport::Uart];

    /// Its name in sentences.
    pub const fn title(self) -> &'static str {
        match self {
            Transport::Usb => "USB",
            Transport::Uart => "a UART",
        }
    }

    /// The name of its agent.
    pub const fn agent_name(self) -> &'static str {
        match self {
            Transport::Usb => "agentboot_usb",
            Transport::Uart => "agentboot_uart",
        }
    }

    /// Where its agent lies, beside the `.binpkg`.
    pub const fn agent_file(self) -> &'static str {
        match self {
            Transport::Usb => "agentboot_usb/agentboot.bin",
            Transport::Uart => "agentboot_uart/agentboot.bin",
        }
    }

    /// Its settings, beside the `.binpkg`.
    pub const fn settings_file(self) -> &'static str {
        match self {
            Transport::Usb => "quec_download_usb.ini",
            Transport::Uart => "quec_download_uart.ini",
        }
    }
}
