//! Versions and ranges, as files and inputs of setup actions ask for them.

use actions::native::testing::version_fits;

/// An input is a range, then versions, a line each.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let range = lines.next().unwrap_or_default();
    for version in lines {
        let fits = version_fits(range, version);
        let either = format!("{range} || {range}");
        assert_eq!(version_fits(&either, version), fits, "twice the same is the same");
        let plain = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let at_least = version_fits(&format!(">={version}"), version);
        if let (true, Some(at_least)) = (plain, at_least) {
            let below = version_fits(&format!("<{version}"), version);
            assert!(at_least && below == Some(false), "{version} is itself");
        }
    }
}
