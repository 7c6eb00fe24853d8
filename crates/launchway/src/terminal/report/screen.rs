//! A block of lines at the bottom of the terminal that is drawn over itself.

use std::io::Write;

use unicode_width::UnicodeWidthChar;

use crate::terminal::style::plain_width;

/// The terminal's size where it does not say: what terminals have had for fifty years.
const FALLBACK: (usize, usize) = (80, 24);

/// What is on the screen now.
#[derive(Default)]
pub(crate) struct Screen {
    /// Columns that each line of the block took.
    drawn: Vec<usize>,
}

/// Columns and rows of standard error.
pub(crate) fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => FALLBACK,
    }
}

impl Screen {
    /// Draws the block in the place of the one before, after lines that stay above it.
    pub(crate) fn draw(&mut self, above: &[String], block: &[String]) {
        let (columns, _) = size();
        let mut text = String::new();
        let rows = rows_taken(&self.drawn, columns);
        if rows > 0 {
            text += &format!("\x1b[{rows}A\r");
        }
        // Each line clears the rest of its own. Clearing all at once flickers, and some terminals
        // keep what is cleared for scrolling back.
        for line in above {
            text += line;
            text += "\x1b[K\n";
        }
        self.drawn.clear();
        for line in block {
            let line = cut(line, columns);
            self.drawn.push(plain_width(&line));
            text += &line;
            text += "\x1b[K\n";
        }
        if rows > 0 {
            text += "\x1b[J";
        }
        let mut terminal = std::io::stderr().lock();
        // A terminal that went away is not drawn on; the run goes on.
        let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
    }

    /// Removes the block; what stood above stays.
    pub(crate) fn clear(&mut self) {
        self.draw(&[], &[]);
    }
}

/// Rows that lines take now: a window made narrower since has broken them.
fn rows_taken(widths: &[usize], columns: usize) -> usize {
    widths.iter().map(|width| width.div_ceil(columns.max(1)).max(1)).sum()
}

/// A line that fits, so that it is one line on the screen. Colour codes take no room.
pub(crate) fn cut(line: &str, columns: usize) -> String {
    if plain_width(line) <= columns {
        return line.to_owned();
    }
    let mut kept = String::new();
    let mut width = 0;
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        if character == '\x1b' {
            kept.push(character);
            for code in rest.by_ref() {
                kept.push(code);
                if code.is_ascii_alphabetic() {
                    break;
                }
            }
            continue;
        }
        width += character.width().unwrap_or(0);
        if width >= columns {
            kept.push('…');
            break;
        }
        kept.push(character);
    }
    kept + "\x1b[0m"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_and_its_colour_ended() {
        assert_eq!(cut("short", 10), "short");
        assert_eq!(cut("a rather long line", 8), "a rathe…\x1b[0m");
        assert_eq!(cut("広い文字の行", 8), "広い文…\x1b[0m");
        assert_eq!(cut("\x1b[31mred and long\x1b[0m", 6), "\x1b[31mred a…\x1b[0m");
    }

    #[test]
    fn a_window_made_narrower_has_broken_the_lines() {
        assert_eq!(rows_taken(&[80, 10, 0], 80), 3);
        assert_eq!(rows_taken(&[80, 10, 0], 30), 5);
        assert_eq!(rows_taken(&[], 80), 0);
    }
}
