//! The prefixes that collectors put in front of a line.

/// What a log's lines are wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Bare,
    /// A time stamp and a blank: `docker logs -t`, `kubectl logs --timestamps`.
    Stamp,
    /// `[pod/NAME/CONTAINER] `, maybe with a time stamp behind: `kubectl logs --prefix`.
    Pod,
    /// `web-1  | `, maybe with a time stamp behind: `docker compose logs`.
    Compose,
    /// `Nov 22 13:00:00 host app[123]: `: syslog files (RFC 3164) and the short formats of `journalctl`. The time stamp may
    /// be another, `<14>` may stand in front, and the host may be missing where there is a `[123]`.
    Syslog,
    /// `<14>1 2026-11-22T13:00:00Z host app 123 - - `: syslog files (RFC 5424).
    Syslog5424,
    /// `2026-11-22T13:00:00.123456789Z stderr F `: Kubernetes' own log files. `P` is a part of a line, of which `F` is the
    /// last.
    Cri,
    /// Docker's own log files: `{"log":"...\n","stream":"stderr","time":"..."}`.
    Docker,
}

impl Shape {
    /// Those that stand in front of a line and change nothing in it.
    pub(super) const PREFIXES: [Self; 6] = [
        Self::Bare,
        Self::Stamp,
        Self::Pod,
        Self::Compose,
        Self::Syslog,
        Self::Syslog5424,
    ];
}

/// What stands behind the prefix.
pub(super) fn strip(shape: Shape, line: &[u8]) -> Option<&[u8]> {
    match shape {
        Shape::Bare => Some(line),
        Shape::Stamp => stamped(line),
        Shape::Pod => {
            let (pod, behind) = word(line.strip_prefix(b"[pod/")?)?;
            pod.ends_with(b"]")
                .then(|| stamped(behind).unwrap_or(behind))
        }
        Shape::Compose => compose(line),
        Shape::Syslog => syslog(line),
        Shape::Syslog5424 => syslog_5424(line),
        Shape::Cri | Shape::Docker => None,
    }
}

/// A time stamp as RFC 3339 has it, with any fraction; also `+0000`, as `journalctl -o short-iso` writes it.
pub(super) fn rfc3339(bytes: &[u8]) -> Option<&[u8]> {
    let behind = fraction(like(bytes, b"0000-00-00T00:00:00")?);
    match behind.split_first()? {
        (b'Z', behind) => Some(behind),
        (b'+' | b'-', offset) => like(offset, b"00:00").or_else(|| like(offset, b"0000")),
        _ => None,
    }
}

/// A time stamp and a blank.
fn stamped(bytes: &[u8]) -> Option<&[u8]> {
    let behind = rfc3339(bytes)
        .or_else(|| month_day(bytes))
        .or_else(|| weekday(bytes))
        .or_else(|| seconds(bytes))
        .or_else(|| seconds_in_brackets(bytes))?;
    behind.strip_prefix(b" ")
}

/// `Nov 22 13:00:00`, `Nov  2 13:00:00.123456`.
fn month_day(bytes: &[u8]) -> Option<&[u8]> {
    const MONTHS: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let behind = MONTHS.iter().find_map(|month| bytes.strip_prefix(*month))?;
    let behind = like(behind, b" 00 00:00:00").or_else(|| like(behind, b"  0 00:00:00"))?;
    Some(fraction(behind))
}

/// `Sun 2026-11-22 13:00:00 UTC`: `journalctl -o short-full`.
fn weekday(bytes: &[u8]) -> Option<&[u8]> {
    const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    let behind = DAYS.iter().find_map(|day| bytes.strip_prefix(*day))?;
    let behind = fraction(like(behind, b" 0000-00-00 00:00:00")?).strip_prefix(b" ")?;
    let len = behind.iter().position(|byte| *byte == b' ')?;
    Some(&behind[len..])
}

