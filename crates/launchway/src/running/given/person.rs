//! A value that a person types or pastes at a question on the terminal: one line, all of it or none.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
    tcsetattr,
};

use crate::exit::{Exit, Failure};
use crate::terminal::style::talk;

/// A terminal hands on so much of a line, and drops the rest of it (Linux, `N_TTY_BUF_SIZE` without the line's end).
const TERMINAL_LINE_BYTES_MAX: usize = 4095;
/// What was pasted comes in parts, over a slow line too; behind such a pause nothing of it comes any more.
const PAUSE: Duration = Duration::from_millis(100);
/// What comes behind the first line is thrown away for so long at most.
const PASTED_MAX: Duration = Duration::from_secs(5);

/// Asks at the terminal; what is typed is not shown. The hint says how a longer value is given.
pub(crate) fn from_person(name: &str, hint: &str) -> Result<String, Failure> {
    let ask = || talk(&format!("Value of secret {name} (it is not shown):"));
    let given = given(std::io::stdin(), PAUSE, ask);
    whole_line(name, given.map_err(|error| Failure::caused(Exit::Usage, error))?, hint)
}

/// What a person gave.
struct Given {
    line: Vec<u8>,
    /// Whether something came behind it.
    is_more: bool,
}

/// The first line, once nothing comes behind it for so long.
fn given(terminal: impl AsFd, pause: Duration, ask: impl FnOnce()) -> io::Result<Given> {
    let hidden = HiddenInput::begin(terminal.as_fd());
    ask();
    let (mut line, mut part) = (Vec::new(), [0; TERMINAL_LINE_BYTES_MAX + 1]);
    while !line.ends_with(b"\n") && line.len() < TERMINAL_LINE_BYTES_MAX {
        match read(&terminal, &mut part) {
            Ok(0) => break,
            Ok(length) => line.extend_from_slice(&part[..length]),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Given { line, is_more: hidden.drop_rest(pause) })
}

/// What a person gave, where that is all of it.
fn whole_line(name: &str, given: Given, hint: &str) -> Result<String, Failure> {
    let mut line = given.line;
    while line.ends_with(b"\n") || line.ends_with(b"\r") {
        line.pop();
    }
    let why = if line.len() >= TERMINAL_LINE_BYTES_MAX {
        format!(
            "{name} is too long to be typed: a terminal hands on {TERMINAL_LINE_BYTES_MAX} bytes of a line"
        )
    } else if given.is_more {
        format!("{name} has more than one line, and a terminal is asked for one")
    } else {
        return super::text(name, line);
    };
    Err(Failure::new(Exit::Refused, format!("{why}; nothing of it is kept")).hint(hint))
}

/// While it lives, what is typed is not shown.
struct HiddenInput<'t>(BorrowedFd<'t>, Option<Termios>);

impl HiddenInput<'_> {
    fn begin(terminal: BorrowedFd<'_>) -> HiddenInput<'_> {
        let before = tcgetattr(terminal).ok();
        if let Some(mut quiet) = before.clone() {
            quiet.local_modes.remove(LocalModes::ECHO);
            // A terminal that cannot be told shows what is typed; the person sees that at once.
            let _ = tcsetattr(terminal, OptionalActions::Flush, &quiet);
        }
        HiddenInput(terminal, before)
    }

    /// Throws away what came behind the line; whether something did.
    fn drop_rest(&self, pause: Duration) -> bool {
        if let Some(mut quiet) = self.1.clone() {
            // Only so a line that has no end yet is there, too.
            quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
            quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
            quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
            let _ = tcsetattr(self.0, OptionalActions::Now, &quiet);
        }
        let (end, mut is_more) = (Instant::now() + PASTED_MAX, false);
        while self.comes(if is_more { PAUSE } else { pause }) && Instant::now() < end {
            is_more = true;
            let _ = tcflush(self.0, QueueSelector::IFlush);
        }
        is_more
    }

    /// Whether something comes within so long.
    fn comes(&self, within: Duration) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        let within = Timespec::try_from(within).ok();
        let came = poll(&mut fds, within.as_ref());
        came.is_ok() && fds[0].revents().contains(PollFlags::IN)
    }
}

