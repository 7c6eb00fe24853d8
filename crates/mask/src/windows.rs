//! Finding many long needles by skipping: most bytes of a log are never looked at.
//!
//! After Wu and Manber. Every needle gives a window of the same length; four bytes at the end of
//! the text's window say how far the next place is where any needle's window could end. Unlike an
//! automaton it is faster the longer the secrets are, needs kilobytes, and meets every occurrence
//! whether or not it overlaps another: a leftmost-longest search would show the end of a secret
//! that begins inside another one.

use crate::needles::Needle;

/// Bytes that choose a slot.
const BLOCK: usize = 4;

/// The shortest needle that goes here.
pub(crate) const SHORTEST: usize = 6;

/// A longer window skips farther but fills the table with more blocks.
const WINDOW_AT_MOST: usize = 16;

/// Slots for each block in the table: few enough strangers share a slot, and the table stays in
/// the processor's cache.
const SLOTS_PER_BLOCK: usize = 4;
const SLOT_BITS_AT_LEAST: u32 = 12;
const SLOT_BITS_AT_MOST: u32 = 20;

/// How many places of a needle are tried for its window, so that needles with the same end (or the
/// same beginning) do not share one slot.
const PLACES_TRIED: usize = 32;

/// The table for one set of needles.
pub(crate) struct Windows {
    window: usize,
    bits: u32,
    shifts: Box<[u8]>,
    /// Sorted by slot.
    entries: Box<[Entry]>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    slot: u32,
    needle: u32,
    /// Where the needle's window ends in the needle.
    window_end: u32,
}

impl Windows {
    /// Builds the table, or `None` when no needle is long enough for it.
    pub(crate) fn new(needles: &[Needle]) -> Option<Windows> {
        let long = || needles.iter().enumerate().filter(|(_, it)| it.bytes.len() >= SHORTEST);
        let window = long().map(|(_, it)| it.bytes.len()).min()?.min(WINDOW_AT_MOST);
        let blocks = long().count() * (window - BLOCK + 1) * SLOTS_PER_BLOCK;
        let bits = blocks.next_power_of_two().ilog2().clamp(SLOT_BITS_AT_LEAST, SLOT_BITS_AT_MOST);
        let farthest = u8::try_from(window - BLOCK + 1).expect("a window is at most 16 bytes");
        let mut shifts = vec![farthest; 1 << bits].into_boxed_slice();
        let mut crowds = vec![0u32; 1 << bits];
        let mut entries = Vec::new();
        for (index, needle) in long() {
            let (window_end, last) = quietest_place(&needle.bytes, window, bits, &crowds);
            crowds[last] += 1;
            let bytes = &needle.bytes[window_end - window..window_end];
            for (place, block) in bytes.windows(BLOCK).enumerate() {
                let shift = u8::try_from(window - BLOCK - place).expect("below the window");
                let slot = &mut shifts[slot_of(block, bits)];
                *slot = (*slot).min(shift);
            }
            entries.push(Entry {
                slot: u32::try_from(last).expect("at most 20 bits"),
                needle: u32::try_from(index).expect("fewer needles than 2^32"),
                window_end: u32::try_from(window_end).expect("a secret is shorter than 4 GiB"),
            });
        }
        entries.sort_unstable();
        Some(Windows { window, bits, shifts, entries: entries.into_boxed_slice() })
    }

    /// Calls `visit(start, needle)` for every occurrence, in the order of their windows; stops when
    /// it says `false`.
    pub(crate) fn scan(
        &self,
        needles: &[Needle],
        haystack: &[u8],
        mut visit: impl FnMut(usize, &Needle) -> bool,
    ) {
        let mut end = self.window;
        while let Some(block) = haystack.get(end - BLOCK..end) {
            let slot = slot_of(block, self.bits);
            let shift = self.shifts[slot];
            if shift != 0 {
                end += usize::from(shift);
                continue;
            }
            for entry in self.entries_in(slot) {
                let needle = &needles[entry.needle as usize];
                let Some(start) = end.checked_sub(entry.window_end as usize) else { continue };
                let found = haystack[start..].starts_with(&needle.bytes);
                if found && !visit(start, needle) {
                    return;
                }
            }
            end += 1;
        }
    }

    fn entries_in(&self, slot: usize) -> impl Iterator<Item = &Entry> {
        let first = self.entries.partition_point(|it| (it.slot as usize) < slot);
        self.entries[first..].iter().take_while(move |it| it.slot as usize == slot)
    }
}

/// Where a needle's window ends, and its slot: the place whose slot has the fewest needles so far,
/// the last one first.
fn quietest_place(needle: &[u8], window: usize, bits: u32, crowds: &[u32]) -> (usize, usize) {
    (window..=needle.len())
        .rev()
        .take(PLACES_TRIED)
        .map(|end| (end, slot_of(&needle[end - BLOCK..end], bits)))
        .min_by_key(|&(_, slot)| crowds[slot])
        .expect("a needle is at least as long as the window")
}

fn slot_of(block: &[u8], bits: u32) -> usize {
    let word = u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
    // Fibonacci hashing: the high bits of the product depend on all four bytes.
    (word.wrapping_mul(0x9E37_79B1) >> (u32::BITS - bits)) as usize
}
