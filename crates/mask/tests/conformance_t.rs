//! What is no secret.

use mask::{Added, Masker};

// proves: conformance 261, 187
#[test]
fn c261_an_empty_secret_masks_nothing() {
    let mut masker = Masker::new();
    for blank in ["", " ", "\n", " \r\n\t "] {
        assert_eq!(masker.add(blank), Added::Blank);
    }
    assert!(masker.is_empty());
    assert_eq!(masker.mask("a b\nc").as_str(), "a b\nc");
    // Blank lines inside a secret are none either.
    assert_eq!(masker.add("first-line\n\n  \nsecond-line"), Added::Hidden);
    assert_eq!(masker.mask("a first-line b\n\nc").as_str(), "a *** b\n\nc");
}
