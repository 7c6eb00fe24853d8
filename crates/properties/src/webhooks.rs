//! Webhooks of GitHub, whoever sent them.

use event::Timestamp;
use forge::{Heads, NotTaken, Proven, Said};
use mask::Secret;

/// What may be told apart.
const EVENTS: &[&str] = &[
    "push",
    "pull_request",
    "workflow_dispatch",
    "repository_dispatch",
    "release",
    "star",
    "issues",
];

/// An input is the event, by its first byte, and a body.
pub fn check(input: &[u8]) {
    let Some((first, body)) = input.split_first() else { return };
    let event = EVENTS[usize::from(*first) % EVENTS.len()];
    let secret = Secret::new("secret");
    // Text that is anything: no signature of it is ever right by chance.
    let signature = String::from_utf8_lossy(body);
    let heads = Heads { event, delivery: "1", signature: &signature, content_type: "" };
    assert_eq!(forge::prove(&secret, heads, body, Timestamp(0)), Err(NotTaken::Unproven));
    let Ok(payload) = serde_json::from_slice(body) else { return };
    let proven = Proven { id: "1".to_owned(), event: event.to_owned(), digest: None, payload };
    let Some((repository, said)) = forge::read(&proven) else { return };
    let (owner, name) = repository.split_once('/').expect("an owner and a name");
    for part in [owner, name] {
        // It becomes a folder's name.
        assert!(!part.starts_with('.') && !part.contains(['/', '\\', '\0']), "{part}");
    }
    match said {
        Said::Push { git_ref, before, after } => {
            is_ref(&git_ref);
            is_commit(&before);
            is_commit(&after);
            assert!(git_ref.starts_with("refs/heads/") || git_ref.starts_with("refs/tags/"));
        }
        Said::PullRequest(pull) => {
            is_commit(&pull.head);
            is_ref(&pull.head_ref);
            is_ref(&pull.base_ref);
        }
        Said::Dispatch { git_ref, .. } => is_ref(&git_ref),
        Said::Release { tag } => is_ref(&format!("refs/tags/{tag}")),
        Said::Issue(issue) => {
            let label = issue.labels.first().map_or("incident", String::as_str);
            if let Some(it) = issue.incident(&repository, label) {
                assert!(
                    it.key.starts_with("github:") && it.key.ends_with(&issue.number.to_string())
                );
            }
            // It becomes a link.
            let is_address = |it: &String| it.starts_with("https://") || it.starts_with("http://");
            assert!(issue.url.as_ref().is_none_or(is_address), "{:?}", issue.url);
        }
        Said::RepositoryDispatch | Said::Nothing { .. } => {}
    }
}

/// It stands on git's command line, and in a path.
fn is_ref(text: &str) {
    let is_plain = !text.starts_with('-') && !text.contains("..") && !text.contains(':');
    assert!(is_plain && !text.chars().any(char::is_control), "{text}");
    assert!(!text.split('/').any(|part| part.is_empty() || part.starts_with('.')), "{text}");
}

fn is_commit(text: &str) {
    assert!(matches!(text.len(), 40 | 64) && text.bytes().all(|it| it.is_ascii_hexdigit()));
}