/// `1763816400.123456`: `journalctl -o short-unix`.
fn seconds(bytes: &[u8]) -> Option<&[u8]> {
    let (whole, behind) = digits(bytes);
    let (fraction, behind) = digits(behind.strip_prefix(b".")?);
    (whole > 0 && fraction > 0).then_some(behind)
}

/// `[    5.123456]`: `journalctl -o short-monotonic`.
fn seconds_in_brackets(bytes: &[u8]) -> Option<&[u8]> {
    seconds(blanks(bytes.strip_prefix(b"[")?).1)?.strip_prefix(b"]")
}

/// `web-1  | `, with a time stamp behind after `docker compose logs -t`.
fn compose(line: &[u8]) -> Option<&[u8]> {
    let (_, behind) = word(line)?;
    let behind = blanks(behind).1.strip_prefix(b"| ")?;
    Some(stamped(behind).unwrap_or(behind))
}

fn syslog(line: &[u8]) -> Option<&[u8]> {
    let stamp = priority(line).unwrap_or(line);
    let (first, behind) = word(stamped(stamp)?)?;
    if first.ends_with(b"]:") {
        return Some(behind);
    }
    let (tag, behind) = word(behind)?;
    (tag.len() > 1 && tag.ends_with(b":") && !first.ends_with(b":") && !is_level(first))
        .then_some(behind)
}

/// Many loggers write `TIME LEVEL module: text`, which looks like `TIME HOST TAG: text`.
fn is_level(word: &[u8]) -> bool {
    const LEVELS: [&[u8]; 10] = [
        b"trace", b"debug", b"info", b"notice", b"warn", b"warning", b"error", b"err", b"fatal",
        b"panic",
    ];
    LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level))
}

fn syslog_5424(line: &[u8]) -> Option<&[u8]> {
    let behind = priority(line)?.strip_prefix(b"1 ")?;
    let behind = match behind.strip_prefix(b"- ") {
        Some(behind) => behind,
        None => rfc3339(behind)?.strip_prefix(b" ")?,
    };
    // Host, program, process and kind of message.
    let behind = (0..4).try_fold(behind, |rest, _| word(rest).map(|(_, behind)| behind))?;
    let message = structured_data(behind)?.strip_prefix(b" ")?;
    Some(super::without_mark(message))
}

/// `<14>`: what and how grave, as syslog counts it.
fn priority(line: &[u8]) -> Option<&[u8]> {
    let (len, behind) = digits(line.strip_prefix(b"<")?);
    (1..=3)
        .contains(&len)
        .then(|| behind.strip_prefix(b">"))
        .flatten()
}

/// `-`, or any number of `[id name="value"]`, in whose values `"`, `\` and `]` are escaped (RFC 5424, section 6.3).
fn structured_data(bytes: &[u8]) -> Option<&[u8]> {
    if let Some(behind) = bytes.strip_prefix(b"-") {
        return Some(behind);
    }
    let mut rest = bytes;
    while let Some(mut element) = rest.strip_prefix(b"[") {
        loop {
            element = match element {
                [b']', behind @ ..] => {
                    rest = behind;
                    break;
                }
                [b'\\', _, behind @ ..] | [_, behind @ ..] => behind,
                [] => return None,
            };
        }
    }
    (rest.len() < bytes.len()).then_some(rest)
}

/// A word of a collector and what stands behind its blank. Not a piece of JSON or of `key="value"`.
fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = memchr::memchr(b' ', bytes)?;
    let (word, behind) = bytes.split_at(len);
    let foreign = |byte: &u8| matches!(byte, b'"' | b'=' | b'{' | b'|') || byte.is_ascii_control();
    (len > 0 && !word.iter().any(foreign)).then(|| (word, &behind[1..]))
}

/// A fraction, if there is one.
fn fraction(bytes: &[u8]) -> &[u8] {
    match bytes {
        [b'.' | b',', behind @ ..] if digits(behind).0 > 0 => digits(behind).1,
        _ => bytes,
    }
}

fn digits(bytes: &[u8]) -> (usize, &[u8]) {
    let len = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    (len, &bytes[len..])
}

