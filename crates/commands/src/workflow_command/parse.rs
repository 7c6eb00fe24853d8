//! One line read as a command.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// What begins a command, and ends its head.
const KEY: &str = "::";

/// What begins a command of the old form.
const LEGACY_KEY: &str = "##[";

/// Where preparing a search begins to pay.
const SHORT_LINE: usize = 64;

/// The commands there are.
const NAMES: [&str; 15] = [
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
];

/// Data's escapes. The percent sign is last, so that `%250A` stays `%0A` (conformance 166).
const DATA_ESCAPES: &[(&str, &str)] = &[("%0D", "\r"), ("%0A", "\n"), ("%25", "%")];

const PROPERTY_ESCAPES: &[(&str, &str)] =
    &[("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")];

const LEGACY_ESCAPES: &[(&str, &str)] =
    &[("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%25", "%")];

/// A command as it was written, unescaped. It may hold a secret, so `Debug` shows its name only.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// In lower case.
    pub name: String,
    /// By name in lower case; those with an empty value are dropped.
    pub properties: BTreeMap<String, String>,
    /// What follows the head.
    pub data: String,
}

impl Command {
    /// A property that is there.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Can there be a command in these lines? Costs next to nothing, so a whole block of a log is
/// asked before its lines are looked at one by one. A block that begins inside a line is asked as if
/// that line began there.
pub fn may_hold_command(block: &[u8]) -> bool {
    static KEY_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(KEY));
    KEY_FINDER.find_iter(block).any(|at| may_begin_line(&block[..at]))
        || LEGACY_FINDER.find(block).is_some()
}

static LEGACY_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(LEGACY_KEY));

/// Is there nothing but blanks, in ASCII or perhaps beyond, between the line's start and the end?
fn may_begin_line(before: &[u8]) -> bool {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\x0b'..=b'\r' | 0x80..);
    before.iter().rev().find(|byte| !blank(byte)).is_none_or(|&byte| byte == b'\n')
}

/// Can this line be a command? `false` is certain.
pub fn may_be_command(line: &[u8]) -> bool {
    let Some(first) = line.iter().position(|byte| !matches!(byte, b' ' | b'\t'..=b'\r')) else {
        return false;
    };
    match line[first] {
        b':' => line[first..].starts_with(KEY.as_bytes()) || holds_legacy_key(line),
        // Blanks beyond ASCII count as leading blanks too.
        0x80.. => may_hold_command(line),
        _ => holds_legacy_key(line),
    }
}

/// On the short lines that logs are made of, searching for one byte beats a prepared search.
pub(super) fn holds_legacy_key(line: &[u8]) -> bool {
    if line.len() > SHORT_LINE {
        return LEGACY_FINDER.find(line).is_some();
    }
    memchr::memchr_iter(b'#', line).any(|at| line[at..].starts_with(LEGACY_KEY.as_bytes()))
}

/// Reads a line as one of the runner's commands, in the form `::name key=value::data` or the old
/// `##[name key=value]data`; `None` for a line that is just text.
pub fn parse(line: &str) -> Option<Command> {
    parse_known(line, &is_command_name)
}

/// Does the runner have a command of this name?
pub(super) fn is_command_name(name: &str) -> bool {
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// As [`parse`], with other names: while commands are stopped, the token is one.
pub(super) fn parse_known(line: &str, is_known: &dyn Fn(&str) -> bool) -> Option<Command> {
    parse_current(line, is_known).or_else(|| parse_legacy(line, is_known))
}

fn parse_current(line: &str, is_known: &dyn Fn(&str) -> bool) -> Option<Command> {
    let (head, data) = line.trim_start().strip_prefix(KEY)?.split_once(KEY)?;
    let (name, properties) = name_and_properties(head);
    is_known(name).then(|| Command {
        name: name.to_ascii_lowercase(),
        properties: read_properties(properties.trim(), ',', PROPERTY_ESCAPES),
        data: unescape(data, DATA_ESCAPES),
    })
}

fn parse_legacy(line: &str, is_known: &dyn Fn(&str) -> bool) -> Option<Command> {
    let (_, rest) = line.split_once(LEGACY_KEY)?;
    let (head, data) = rest.split_once(']')?;
    let (name, properties) = name_and_properties(head);
    is_known(name).then(|| Command {
        name: name.to_ascii_lowercase(),
        properties: read_properties(properties, ';', LEGACY_ESCAPES),
        data: unescape(data, LEGACY_ESCAPES),
    })
}

fn name_and_properties(head: &str) -> (&str, &str) {
    head.split_once(' ').unwrap_or((head, ""))
}

fn read_properties(
    text: &str,
    separator: char,
    escapes: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let mut properties = BTreeMap::new();
    for property in text.split(separator) {
        // Empty pieces are skipped, so further `=` in front of the name or the value vanish.
        let Some((name, value)) = property.trim_start_matches('=').split_once('=') else {
            continue;
        };
        let value = value.trim_start_matches('=');
        if !value.is_empty() {
            properties.insert(name.to_ascii_lowercase(), unescape(value, escapes));
        }
    }
    properties
}

fn unescape(text: &str, escapes: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    if text.contains('%') {
        for (escape, meaning) in escapes {
            text = text.replace(escape, meaning);
        }
    }
    text
}
