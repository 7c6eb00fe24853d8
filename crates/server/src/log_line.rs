//! Lines on standard error, for whoever looks after the server: as text, or each as a JSON object. Never
//! what a caller sent, never a secret.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

static AS_JSON: AtomicBool = AtomicBool::new(false);

/// From now on every line is a JSON object.
pub fn log_as_json() {
    AS_JSON.store(true, Ordering::Relaxed);
}

/// The line as a JSON object, where lines are: its time, its level, what it says.
pub fn json_line(line: &str) -> Option<String> {
    AS_JSON.load(Ordering::Relaxed).then(|| object(crate::words::now().0, line))
}

fn object(at_ms: u64, line: &str) -> String {
    let levels = [("warning: ", "warning"), ("error: ", "error")];
    let told = levels.iter().find_map(|(start, level)| Some((line.strip_prefix(start)?, *level)));
    let (message, level) = told.unwrap_or((line, "info"));
    json!({ "at_ms": at_ms, "level": level, "message": message.trim() }).to_string()
}

/// A line.
pub(crate) fn say(line: &str) {
    let json = json_line(line);
    // Nobody listens; the answer says that something is wrong all the same.
    let _ = writeln!(std::io::stderr().lock(), "{}", json.as_deref().unwrap_or(line));
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_line_is_one_object_whatever_it_says() {
        expect![[r#"{"at_ms":7,"level":"warning","message":"cannot read\n\"it\""}"#]]
            .assert_eq(&object(7, "warning: cannot read\n\"it\""));
        expect![[r#"{"at_ms":7,"level":"info","message":"going on"}"#]]
            .assert_eq(&object(7, "  going on"));
    }
}
