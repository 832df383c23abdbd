//! Which module it is: the label against the module's own word. The table stands in [`crate::gate`].

use super::{Claim, Level};
use crate::identity::{Identity, OrderingCode, Source, Witness, same_group, series_of};

/// The module, as the gate will treat it.
pub(super) struct Subject {
    /// What it is.
    pub code: OrderingCode,
    /// What its factory firmware says, when that is another member of the label's shared group.
    pub factory: Option<OrderingCode>,
    pub level: Level,
    pub agreement: Agreement,
}

/// How label and module stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreement {
    /// Only one of them has spoken.
    OneVoice,
    /// Both say the same.
    Same,
    /// Both name members of one shared group.
    SharedGroup,
    /// The module's firmware was made for another submodel; the label wins.
    LabelWins,
}

/// Why nobody knows which module it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unclear {
    Unknown,
    Contradiction,
}

/// Weighs label and identity.
pub(super) fn identify(claim: &Claim<'_>) -> Result<Subject, Unclear> {
    let Some(label) = claim.label else {
        let identity = claim.identity.ok_or(Unclear::Unknown)?;
        let code = identity.ordering_code.clone().ok_or(Unclear::Unknown)?;
        let level = if identity.source == Source::Repl {
            Level::B
        } else {
            Level::C
        };
        return Ok(Subject {
            code,
            factory: None,
            level,
            agreement: Agreement::OneVoice,
        });
    };
    let agreement = match claim.identity {
        Some(identity) => match weigh(label, identity)? {
            Agreement::LabelWins if claim.scan.is_some() => return Err(Unclear::Contradiction),
            agreement => agreement,
        },
        None => Agreement::OneVoice,
    };
    let alone = if claim.platform_by_usb.is_some() {
        Level::D
    } else {
        Level::E
    };
    let level = match agreement {
        Agreement::Same | Agreement::SharedGroup => Level::A,
        Agreement::OneVoice | Agreement::LabelWins => alone,
    };
    let factory = claim
        .identity
        .filter(|identity| agreement == Agreement::SharedGroup && identity.witness == Some(Witness::Factory));
    Ok(Subject {
        code: label.clone(),
        factory: factory.and_then(reported),
        level,
        agreement,
    })
}

fn weigh(label: &OrderingCode, identity: &Identity) -> Result<Agreement, Unclear> {
    let object_series = identity.object_id.as_deref().and_then(series_of);
    if object_series.is_some_and(|series| series != label.series()) {
        return Err(Unclear::Contradiction);
    }
    let Some(reported) = reported(identity) else {
        return Ok(Agreement::OneVoice);
    };
    if reported.same_submodel(label) {
        Ok(Agreement::Same)
    } else if same_group(label, &reported) {
        Ok(Agreement::SharedGroup)
    } else if reported.series() == label.series() && identity.witness != Some(Witness::Factory) {
        Ok(Agreement::LabelWins)
    } else {
        Err(Unclear::Contradiction)
    }
}

/// What the module says it is, trusted or not: from its revision, else from its names.
pub(super) fn reported(identity: &Identity) -> Option<OrderingCode> {
    let trusted = identity.ordering_code.clone();
    let revision = || {
        identity
            .revision
            .as_ref()
            .map(|revision| revision.ordering_code().clone())
    };
    let names = [&identity.sysname, &identity.board, &identity.object_id];
    let named = || names.into_iter().flatten().find_map(|name| name.parse().ok());
    trusted.or_else(revision).or_else(named)
}
