//! Lines, and whether they ran.

use std::collections::BTreeMap;

/// Lines of one report; what stands behind them is left out.
const LINES_MAX: usize = 3_000_000;
/// A file has no more lines.
const LINE_MAX: u32 = 10_000_000;

/// The coverage of a report, or of several that are of one and the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// By name: from where all of them have in common, where the names are absolute.
    pub files: BTreeMap<String, FileCoverage>,
    /// The file ended in the middle, or has more lines than are read.
    pub is_cut: bool,
}

/// The coverage of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileCoverage {
    ran: BTreeMap<u32, bool>,
}

impl FileCoverage {
    /// Lines that ran.
    pub fn covered(&self) -> u64 {
        self.ran.values().filter(|it| **it).count() as u64
    }

    /// Lines that could.
    pub fn lines(&self) -> u64 {
        self.ran.len() as u64
    }

    /// Whether the lines that could run are the same ones, so that both are about one text.
    pub(crate) fn is_same_text(&self, other: &FileCoverage) -> bool {
        self.ran.len() == other.ran.len() && self.ran.keys().eq(other.ran.keys())
    }

    /// What ran in one of the two ran.
    pub(crate) fn join(&mut self, other: &FileCoverage) {
        for (line, has_run) in &other.ran {
            *self.ran.entry(*line).or_default() |= has_run;
        }
    }
}

impl Coverage {
    /// Takes in another report of the same: a line ran if it ran in one of them.
    pub fn join(&mut self, other: Coverage) {
        self.is_cut |= other.is_cut;
        for (name, file) in other.files {
            match self.files.get_mut(&name) {
                Some(known) => known.join(&file),
                None => drop(self.files.insert(name, file)),
            }
        }
    }

    /// All lines of all files.
    pub fn lines(&self) -> u64 {
        self.files.values().map(FileCoverage::lines).sum()
    }

    /// Those that ran.
    pub fn covered(&self) -> u64 {
        self.files.values().map(FileCoverage::covered).sum()
    }
}

/// Lines as they are read: a line that stands there several times ran if it ran once.
#[derive(Default)]
pub(crate) struct Lines {
    files: BTreeMap<String, BTreeMap<u32, bool>>,
    count: usize,
    pub(crate) is_cut: bool,
}

impl Lines {
    /// Takes note of a file, which may have no line that could run.
    pub(crate) fn file(&mut self, file: &str) {
        if !self.is_full() {
            self.files.entry(file.to_owned()).or_default();
        }
    }

    pub(crate) fn line(&mut self, file: &str, line: u32, has_run: bool) {
        if line > LINE_MAX || self.is_full() {
            return;
        }
        let Some(lines) = self.files.get_mut(file) else { return };
        self.count += usize::from(!lines.contains_key(&line));
        *lines.entry(line).or_default() |= has_run;
    }

    fn is_full(&mut self) -> bool {
        // A file costs as much as a line.
        let is_full = self.count + self.files.len() >= LINES_MAX;
        self.is_cut |= is_full;
        is_full
    }

    pub(crate) fn done(self) -> Coverage {
        let common = common_folder(self.files.keys().map(String::as_str));
        let file = |(file, ran): (String, BTreeMap<u32, bool>)| {
            (file[common..].to_owned(), FileCoverage { ran })
        };
        let files = self.files.into_iter().map(file).collect();
        Coverage { files, is_cut: self.is_cut }
    }
}

/// The length of the folder that absolute names have in common: workspaces lie elsewhere each time.
/// Nothing where one of them is not absolute.
fn common_folder<'f>(mut files: impl Iterator<Item = &'f str>) -> usize {
    let Some(first) = files.next().filter(|it| it.starts_with('/')) else { return 0 };
    let folder = |text: &str| text.rfind('/').map_or(0, |at| at + 1);
    let mut common = &first[..folder(first)];
    for file in files {
        if !file.starts_with('/') {
            return 0;
        }
        while !file.starts_with(common) {
            let shorter = common.strip_suffix('/').map_or(0, folder);
            common = &common[..shorter];
        }
    }
    common.len()
}
