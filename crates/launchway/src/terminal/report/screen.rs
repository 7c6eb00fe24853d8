//! A block of lines at the bottom of the terminal that is drawn over itself.

use std::io::Write;

use crate::terminal::style::plain_width;

/// The terminal's size where it does not say: what terminals have had for fifty years.
const FALLBACK: (usize, usize) = (80, 24);

/// What is on the screen now.
#[derive(Default)]
pub(crate) struct Screen {
    drawn: usize,
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
        if self.drawn > 0 {
            // Up to the first line of the old block, and everything below goes.
            text += &format!("\x1b[{}A\r\x1b[J", self.drawn);
        }
        for line in above {
            text += line;
            text.push('\n');
        }
        for line in block {
            text += &cut(line, columns);
            text.push('\n');
        }
        self.drawn = block.len();
        let mut terminal = std::io::stderr().lock();
        // A terminal that went away is not drawn on; the run goes on.
        let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
    }

    /// Removes the block; what stood above stays.
    pub(crate) fn clear(&mut self) {
        self.draw(&[], &[]);
    }
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
        kept.push(character);
        if character == '\x1b' {
            for code in rest.by_ref() {
                kept.push(code);
                if code.is_ascii_alphabetic() {
                    break;
                }
            }
            continue;
        }
        width += 1;
        if width + 1 >= columns {
            kept.push('…');
            break;
        }
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
        assert_eq!(cut("\x1b[31mred and long\x1b[0m", 6), "\x1b[31mred a…\x1b[0m");
    }
}
