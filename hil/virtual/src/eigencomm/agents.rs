//! The programs that the ROM loads: which of them drives which port. Source: specs/eigencomm-agentboot.md §2.6, §9.3.
//!
//! An agent drives only its own port. Over the other it never answers, and neither does one that is damaged or
//! made for another chip. A virtual module runs none of them: it recognises them, and behaves as they do.

use sha2::{Digest, Sha256};

use crate::crc::crc32;
use crate::package::contents::code;

/// The port that an agent drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentKind {
    /// The USB download port: packets of 16 KiB.
    Usb,
    /// UART1: packets of 64 KiB.
    Uart,
}

/// The genuine agents of 2021.
const GENUINE: [(AgentKind, &str); 2] = [
    (
        AgentKind::Usb,
        "0bd2f394b9acb1f4ae7eee70b8774e457bbf7bd2a0ea70fc6ea32f92fc1e98e7",
    ),
    (
        AgentKind::Uart,
        "e0504605e825bed5360d507a4d83e1bb05225e2204d5d954a50c513945e480ed",
    ),
];
/// What made-up agents hold behind their vectors, and their lengths. The last word is the CRC-32 of all before it.
const MADE_UP: [(AgentKind, &[u8], usize); 2] = [
    (AgentKind::Usb, b"\0made-up agentboot, usb\0", 0x8AF0),
    (AgentKind::Uart, b"\0made-up agentboot, uart\0", 0x8924),
];
const MARKED_AT: usize = 0x100;
/// Where agents are loaded. Source: §3.6 [V*].
const LOADED_AT: u32 = 0x0042_2000;

impl AgentKind {
    /// The port that this agent drives; none when it is damaged or unknown.
    pub(crate) fn of(agent: &[u8]) -> Option<AgentKind> {
        let digest = hex(agent);
        let genuine = GENUINE.iter().find(|(_, known)| *known == digest);
        genuine.map(|(kind, _)| *kind).or_else(|| marked(agent))
    }
}

fn marked(agent: &[u8]) -> Option<AgentKind> {
    let (body, check) = agent.split_last_chunk::<4>()?;
    let rest = body.get(MARKED_AT..)?;
    let (kind, ..) = MADE_UP.iter().find(|(_, mark, _)| rest.starts_with(mark))?;
    (crc32(body).to_le_bytes() == *check).then_some(*kind)
}

/// An agent that only virtual modules run.
pub(crate) fn made_up(kind: AgentKind, revision: &str) -> Vec<u8> {
    let [usb, uart] = MADE_UP;
    let (_, mark, length) = if kind == AgentKind::Usb { usb } else { uart };
    let mut agent = code(&format!("{kind:?} agent {revision}"), length - 4);
    for (place, word) in [0x0043_C540, LOADED_AT + 0x71].into_iter().enumerate() {
        agent[4 * place..4 * place + 4].copy_from_slice(&u32::to_le_bytes(word));
    }
    agent[MARKED_AT..MARKED_AT + mark.len()].copy_from_slice(mark);
    let check = crc32(&agent);
    agent.extend(check.to_le_bytes());
    agent
}

pub(super) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_known_whole_and_never_when_damaged() {
        for kind in [AgentKind::Usb, AgentKind::Uart] {
            let agent = made_up(kind, "EC600ECNLCR01A01M04");
            assert_eq!(AgentKind::of(&agent), Some(kind));
            for place in [0, MARKED_AT + 3, 0x2000, agent.len() - 1] {
                let mut damaged = agent.clone();
                damaged[place] ^= 1;
                assert_eq!(AgentKind::of(&damaged), None, "{kind:?} {place:#x}");
            }
        }
        assert_eq!(AgentKind::of(b""), None);
    }
}
