//! Docker's own log files (logging driver `json-file`): each line of the program as a JSON object.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::prefix::rfc3339;

/// A line of such a file, with the fields that Docker writes and no others (`daemon/logger/jsonfilelog/jsonlog`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    log: String,
    #[serde(rename = "stream")]
    _stream: Stream,
    /// Labels, after `--log-opt labels=...`.
    #[serde(rename = "attrs", default)]
    _attrs: IgnoredAny,
    time: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stream {
    /// A container with a terminal has its stderr here too: both streams are read alike.
    Stdout,
    Stderr,
}

/// What the program wrote; `None` where the line is not Docker's.
pub(super) fn text(line: &[u8]) -> Option<String> {
    // Spares all other lines the JSON reader.
    if !line.starts_with(b"{\"log\":\"") {
        return None;
    }
    let entry: Entry = serde_json::from_slice(line).ok()?;
    rfc3339(entry.time.as_bytes())?
        .is_empty()
        .then_some(entry.log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_text_is_unescaped() {
        let line = br#"{"log":"a \"b\" \u003c\n","stream":"stderr","time":"2026-11-22T13:00:00.123456789Z"}"#;
        assert_eq!(text(line).as_deref(), Some("a \"b\" <\n"));
        let line =
            br#"{"log":"a","stream":"stdout","attrs":{"x":"y"},"time":"2026-11-22T13:00:00Z"}"#;
        assert_eq!(text(line).as_deref(), Some("a"));
    }

    #[test]
    fn other_json_is_not_dockers() {
        for line in [
            r#"{"log":"a\n","stream":"stderr","time":"2026-11-22T13:00:00Z","level":"info"}"#,
            r#"{"log":"a\n","stream":"other","time":"2026-11-22T13:00:00Z"}"#,
            r#"{"log":"a\n","stream":"stderr","time":"now"}"#,
            r#"{"log":"a\n","stream":"stderr"}"#,
            r#"{"log":"a\n","stream":"stderr","time":"2026-11-2"#,
        ] {
            assert_eq!(text(line.as_bytes()), None, "{line}");
        }
    }
}
