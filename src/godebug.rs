//! Merges `gctrace=1` into GODEBUG.

/// The environment variable that the Go runtime reads once, at start.
pub const GODEBUG: &str = "GODEBUG";

/// What GODEBUG must be so that the runtime prints the trace; `None` where it does already.
///
/// The runtime reads the list from left to right and a later setting wins (`runtime1.go`, `parsegodebug`), so ours goes
/// behind all that the user has set, which stays as it is to the byte.
pub fn merge(godebug: Option<&[u8]>) -> Option<Vec<u8>> {
    let ours = b"gctrace=1";
    let Some(theirs) = godebug.filter(|list| !list.is_empty()) else {
        return Some(ours.to_vec());
    };
    if is_on(theirs) {
        return None;
    }
    Some([theirs, b",", ours].concat())
}

/// Whether the last setting of gctrace that counts is above zero.
fn is_on(list: &[u8]) -> bool {
    list.split(|byte| *byte == b',')
        .filter_map(|setting| setting.strip_prefix(b"gctrace="))
        .filter_map(number)
        .next_back()
        .is_some_and(|value| value > 0)
}

/// A number as the runtime reads it (`string.go`, `atoi32`): no `+`, and a lone `-` is zero.
fn number(text: &[u8]) -> Option<i32> {
    match text {
        [b'+', ..] => None,
        b"-" => Some(0),
        text => std::str::from_utf8(text).ok()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gctrace_is_added_behind_what_the_user_has_set() {
        for (theirs, merged) in [
            (None, "gctrace=1"),
            (Some(""), "gctrace=1"),
            (Some("madvdontneed=1"), "madvdontneed=1,gctrace=1"),
            (Some("gctrace=+1"), "gctrace=+1,gctrace=1"),
            (Some("gctrace=1,gctrace=-"), "gctrace=1,gctrace=-,gctrace=1"),
            (Some("gctrace=0"), "gctrace=0,gctrace=1"),
            (Some("gctrace=1,gctrace=0"), "gctrace=1,gctrace=0,gctrace=1"),
            (Some("gctrace=yes"), "gctrace=yes,gctrace=1"),
            (Some(",,x"), ",,x,gctrace=1"),
            (Some("xgctrace=1"), "xgctrace=1,gctrace=1"),
        ] {
            assert_eq!(
                merge(theirs.map(str::as_bytes)).as_deref(),
                Some(merged.as_bytes()),
                "{theirs:?}"
            );
        }
        assert_eq!(
            merge(Some(b"\xff=1")).as_deref(),
            Some(&b"\xff=1,gctrace=1"[..])
        );
    }

    #[test]
    fn a_trace_that_is_on_stays_as_it_is() {
        for theirs in [
            "gctrace=1",
            "gctrace=2",
            "a=b,gctrace=2,c=d",
            "gctrace=0,gctrace=1",
            "gctrace=1,gctrace=x",
        ] {
            assert_eq!(merge(Some(theirs.as_bytes())), None, "{theirs}");
        }
    }
}
