//! Values of flags that are looked at before anything begins.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A host as messages name it: no scheme, no port, no path.
pub(super) fn host(text: &str) -> Result<String, String> {
    let is_letter = |it: u8| it.is_ascii_alphanumeric() || b".-_".contains(&it);
    let is_name = !text.is_empty() && text.bytes().all(is_letter);
    if is_name || text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    Err("a host alone, such as hooks.internal or 10.0.0.5: no http://, no port, no path".to_owned())
}

/// Where a server listens: a number, not a name that may come to mean another machine.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "an address as a number, with a port: 127.0.0.1:7878, [::1]:7878, 0.0.0.0:80 for all"
            .to_owned()
    })
}

/// `LABEL`, or `LABEL=IMAGE`.
pub(super) fn label(text: &str) -> Result<String, String> {
    let (label, image) = text.split_once('=').unwrap_or((text, "host"));
    if label.trim().is_empty() || image.trim().is_empty() {
        return Err(
            "a label of runs-on, such as gpu, or with an image: ubuntu-latest=node:24".to_owned()
        );
    }
    Ok(text.to_owned())
}

/// A whole number of what is counted, by itself.
pub(super) fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    text.parse().map_err(|_| match is_number {
        true if text.bytes().all(|it| it == b'0') => "a whole number from 1".to_owned(),
        true => "a whole number, and not so large a one".to_owned(),
        false => "a whole number, such as 5".to_owned(),
    })
}

/// A whole number of what there is at least one of.
pub(super) fn from_one(text: &str) -> Result<u64, String> {
    whole::<NonZeroU64>(text).map(NonZeroU64::get)
}

/// A whole number within a range.
pub(super) fn number<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let read = text.parse().ok().filter(|it| range.contains(it));
        read.ok_or_else(|| format!("a whole number from {} to {}", range.start(), range.end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for text in ["hooks.internal", "10.0.0.5", "::1", "smtp_1"] {
            assert!(host(text).is_ok(), "{text}");
        }
        for text in ["", "http://x", "x:25", "x/y", "a b", "[::1]", "*"] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_is_refused_in_plain_words() {
        let said = |text: &str| whole::<std::num::NonZeroUsize>(text);
        assert_eq!(said("5").map(usize::from), Ok(5));
        for (text, expect) in [
            ("many", "a whole number, such as 5"),
            ("", "a whole number, such as 5"),
            ("-1", "a whole number, such as 5"),
            ("1.5", "a whole number, such as 5"),
            ("0", "a whole number from 1"),
            ("99999999999999999999", "a whole number, and not so large a one"),
        ] {
            assert_eq!(said(text), Err(expect.to_owned()), "{text}");
        }
        let days = number(1..=3650_u32);
        assert_eq!(days("90"), Ok(90));
        for wrong in ["0", "3651", "many", ""] {
            assert_eq!(days(wrong), Err("a whole number from 1 to 3650".to_owned()), "{wrong}");
        }
    }

    #[test]
    fn an_address_has_numbers_and_a_port() {
        for text in ["127.0.0.1:7878", "[::1]:80", "0.0.0.0:0"] {
            assert!(address(text).is_ok(), "{text}");
        }
        for text in ["localhost:7878", "7878", ":7878", "127.0.0.1", "127.0.0.1:70000"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_label_is_there() {
        for text in ["gpu", "ubuntu-latest=node:24", "gpu=host"] {
            assert!(label(text).is_ok(), "{text}");
        }
        for text in ["", " ", "=node:24", "gpu="] {
            assert!(label(text).is_err(), "{text}");
        }
    }
}
