//! Text as GitHub's Markdown, in which none of it has a meaning.

/// Plain text, also in a cell of a table.
pub(super) fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            // A backslash takes the meaning of each of these (CommonMark 0.31, section 2.4).
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '&' | '~' | '#' | '$' | '@' => {
                escaped.extend(['\\', letter]);
            }
            _ if letter.is_control() => escaped.push(' '),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// Code, also in a cell of a table.
pub(super) fn code(text: &str) -> String {
    let longest_run = text
        .split(|letter| letter != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest_run + 1);
    // A table's cells are told apart before code is (GFM, section 4.10).
    let text: String = text.replace(char::is_control, " ").replace('|', "\\|");
    // One space on either side is taken off (CommonMark 0.31, section 6.1).
    match longest_run {
        0 if !text.trim().is_empty() => format!("{fence}{text}{fence}"),
        _ => format!("{fence} {text} {fence}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_no_markup() {
        assert_eq!(
            plain("a_b *c* <d>|`e`\n# f"),
            "a\\_b \\*c\\* \\<d\\>\\|\\`e\\` \\# f"
        );
        assert_eq!(
            plain("5 -> 43 MiB (+0.58 MiB/s)"),
            "5 -\\> 43 MiB (+0.58 MiB/s)"
        );
    }

    #[test]
    fn code_may_have_backquotes_and_bars_in_it() {
        assert_eq!(code("main.(*Cache).Put"), "`main.(*Cache).Put`");
        assert_eq!(code("a`b``c"), "``` a`b``c ```");
        assert_eq!(code("x | y\nz"), "`x \\| y z`");
        assert_eq!(code(""), "`  `");
    }
}
