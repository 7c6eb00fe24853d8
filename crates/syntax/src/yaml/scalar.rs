//! The YAML 1.2 core schema on plain scalars (conformance 2, 3), and numbers as GitHub writes them.

use crate::yaml::NodeKind;

/// What a plain scalar without a tag is. `None`: text.
pub(super) fn resolve(text: &str) -> Result<Option<NodeKind>, OutOfRange> {
    // Most scalars are words: one look at the first byte settles them.
    match text.as_bytes().first() {
        None => Ok(Some(NodeKind::Null)),
        Some(b'~' | b'n' | b'N') if is_null(text) => Ok(Some(NodeKind::Null)),
        Some(b't' | b'T' | b'f' | b'F') => Ok(boolean(text).map(NodeKind::Bool)),
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => Ok(number(text)?.map(NodeKind::Number)),
        Some(_) => Ok(None),
    }
}

/// A `0x` or `0o` number that does not fit 32 bits, which GitHub refuses.
#[derive(Debug)]
pub(super) struct OutOfRange;

pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

pub(super) fn number(text: &str) -> Result<Option<f64>, OutOfRange> {
    if let Some(number) = based(text)? {
        return Ok(Some(number));
    }
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'-') => (-1.0, &text[1..]),
        Some(b'+') => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if matches!(rest, ".inf" | ".Inf" | ".INF") {
        return Ok(Some(sign * f64::INFINITY));
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Ok(Some(f64::NAN));
    }
    Ok(is_decimal(rest).then(|| rest.parse::<f64>().ok()).flatten().map(|number| sign * number))
}

/// Integers only: what `!!int` takes.
pub(super) fn integer(text: &str) -> Result<Option<f64>, OutOfRange> {
    if let Some(number) = based(text)? {
        return Ok(Some(number));
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    Ok(if plain { number(text)? } else { None })
}

/// `0x..` and `0o..`: 32 bits, two's complement, so that `0xFFFFFFFF` is -1 as on GitHub.
fn based(text: &str) -> Result<Option<f64>, OutOfRange> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x', _, ..] => (&text[2..], 16),
        [b'0', b'o', _, ..] => (&text[2..], 8),
        _ => return Ok(None),
    };
    if !digits.chars().all(|it| it.is_digit(radix)) {
        return Ok(None);
    }
    let bits = u32::from_str_radix(digits, radix).map_err(|_| OutOfRange)?;
    Ok(Some(f64::from(bits.cast_signed())))
}

/// Digits with at most one point and an exponent; at least one digit before the exponent.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent_fits
}

/// A number as text, the way GitHub's services write it: at most 15 significant digits
/// (conformance 77), so that `3.10` is `3.1` and big numbers get an exponent.
pub fn number_text(number: f64) -> String {
    const SIGNIFICANT: i32 = 15;
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{number:.14e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("`{:e}` writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a decimal exponent");
    if exponent > -5 && exponent < SIGNIFICANT {
        let decimals = usize::try_from(SIGNIFICANT - 1 - exponent).unwrap_or(0);
        return trim_zeros(&format!("{number:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}E{sign}{:02}", trim_zeros(mantissa), exponent.abs())
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}
