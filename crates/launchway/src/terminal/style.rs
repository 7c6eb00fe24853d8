//! Colours, switched off when piped or asked to. Colour never carries the meaning alone.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use unicode_width::UnicodeWidthStr;

use crate::terminal::log_line::steered_by_nobody;

/// Words in colour, or plain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    colour: bool,
}

impl Style {
    /// For standard output: colour on a terminal, unless `NO_COLOR` is set; `CLICOLOR_FORCE`
    /// switches it on.
    pub(crate) fn stdout() -> Style {
        Style { colour: wanted(std::io::stdout().is_terminal()) }
    }

    /// For standard error, by the same rules.
    pub(crate) fn stderr() -> Style {
        Style { colour: wanted(std::io::stderr().is_terminal()) }
    }

    /// Never.
    pub(crate) fn plain() -> Style {
        Style { colour: false }
    }

    /// Always: for tests of colours.
    #[cfg(test)]
    pub(crate) fn coloured() -> Style {
        Style { colour: true }
    }

    /// Whether colours are on.
    pub(crate) fn is_coloured(self) -> bool {
        self.colour
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(crate) fn cyan(self, text: &str) -> String {
        self.paint("36", text)
    }
}

/// Whether a text has nothing that steers a terminal: lines of letters, which most are.
pub(crate) fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| (byte >= b' ') & (byte != 0x7f) | matches!(byte, b'\n' | b'\t');
    // Without a way out in between, the compiler looks at many bytes at once.
    text.bytes().fold(true, |all, byte| all & is_plain(byte))
}

/// Columns that a text takes: colour codes take none, wide letters two.
pub(crate) fn plain_width(text: &str) -> usize {
    anstream::adapter::strip_str(text).map(UnicodeWidthStr::width).sum()
}

/// Columns of the terminal that standard output is; none where it is something else.
pub(crate) fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

fn wanted(terminal: bool) -> bool {
    let set =
        |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    let is_dumb = std::env::var_os("TERM").is_some_and(|it| it == "dumb");
    if set("NO_COLOR") { false } else { (terminal && !is_dumb) || set("CLICOLOR_FORCE") }
}

/// What others wrote, as a part of a line of ours.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

/// Writes a line of data. A reader that went away (`| head`) ends the command quietly.
pub(crate) fn out(line: &str) {
    let line = harmless(line, Style::stdout(), std::io::stdout().is_terminal());
    keep_fault(writeln!(std::io::stdout().lock(), "{line}"));
}

/// Writes lines of data that have their ends.
pub(crate) fn out_block(lines: &str) {
    let lines = harmless(lines, Style::stdout(), std::io::stdout().is_terminal());
    keep_fault(std::io::stdout().lock().write_all(lines.as_bytes()));
}

/// What a terminal may be shown: titles and names are others' words, and might steer it. What is piped is
/// data, and stays what it is.
fn harmless(text: &str, style: Style, is_terminal: bool) -> Cow<'_, str> {
    if is_plain(text) && text.is_ascii() || !(is_terminal || style.is_coloured()) {
        return text.into();
    }
    let harmless = |line| views::isolated(&steered_by_nobody(line, style)).into_owned();
    let lines = text.split('\n').map(harmless);
    lines.collect::<Vec<_>>().join("\n").into()
}

/// Writes a line of talk.
pub(crate) fn talk(line: &str) {
    // Of a server lines may be wanted as JSON; an empty one says nothing there.
    let json = server::json_line(line);
    if json.is_some() && line.trim().is_empty() {
        return;
    }
    // Nobody is left to read; the work itself goes on and its end is in the journal.
    let line = harmless(line, Style::stderr(), std::io::stderr().is_terminal());
    let _ = writeln!(std::io::stderr().lock(), "{}", json.as_deref().unwrap_or(&line));
}

/// The first fault of standard output, save that its reader went away.
static FAULT: OnceLock<std::io::Error> = OnceLock::new();

fn keep_fault(written: std::io::Result<()>) {
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        let _ = FAULT.set(error);
    }
}

/// Why data did not reach standard output, where it did not: a full disk behind `> file`.
pub(crate) fn lost_output() -> Option<&'static std::io::Error> {
    // Lines are held back until they are whole.
    keep_fault(std::io::stdout().lock().flush());
    FAULT.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_steered_by_no_title_and_what_is_piped_is_data() {
        let check = |text: &str, on_a_terminal: &str| {
            assert_eq!(harmless(text, Style::plain(), true), on_a_terminal, "{text:?}");
            assert_eq!(harmless(text, Style::plain(), false), text);
        };
        check("run 1  fix it  main", "run 1  fix it  main");
        check("run 1  \u{202e}gnp.exe  main", "run 1  U+202Egnp.exe  main");
        check("run 1  \u{1b}[2Jgone  main\nrun 2", "run 1  gone  main\nrun 2");
        check("run 1  שלום  2", "run 1  \u{2067}שלום\u{2069}  2");
    }
}