fn blanks(bytes: &[u8]) -> (usize, &[u8]) {
    let len = bytes.iter().take_while(|byte| **byte == b' ').count();
    (len, &bytes[len..])
}

/// What stands behind a pattern, in which `0` is any digit.
fn like<'a>(bytes: &'a [u8], pattern: &[u8]) -> Option<&'a [u8]> {
    let (head, behind) = bytes.split_at_checked(pattern.len())?;
    let fits = head
        .iter()
        .zip(pattern)
        .all(|(byte, pattern)| match pattern {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        });
    fits.then_some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is_prefix(shape: Shape, prefixes: &[&str]) {
        for prefix in prefixes {
            let line = format!("{prefix}gc 1 @0.1s\n");
            assert_eq!(
                strip(shape, line.as_bytes()),
                Some(&b"gc 1 @0.1s\n"[..]),
                "{prefix:?}"
            );
        }
    }

    #[test]
    fn time_stamps_of_docker_and_kubectl_are_read() {
        is_prefix(
            Shape::Stamp,
            &[
                "2026-11-22T13:00:00.123456789Z ",
                "2026-11-22T13:00:00Z ",
                "2026-11-22T13:00:00.5+01:00 ",
                "Feb 26 12:52:23.767 ",
            ],
        );
        for none in [
            "2026-11-22T13:00:00 gc",
            "2026-11-22 13:00:00Z gc",
            "Nov gc",
        ] {
            assert_eq!(strip(Shape::Stamp, none.as_bytes()), None, "{none:?}");
        }
    }

    #[test]
    fn names_of_pods_and_of_compose_services_are_read() {
        is_prefix(
            Shape::Pod,
            &[
                "[pod/api-5d9c/app] ",
                "[pod/api-5d9c/app] 2026-11-22T13:00:00.123456789Z ",
            ],
        );
        is_prefix(
            Shape::Compose,
            &[
                "web-1  | ",
                "web-1 | ",
                "api_1      | 2026-11-22T13:00:00.123456789Z ",
            ],
        );
        for none in ["a b | gc", "| gc", " | gc", "web-1 |gc"] {
            assert_eq!(strip(Shape::Compose, none.as_bytes()), None, "{none:?}");
        }
    }

    #[test]
    fn the_short_formats_of_the_journal_and_syslog_files_are_read() {
        is_prefix(
            Shape::Syslog,
            &[
                "Nov 22 13:00:00 host app[123]: ",
                "Nov  2 13:00:00 host app: ",
                "Nov 22 13:00:00.123456 host app@1[123]: ",
                "2026-11-22T13:00:00+0000 host app[123]: ",
                "2026-11-22T13:00:00.123456+01:00 host app[123]: ",
                "Sun 2026-11-22 13:00:00 UTC host app[123]: ",
                "1763816400.123456 host app[123]: ",
                "[    5.123456] host app[123]: ",
                "Nov 22 13:00:00 app[123]: ",
                "<14>Nov 22 13:00:00 host app[123]: ",
            ],
        );
        for none in [
            "Nov 22 13:00:00 app: gc",
            "2026-11-22T13:00:00Z INFO app: gc",
            "2026-11-22T13:00:00Z {\"a\": gc",
        ] {
            assert_eq!(strip(Shape::Syslog, none.as_bytes()), None, "{none:?}");
        }
    }

    #[test]
    fn syslog_files_of_the_newer_form_are_read() {
        is_prefix(
            Shape::Syslog5424,
            &[
                "<14>1 2026-11-22T13:00:00.123456Z host app 123 - - ",
                "<165>1 - - app - ID47 [x@1 a=\"1 \\] \\\"\"][y] \u{feff}",
            ],
        );
        for none in [
            "<14>2 2026-11-22T13:00:00Z host app 123 - - gc",
            "<14>1 2026-11-22T13:00:00Z host app 123 - gc",
            "<14>1 2026-11-22T13:00:00Z host app 123 - [x gc",
        ] {
            assert_eq!(strip(Shape::Syslog5424, none.as_bytes()), None, "{none:?}");
        }
    }
}
