//! Keeps lines that cannot match away from an engine that may take for ever to say so.
//!
//! The ECMAScript engine backtracks and cannot be interrupted, and it is on lines that do not match
//! that it runs wild (`(a+)+$`). Most expressions mean the same to the `regex` crate, whose time
//! grows with the line only, once they are spelled for it; it is asked first. Where the spelling
//! widens an expression nothing is lost: the guard may let through, never turn away.

use regex::Regex;

/// What `\s` means in ECMAScript.
const BLANKS: &str =
    r"\t-\r \u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}";

/// What `.` does not match.
const LINE_ENDS: &str = r"\n\r\u{2028}\u{2029}";

/// The same expression for the `regex` crate, or `None` for one that it cannot do: a look around, a
/// back reference, or a rarity whose meaning differs.
pub(super) fn guard(source: &str) -> Option<Regex> {
    let spelled = Spelling { rest: source, spelled: String::new() }.expression()?;
    Regex::new(&spelled).ok()
}

struct Spelling<'a> {
    rest: &'a str,
    spelled: String,
}

impl Spelling<'_> {
    fn expression(mut self) -> Option<String> {
        while let Some(letter) = self.next() {
            match letter {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                '.' => self.spelled.push_str(&format!("[^{LINE_ENDS}]")),
                '{' => self.brace(),
                ')' | '*' | '+' | '?' | '|' | '^' | '$' => self.spelled.push(letter),
                _ => self.literal(letter),
            }
        }
        Some(self.spelled)
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = &self.rest[letter.len_utf8()..];
        Some(letter)
    }

    fn literal(&mut self, letter: char) {
        self.spelled.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
    }

    /// The engine only says whether there is a match, so no group needs to capture.
    fn group(&mut self) -> Option<()> {
        if let Some(rest) = self.rest.strip_prefix("?:") {
            self.rest = rest;
        } else if let Some(rest) = self.rest.strip_prefix("?<") {
            if rest.starts_with(['=', '!']) {
                return None;
            }
            self.rest = rest.split_once('>')?.1;
        } else if self.rest.starts_with('?') {
            return None;
        }
        self.spelled.push_str("(?:");
        Some(())
    }

    /// A brace that begins no count stands for itself.
    fn brace(&mut self) {
        let inside = self.rest.split_once('}').map_or("", |(inside, _)| inside);
        let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let counts = !least.is_empty() && digits(least) && digits(most);
        self.spelled.push_str(if counts { "{" } else { r"\{" });
        if counts {
            self.spelled.push_str(inside);
            self.spelled.push('}');
            self.rest = &self.rest[inside.len() + 1..];
        }
    }

    fn escape(&mut self) -> Option<()> {
        let letter = self.next()?;
        match letter {
            // Leaving out an assertion widens.
            'b' | 'B' => self.spelled.push_str("(?:)"),
            _ => match shorthand(letter) {
                Some(class) => self.spelled.push_str(&class),
                None => {
                    let letter = self.escaped_letter(letter)?;
                    self.literal(letter);
                }
            },
        }
        Some(())
    }

    fn class(&mut self) -> Option<()> {
        self.spelled.push('[');
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.rest = rest;
            self.spelled.push('^');
        }
        if self.rest.starts_with(']') {
            // Nothing, or anything.
            return None;
        }
        loop {
            match self.next()? {
                ']' => break,
                '-' if self.rest.starts_with(']') => self.spelled.push_str(r"\-"),
                '-' if self.spelled.ends_with(['[', '^', ']']) => self.spelled.push_str(r"\-"),
                '-' => self.spelled.push('-'),
                '\\' => match self.next()? {
                    'b' => self.spelled.push_str(r"\x08"),
                    'B' => return None,
                    '-' => self.spelled.push_str(r"\-"),
                    letter => match shorthand(letter) {
                        Some(class) => self.spelled.push_str(&class),
                        None => {
                            let letter = self.escaped_letter(letter)?;
                            self.member(letter);
                        }
                    },
                },
                letter => self.member(letter),
            }
        }
        self.spelled.push(']');
        Some(())
    }

    /// By number, so that neither `&&` nor `[` nor `~~` means anything.
    fn member(&mut self, letter: char) {
        self.spelled.push_str(&format!(r"\u{{{:x}}}", u32::from(letter)));
    }

    fn escaped_letter(&mut self, letter: char) -> Option<char> {
        Some(match letter {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\u{c}',
            'v' => '\u{b}',
            'x' => self.hexadecimal(2)?,
            'u' => self.hexadecimal(4)?,
            // Back references, octal numbers, properties, and letters that mean themselves only
            // until a flag says otherwise.
            _ if letter.is_alphanumeric() => return None,
            _ => letter,
        })
    }

    fn hexadecimal(&mut self, length: usize) -> Option<char> {
        let digits = self.rest.get(..length)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.rest = &self.rest[length..];
        char::from_u32(u32::from_str_radix(digits, 16).ok()?)
    }
}

