//! The topic of a message, made of what is known of its attempt.

use serde_json::Value;

/// What a template may name: fields of an attempt.
const FIELDS: [&str; 5] = ["line", "station", "slot", "verdict", "imei"];
/// Bytes of a template. A topic has at most 65,535, and each field far less than a tenth of that. Source: MQTT 5.0
/// §4.7.3.
const LONGEST: usize = 1024;

/// A template like `qpyflash/{line}/{station}/{slot}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic(String);

impl Default for Topic {
    fn default() -> Self {
        Topic("qpyflash/{line}/{station}/{slot}".into())
    }
}

impl Topic {
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(template: &str) -> Result<Self, String> {
        if template.is_empty() || template.len() > LONGEST {
            return Err(format!("a topic of 1 to {LONGEST} bytes is needed"));
        }
        if template.starts_with('$') || template.contains(|c: char| matches!(c, '+' | '#') || c.is_control())
        {
            return Err(
                "a topic has no `+`, no `#` and no control characters, and does not begin with `$`".into(),
            );
        }
        let known = FIELDS.iter().fold(template.to_owned(), |text, field| {
            text.replace(&format!("{{{field}}}"), "")
        });
        match known.contains(['{', '}']) {
            true => Err(format!(
                "in braces, a topic can have {}",
                FIELDS.map(|field| format!("`{{{field}}}`")).join(", ")
            )),
            false => Ok(Topic(template.to_owned())),
        }
    }

    /// The topic of a message of this attempt.
    pub(super) fn of(&self, attempt: &Value) -> String {
        let mut rest = self.0.as_str();
        let mut topic = String::new();
        // In one pass: what a field says is text, and never a field itself.
        while let Some((before, (field, after))) = rest
            .split_once('{')
            .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
        {
            topic += before;
            topic += &level(attempt.get(field).and_then(Value::as_str).unwrap_or_default());
            rest = after;
        }
        topic + rest
    }
}

/// A field as one level of a topic: the module's own words may be anything.
fn level(text: &str) -> String {
    let safe = |c: char| {
        if matches!(c, '+' | '#' | '/' | '$') || c.is_control() {
            '_'
        } else {
            c
        }
    };
    match text {
        "" => "unknown".into(),
        text => text.chars().take(128).map(safe).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_become_levels() {
        let attempt = json!({ "line": "L1", "slot": "{imei}", "imei": "+/#$\u{0}8", "verdict": null });
        let topic = |template: &str| Topic::parse(template).unwrap().of(&attempt);
        assert_eq!(
            topic("a/{line}/{slot}/{imei}/{verdict}/b"),
            "a/L1/{imei}/_____8/unknown/b"
        );
        assert_eq!(topic("plain"), "plain");
    }

    #[test]
    fn a_template_that_makes_no_topic_is_refused() {
        for template in [
            "",
            "a/+/b",
            "a/#",
            "$SYS/x",
            "{line",
            "line}",
            "{password}",
            "a\u{0}",
        ] {
            assert!(Topic::parse(template).is_err(), "{template:?}");
        }
    }
}
