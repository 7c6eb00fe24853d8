//! Masks a log that comes in pieces.

use crate::Masker;
use crate::masker::MASK;
use crate::needles::Needles;

/// Masks bytes that come in chunks cut anywhere: a secret across a border is hidden too. It holds
/// back only the end that could be the beginning of a secret, so that what a program prints shows
/// at once, and never more than the longest form of a secret, however long the lines are.
///
/// Line breaks stay: a secret of several lines is hidden line by line.
#[derive(Default)]
pub struct StreamMasker {
    held: Vec<u8>,
    /// The last thing in the output is a `***` that also stands for this many bytes at the start of
    /// `held`; a match there that overlaps or touches them needs no second one.
    covered: Option<usize>,
}

impl StreamMasker {
    /// A stream at its start.
    pub fn new() -> StreamMasker {
        StreamMasker::default()
    }

    /// Takes the next chunk and appends what can be shown to `out`. The masker may have learned
    /// secrets since the last call (conformance 193).
    pub fn push(&mut self, masker: &Masker, chunk: &[u8], out: &mut Vec<u8>) {
        self.advance(masker, chunk, Needles::pending_from, out);
    }

    /// Appends what was held back: the stream has ended.
    pub fn finish(&mut self, masker: &Masker, out: &mut Vec<u8>) {
        self.advance(masker, &[], |_, buffer| buffer.len(), out);
    }

    fn advance(
        &mut self,
        masker: &Masker,
        chunk: &[u8],
        held_from: impl Fn(&Needles, &[u8]) -> usize,
        out: &mut Vec<u8>,
    ) {
        let Some(needles) = masker.needles() else {
            // Held bytes without a needle: somebody changed to a masker that knows nothing.
            let covered = self.covered.take().unwrap_or(0);
            out.extend_from_slice(&self.held[covered..]);
            self.held.clear();
            out.extend_from_slice(chunk);
            return;
        };
        if self.held.is_empty() {
            let held_from = held_from(needles, chunk);
            self.emit(needles, chunk, held_from, out);
            self.held.extend_from_slice(&chunk[held_from..]);
            return;
        }
        let mut buffer = std::mem::take(&mut self.held);
        buffer.extend_from_slice(chunk);
        let held_from = held_from(needles, &buffer);
        self.emit(needles, &buffer, held_from, out);
        buffer.drain(..held_from);
        buffer.shrink_to(needles.longest_line());
        self.held = buffer;
    }

    /// Appends `buffer[..held_from]`, masked, and remembers how far a mask reaches beyond it.
    fn emit(&mut self, needles: &Needles, buffer: &[u8], held_from: usize, out: &mut Vec<u8>) {
        if buffer.is_empty() {
            return;
        }
        let mut position = 0;
        let mut shown = self.covered.take();
        let ranges = needles.ranges_after(buffer, shown);
        for &(start, end) in ranges.as_slice() {
            let continues = shown.take().is_some();
            if start >= held_from && !continues {
                break;
            }
            out.extend_from_slice(&buffer[position..start]);
            if !continues {
                out.extend_from_slice(MASK);
            }
            position = end.min(held_from);
            if end >= held_from {
                self.covered = Some(end - held_from);
                break;
            }
        }
        out.extend_from_slice(&buffer[position..held_from]);
    }
}
