//! The forms in which programs print a secret.
//!
//! GitHub's list is exact (conformance 188); ours is longer, for what its list lets through: base64
//! of a longer text (`echo user:token | base64` ends with a newline), hex, other escapes.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value as Json;

/// Who knows a form: GitHub's runner too, or only we. Only the former drop an output
/// (conformance 104).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Origin {
    GitHub,
    Ours,
}

/// GitHub strips surrounding quotes only from values longer than this.
const QUOTED_LENGTH: usize = 8;

/// GitHub ignores PowerShell's pieces shorter than this.
const SECTION_LENGTH: usize = 6;

/// A form of ours shorter than this would hide ordinary words; a secret shorter than
/// [`SHORT_SECRET`](crate::SHORT_SECRET) gets none at all.
const OWN_FORM_LENGTH: usize = 8;

/// A text inside of a secret that is JSON and shorter than this is an ordinary word, such as a user's name.
const LEAF_LENGTH: usize = 8;

/// More texts of one secret are not learnt: each costs a dozen forms to search for.
const LEAVES_MAX: usize = 100;

/// What a checkout action puts before a token (conformance 190).
const TOKEN_USER: &str = "x-access-token:";

/// GitHub's forms of a value, the value itself first.
pub(crate) fn github_forms(value: &str) -> Vec<String> {
    let bytes = value.as_bytes();
    let shifted =
        |by: usize| STANDARD.encode(bytes.get(by..).filter(|b| !b.is_empty()).unwrap_or(bytes));
    let (before, after) = ampersand_sections(value);
    let mut forms = vec![
        value.to_owned(),
        STANDARD.encode(bytes),
        shifted(1),
        shifted(2),
        value.replace('"', "\\\""),
        value.replace('\'', "''"),
        json_escaped(value),
        uri_escaped(value),
        xml_escaped(value),
        STANDARD.encode(format!("{TOKEN_USER}{value}")),
    ];
    forms.extend(without_quotes(value).map(str::to_owned));
    forms.extend([before, after].into_iter().flatten().map(str::to_owned));
    forms
}

/// The forms that only we mask.
pub(crate) fn own_forms(value: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for shift in 0..3 {
        let Some(core) = base64_core(value.as_bytes(), shift) else { continue };
        forms.push(core.replace('+', "-").replace('/', "_"));
        forms.push(core);
    }
    forms.push(URL_SAFE_NO_PAD.encode(value));
    forms.push(hex(value, "0123456789abcdef"));
    forms.push(hex(value, "0123456789ABCDEF"));
    forms.push(value.replace('\'', "'\\''"));
    forms.push(value.replace('\'', "'\"'\"'"));
    forms.push(value.replace('\\', "\\\\").replace('"', "\\\""));
    forms.push(uri_escaped(value).replace("%20", "+"));
    forms.push(lower_escapes(&uri_escaped(value)));
    forms.push(json_escaped(value).replace('/', "\\/"));
    forms.push(json_ascii(value));
    // Each library of templates has its own word for a quote.
    for apostrophe in ["&#39;", "&#x27;", "&#039;"] {
        let escaped = xml_escaped(value).replace("&apos;", apostrophe);
        forms.push(escaped.replace("&quot;", "&#34;"));
        forms.push(escaped);
    }
    forms.retain(|form| form.len() >= OWN_FORM_LENGTH);
    forms
}

/// The base64 characters that a value alone decides when it stands inside a longer text, `shift`
/// bytes after a multiple of three: no padding, no character shared with a neighbour.
fn base64_core(bytes: &[u8], shift: usize) -> Option<String> {
    let skipped = (3 - shift) % 3;
    let rest = bytes.get(skipped..)?;
    let whole = rest.len() * 8 / 6;
    let mut core = STANDARD_NO_PAD.encode(rest);
    core.truncate(whole);
    Some(core)
}

/// The texts that a value holds which is an object or a list of JSON; none of any other.
pub(crate) fn leaves(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    if value.starts_with(['{', '['])
        && let Ok(read) = serde_json::from_str::<Json>(value)
    {
        gather(read, &mut found);
    }
    found
}

fn gather(value: Json, found: &mut Vec<String>) {
    match value {
        Json::String(text) if text.trim().len() >= LEAF_LENGTH && found.len() < LEAVES_MAX => {
            found.push(text.trim().to_owned());
        }
        Json::Array(all) => all.into_iter().for_each(|it| gather(it, found)),
        Json::Object(all) => all.into_iter().for_each(|(_, it)| gather(it, found)),
        _ => {}
    }
}

fn without_quotes(value: &str) -> Option<&str> {
    // GitHub counts UTF-16 units.
    if value.encode_utf16().count() <= QUOTED_LENGTH {
        return None;
    }
    value.strip_prefix('"')?.strip_suffix('"')
}

/// PowerShell colours a part of a failing command, which splits what it prints: after the last
/// `&`, or after the first `&+` with one letter in between.
fn ampersand_sections(value: &str) -> (Option<&str>, Option<&str>) {
    let (before, after) = match (value.find("&+"), value.rfind('&')) {
        (Some(at), _) => {
            let (before, rest) = value.split_at(at + 2);
            let mut letters = rest.chars();
            letters.next();
            (before, letters.as_str())
        }
        (None, Some(at)) => value.split_at(at + 1),
        (None, None) => return (None, None),
    };
    let long = |section: &&str| section.encode_utf16().count() >= SECTION_LENGTH;
    (Some(before).filter(long), Some(after).filter(long))
}

/// As the .NET library that the runner uses writes a string.
fn json_escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            '\u{8}' => escaped.push_str("\\b"),
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\u{c}' => escaped.push_str("\\f"),
            '\r' => escaped.push_str("\\r"),
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\u{0}'..'\u{20}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// As programs write JSON that must survive a page or an ASCII wire.
fn json_ascii(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in json_escaped(value).chars() {
        if letter.is_ascii() && !matches!(letter, '<' | '>' | '&') {
            escaped.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            escaped.push_str(&format!("\\u{unit:04x}"));
        }
    }
    escaped
}

fn uri_escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for &byte in value.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// `%2F` as `%2f`.
fn lower_escapes(escaped: &str) -> String {
    let mut lower = String::with_capacity(escaped.len());
    let mut digits = 0;
    for letter in escaped.chars() {
        if letter == '%' {
            digits = 2;
            lower.push(letter);
        } else if digits > 0 {
            digits -= 1;
            lower.push(letter.to_ascii_lowercase());
        } else {
            lower.push(letter);
        }
    }
    lower
}

fn xml_escaped(value: &str) -> String {
    value
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&apos;")
}

fn hex(value: &str, digits: &str) -> String {
    let digit = |nibble: u8| char::from(digits.as_bytes()[usize::from(nibble)]);
    value.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
