//! What PagerDuty tells, whoever sent it.

use aws_lc_rs::hmac;
use event::Timestamp;
use mask::Secret;
use notifier::{NotPaged, paged};

const SECRET: &str = "secret";

/// An input is a body. Shown as its own signature it is never right by chance; signed, it is told or refused.
pub fn check(input: &[u8]) {
    let secret = Secret::new(SECRET);
    let shown = String::from_utf8_lossy(input);
    // A day on which the bodies of the corpus are neither old nor to come.
    let now = Timestamp(1_780_000_000_000);
    assert_eq!(paged(&secret, &shown, input, now), Err(NotPaged::Unproven));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, input);
    let hex: String = tag.as_ref().iter().map(|it| format!("{it:02x}")).collect();
    let Ok(Some(told)) = paged(&secret, &format!("v1={hex}"), input, now) else { return };
    // It becomes a key, and where somebody's incidents are looked up.
    for id in [&told.id, &told.service] {
        assert!(!id.is_empty() && !id.contains(['/', ':', ' ', '\n']), "{id}");
    }
    // It becomes a link.
    assert!(told.link.as_ref().is_none_or(|it| it.starts_with("https://")), "{:?}", told.link);
    assert!(told.began_at <= told.at);
    assert!(!told.by.is_empty());
}
