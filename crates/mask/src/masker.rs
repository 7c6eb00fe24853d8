//! Knows secrets and puts `***` in their place.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::MaskedText;
use crate::forms::{Origin, github_forms, leaves, own_forms};
use crate::needles::{Needles, Scope};

/// What stands where a secret stood.
pub(crate) const MASK: &[u8] = b"***";

/// A secret of fewer bytes hides ordinary words: whoever adds one is told.
pub const SHORT_SECRET: usize = 6;

/// What became of a secret that was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Added {
    /// It is hidden from now on.
    Hidden,
    /// It is hidden from now on, but it, or one of its lines, is shorter than [`SHORT_SECRET`] and
    /// will hide ordinary words: worth a warning.
    Short,
    /// Blank: nothing to hide.
    Blank,
}

/// Knows secrets. Cheap to clone; a clone does not learn what the other one is told later.
#[derive(Clone, Default)]
pub struct Masker {
    known: Arc<Known>,
}

#[derive(Default)]
struct Known {
    forms: BTreeMap<Box<[u8]>, Origin>,
    /// Made when first needed, so that a job's many secrets cost one preparation.
    needles: OnceLock<Option<Needles>>,
}

impl Clone for Known {
    fn clone(&self) -> Known {
        // Cloned only to be added to: its preparation would be stale.
        Known { forms: self.forms.clone(), needles: OnceLock::new() }
    }
}

impl Masker {
    /// A masker without secrets.
    pub fn new() -> Masker {
        Masker::default()
    }

    /// Hides a value from now on: whole, each of its lines, the texts in it where it is JSON, and their
    /// encoded forms (conformance 187, 188, 190). What was masked before is not looked at again.
    pub fn add(&mut self, value: &str) -> Added {
        let value = value.trim();
        if value.is_empty() {
            return Added::Blank;
        }
        let known = Arc::make_mut(&mut self.known);
        let mut shortest = value.len();
        for part in [value].into_iter().chain(value.split(['\r', '\n'])) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            shortest = shortest.min(part.len());
            known.learn(part, Origin::GitHub);
        }
        // Programs take a part out of what is JSON, and print that.
        leaves(value).iter().for_each(|leaf| known.learn(leaf, Origin::Ours));
        if shortest < SHORT_SECRET { Added::Short } else { Added::Hidden }
    }

    /// Does it know no secret at all?
    pub fn is_empty(&self) -> bool {
        self.known.forms.is_empty()
    }

    /// Would GitHub find a secret here? Outputs in which it would are dropped (conformance 104);
    /// the forms that only we mask drop none.
    pub fn hides(&self, text: &str) -> bool {
        let Some(needles) = self.needles() else { return false };
        needles.occurs(text.as_bytes(), Scope::GitHubOnly)
    }

    /// The text with every secret replaced; matches that overlap or touch become one `***`
    /// (conformance 189).
    pub fn mask(&self, text: &str) -> MaskedText {
        let mut masked = Vec::new();
        if !self.mask_ranges(text.as_bytes(), &mut masked) {
            return MaskedText::without_secrets(text);
        }
        // Needles are whole characters, so this never has to replace any.
        MaskedText::without_secrets(String::from_utf8_lossy(&masked))
    }

    /// Appends a line to `out` with every secret replaced. Any bytes will do.
    pub fn mask_bytes(&self, line: &[u8], out: &mut Vec<u8>) {
        if !self.mask_ranges(line, out) {
            out.extend_from_slice(line);
        }
    }

    /// Appends the masked text if there is anything to mask; says whether there was.
    fn mask_ranges(&self, text: &[u8], out: &mut Vec<u8>) -> bool {
        let Some(needles) = self.needles() else { return false };
        let ranges = needles.ranges(text, Scope::Everything);
        let mut position = 0;
        for &(start, end) in ranges.as_slice() {
            out.extend_from_slice(&text[position..start]);
            out.extend_from_slice(MASK);
            position = end;
        }
        if position == 0 {
            return false;
        }
        out.extend_from_slice(&text[position..]);
        true
    }

    pub(crate) fn needles(&self) -> Option<&Needles> {
        self.known.needles.get_or_init(|| Needles::new(&self.known.forms)).as_ref()
    }
}

impl Known {
    fn learn(&mut self, value: &str, origin: Origin) {
        // Encoding is wasted on what is known; a form of another secret is not known as a value.
        for form in github_forms(value) {
            self.insert(form, origin);
        }
        if value.len() >= SHORT_SECRET {
            for form in own_forms(value) {
                self.insert(form, Origin::Ours);
            }
        }
        self.needles = OnceLock::new();
    }

    fn insert(&mut self, form: String, origin: Origin) {
        let known = self.forms.entry(form.into_bytes().into_boxed_slice()).or_insert(origin);
        *known = (*known).min(origin);
    }
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masker").field("forms", &self.known.forms.len()).finish_non_exhaustive()
    }
}