impl Drop for HiddenInput<'_> {
    fn drop(&mut self) {
        if let Some(before) = &self.1 {
            let _ = tcsetattr(self.0, OptionalActions::Flush, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use expect_test::{Expect, expect};
    use rustix::io::write;
    use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};

    use super::*;

    const HINT: &str = "in a file";
    /// Where something is to come behind: however slow this machine is.
    const LONG: Duration = Duration::from_secs(60);

    /// A terminal, and who sits at it.
    fn terminal() -> (OwnedFd, OwnedFd) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let person = openpt(flags).expect("there are terminals");
        unlockpt(&person).expect("it is ours");
        let terminal = ioctl_tiocgptpeer(&person, flags).expect("it is there");
        (person, terminal)
    }

    /// What becomes of what is pasted at the question, and then of what comes behind the first line.
    fn check(pasted: &str, later: Option<&str>, kept: Option<&str>) {
        let (person, terminal) = terminal();
        let pause = if kept.is_some() { PAUSE } else { LONG };
        let said = std::thread::scope(|scope| {
            if let Some(later) = later {
                scope.spawn(|| {
                    let waits_for_lines = || {
                        let modes = tcgetattr(&terminal).expect("a terminal").local_modes;
                        modes.contains(LocalModes::ICANON)
                    };
                    while waits_for_lines() {
                        std::thread::yield_now();
                    }
                    write(&person, later.as_bytes()).expect("it takes it");
                });
            }
            let paste = || {
                write(&person, pasted.as_bytes()).expect("it takes it");
            };
            let given = given(&terminal, pause, paste).expect("it can be read");
            whole_line("KEY", given, HINT)
        });
        let refused =
            "KEY has more than one line, and a terminal is asked for one; nothing of it is kept";
        let said = said.map_err(|failure| failure.error.to_string());
        assert_eq!(said.as_deref().map_err(|it| &**it), kept.ok_or(refused), "{pasted:?}");
        let modes = tcgetattr(&terminal).expect("a terminal").local_modes;
        assert!(modes.contains(LocalModes::ECHO | LocalModes::ICANON), "{modes:?}");
        // Nothing of it was shown, and whoever reads next gets none of it.
        write(&terminal, b"$").expect("it shows it");
        let mut shown = [0; 64];
        let length = read(&person, &mut shown).expect("it is shown");
        assert_eq!(String::from_utf8_lossy(&shown[..length]), "$");
        write(&person, b"next\n").expect("it takes it");
        let length = read(&terminal, &mut shown).expect("a line");
        assert_eq!(String::from_utf8_lossy(&shown[..length]), "next\n");
    }

    #[test]
    fn what_is_pasted_is_taken_as_a_whole_or_not_at_all() {
        check("hunter2\n", None, Some("hunter2"));
        check("line1\nline2\n", None, None);
        check("line1\nline2", None, None);
        check("line1\n", Some("line2"), None);
        check("line1\n", Some("line2\nline3\n"), None);
        check("\nline2\n", None, None);
        // Twice the end of input, and no line.
        check("abc\x04\x04", None, Some("abc"));
    }

    #[test]
    fn what_a_terminal_cuts_or_is_no_text_is_refused() {
        let check = |line: &[u8], expect: Expect| {
            let given = Given { line: line.to_vec(), is_more: false };
            let said = whole_line("KEY", given, HINT);
            expect.assert_eq(&said.unwrap_or_else(|failure| {
                assert_eq!(failure.exit, Exit::Refused);
                failure.error.to_string()
            }));
        };
        let cut = "x".repeat(TERMINAL_LINE_BYTES_MAX);
        check(
            cut.as_bytes(),
            expect![
                "KEY is too long to be typed: a terminal hands on 4095 bytes of a line; nothing of it is kept"
            ],
        );
        check(b"hunter2\r\n", expect!["hunter2"]);
        check(b"\xff\xfe\n", expect!["secret KEY is no text: it has bytes that are not UTF-8"]);
        let given = Given { line: cut.as_bytes()[1..].to_vec(), is_more: false };
        assert!(whole_line("KEY", given, HINT).is_ok());
    }
}