fn shorthand(letter: char) -> Option<String> {
    Some(match letter {
        'd' => "[0-9]".to_owned(),
        'D' => "[^0-9]".to_owned(),
        'w' => "[0-9A-Za-z_]".to_owned(),
        'W' => "[^0-9A-Za-z_]".to_owned(),
        's' => format!("[{BLANKS}]"),
        'S' => format!("[^{BLANKS}]"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::guard;

    /// What expressions and lines are made of.
    const PIECES: [&str; 40] = [
        "a",
        "b",
        "é",
        ".",
        "\\d",
        "\\D",
        "\\w",
        "\\W",
        "\\s",
        "\\S",
        "\\.",
        "\\/",
        "[ab]",
        "[^ab]",
        "[\\w-]",
        "[a-c\\s]",
        "[\\]\\[&&~]",
        "[[a]",
        "[-b]",
        "(a)",
        "(?:b|c)",
        "(?<n>a)",
        "\\x41",
        "\\u0062",
        "\\t",
        "-",
        "{",
        "}",
        "{1",
        "^",
        "$",
        "\\b",
        "\\B",
        "|",
        "(b+)",
        ":",
        "#",
        "&",
        "(",
        ")",
    ];
    const SUFFIXES: [&str; 10] = ["", "", "", "", "*", "+", "?", "{2}", "{1,2}", "+?"];
    const LETTERS: [&str; 20] = [
        "a", "b", "c", "é", "\u{a0}", " ", "\t", "-", "1", "A", ".", ":", "[", "]", "&", "{", "}",
        "_", "\u{2028}", "#",
    ];

    #[test]
    fn a_line_that_matches_is_never_turned_away() {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut number = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as usize % below
        };
        let mut matched = 0;
        let mut turned_away = 0;
        for _ in 0..6_000 {
            let mut source = String::new();
            for _ in 0..1 + number(5) {
                source.push_str(PIECES[number(PIECES.len())]);
                source.push_str(SUFFIXES[number(SUFFIXES.len())]);
            }
            let line: String = (0..number(8)).map(|_| LETTERS[number(LETTERS.len())]).collect();
            let Ok(engine) = regress::Regex::new(&source) else { continue };
            let Some(guard) = guard(&source) else { continue };
            match (engine.find(&line), guard.is_match(&line)) {
                (Some(_), true) => matched += 1,
                (Some(_), false) => panic!("{source} turns {line:?} away"),
                (None, true) => {}
                (None, false) => turned_away += 1,
            }
        }
        assert!(matched > 300 && turned_away > 300, "{matched} {turned_away}");
    }

    #[test]
    fn what_cannot_be_spelled_has_no_guard() {
        for source in [
            "(?=a)b",
            "(?!a)b",
            "(?<=a)b",
            "(?<!a)b",
            "(a)\\1",
            "(?<n>a)\\k<n>",
            "[^]",
            "[]",
            "\\cA",
            "\\0",
        ] {
            assert!(guard(source).is_none(), "{source}");
        }
        for source in
            ["^(.+):(\\d+):(\\d+): (\\w+): (.+?)(?: \\[(.+)\\])?$", "(a+)+$", "^\\s*at\\s(.*)$"]
        {
            assert!(guard(source).is_some(), "{source}");
        }
    }
}
