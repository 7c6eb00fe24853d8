//! Limits of workflow commands, in numbers.

use commands::workflow_command::{AnnotationLimits, CommandState, Effect, Level};

// proves: conformance 172
#[test]
fn c172_tokens_of_more_than_six_characters_become_masks() {
    for (token, is_mask) in
        [("a", false), ("six666", false), ("seven77", true), ("\u{1f600}\u{1f600}\u{1f600}", false)]
    {
        let line = format!("::stop-commands::{token}");
        let mut state = CommandState::new();
        let Effect::Stopped(mask) = state.handle(line.as_bytes()).effect else {
            panic!("commands stop at {token}");
        };
        assert_eq!(mask.is_some_and(|it| it.expose() == token), is_mask, "{token}");
    }
}

// proves: conformance 170, 234
#[test]
fn c234_the_eleventh_annotation_of_a_level_is_not_kept() {
    for level in [Level::Notice, Level::Warning, Level::Error] {
        let mut limits = AnnotationLimits::new();
        let kept = (0..25).filter(|_| limits.admit(level)).count();
        assert_eq!(kept, 10);
    }
    let message = "é".repeat(5_000);
    assert_eq!(AnnotationLimits::clip(&message).chars().count(), 4_096);
}
