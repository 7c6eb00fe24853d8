//! Workflow commands, whatever a step prints.

use commands::workflow_command::{
    CommandState, Echo, Effect, Trust, may_be_command, may_hold_command, parse,
};

/// An input is a step's output.
pub fn check(input: &[u8]) {
    let everything = Trust { unsecure_commands: true, unsecure_stop_tokens: true };
    for (echo, trust) in [(Echo::Off, Trust::default()), (Echo::On, everything)] {
        let mut state = CommandState::new();
        state.begin_step(echo, trust);
        for line in input.split(|&byte| byte == b'\n') {
            check_line(&mut state, line);
        }
    }
    if !may_hold_command(input) {
        let mut lines = input.split(|&byte| byte == b'\n');
        assert!(lines.all(|line| !may_be_command(line)), "a block without commands has no line");
    }
}

fn check_line(state: &mut CommandState, line: &[u8]) {
    let is_command = parse(&String::from_utf8_lossy(line)).is_some();
    assert!(!is_command || may_be_command(line), "no command is overlooked");
    let was_stopped = state.is_stopped();
    let handled = state.handle(line);
    match &handled.effect {
        Effect::Text(text) => {
            assert!(was_stopped || !is_command, "a command is no text");
            let harmless = |marker: &[u8]| !text.windows(marker.len()).any(|it| it == marker);
            assert!(harmless(b"##[start-action") && harmless(b"##[end-action"));
            assert!(handled.echo.is_none() && handled.notes.is_empty());
        }
        Effect::Resumed => assert!(was_stopped && !state.is_stopped()),
        Effect::Stopped(_) => assert!(!was_stopped && state.is_stopped()),
        Effect::AddMask(value) => {
            assert!(!value.expose().trim().is_empty());
            assert!(handled.echo.is_none_or(|echo| *echo == *b"::add-mask::***"));
        }
        Effect::Annotation(it) => {
            assert!(it.line.is_some() || it.column.is_none(), "a column needs a line");
            assert!(it.end_line.is_none_or(|end| it.line.is_some_and(|line| line <= end)));
            assert!(it.end_column.is_none_or(|end| it.column.is_some_and(|from| from <= end)));
        }
        _ => assert!(!was_stopped, "stopped commands do nothing"),
    }
}
