//! How a sentence is written. Source: DESIGN §7.

use super::sources;

#[test]
fn sentences_begin_lower_case_and_end_without_a_full_stop() {
    for sentence in sources::all()
        .iter()
        .filter(|one| one.is_for_a_person() && one.file != "src/cli/mod.rs")
    {
        let shape = &sentence.shape;
        let mut letters = shape.chars();
        let (first, second) = (letters.next().unwrap_or(' '), letters.next().unwrap_or(' '));
        let is_name = ["ModemManager", "Linux", "Ctrl-C"]
            .iter()
            .any(|name| shape.starts_with(name));
        assert!(
            !first.is_uppercase() || !second.is_lowercase() || is_name,
            "begins with a capital: {sentence:?}"
        );
        assert!(
            !shape.ends_with('.') || shape.ends_with("`."),
            "ends with a full stop: {sentence:?}"
        );
        assert!(!shape.contains("  ") && !shape.contains(" ,"), "{sentence:?}");
        assert!(
            shape.matches('`').count().is_multiple_of(2),
            "a back-tick is left open: {sentence:?}"
        );
    }
}

#[test]
fn no_sentence_shows_the_inside_of_a_type_or_says_a_word_twice() {
    for sentence in sources::all().iter().filter(|one| one.is_for_a_person()) {
        // What has no other form: a list of bytes in hexadecimal, and the names that MQTT gives to its answers.
        let debug = sentence.literal.replace("{:02X?}", "");
        let debug = debug.replace("the broker answers {reason:?}", "");
        let debug = debug.replace("the broker refuses the connection, {code:?}", "");
        assert!(!debug.contains("?}"), "{sentence:?}");
        for word in ["failed", "refused", "error"] {
            assert!(
                !sentence.shape.contains(&format!("{word}: {word}")),
                "{sentence:?}"
            );
        }
    }
}
