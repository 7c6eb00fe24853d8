//! Where a link may lead: elsewhere in the web, to a page of the same server, to a letter.

/// A longer address is none that a person follows.
const ADDRESS_BYTES_MAX: usize = 2_000;
/// Schemes by which nothing is run and nothing is read from the machine of whoever clicks.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

/// Whether a link may lead there. A browser drops white space before it reads a scheme, so an address that has any of
/// it, or begins otherwise, leads nowhere.
pub(crate) fn is_harmless(address: &str) -> bool {
    if address.len() > ADDRESS_BYTES_MAX || address.chars().any(char::is_control) {
        return false;
    }
    let is_path = address.starts_with('/') && !address.starts_with("//") && !address.contains('\\');
    let begins = |scheme: &&str| {
        address.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme))
    };
    is_path || SCHEMES.iter().any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_into_the_web_or_to_a_page_of_ours() {
        let web = [
            "https://example.com/a?b#c",
            "HTTP://example.com",
            "mailto:a@example.com",
            "/runs/1.1",
        ];
        assert!(web.iter().all(|it| is_harmless(it)));
        let others = [
            "javascript:alert(1)",
            " javascript:alert(1)",
            "java\nscript:alert(1)",
            "/\t/evil.example",
            "JAVASCRIPT://%0aalert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "//evil.example",
            "/\\evil.example",
            "docs/x.md",
            "#top",
            "",
        ];
        for it in others {
            assert!(!is_harmless(it), "{it:?}");
        }
        assert!(!is_harmless(&format!("https://example.com/{}", "a".repeat(2_000))));
    }
}
