//! Coverage under several flags, as one whole.

use std::collections::BTreeMap;

use crate::coverage::{Coverage, FileCoverage};

/// What all flags ran of their files together. A file that two flags name counts once where the lines that could
/// run are the same ones, and a line of it ran if it ran under one of the two. Where they are others it is another
/// file that happens to have the name (`app/main.py` of two services): then each counts, as `app/main.py (api)`.
pub fn whole(flags: &BTreeMap<String, Coverage>) -> Coverage {
    let mut named: BTreeMap<&str, Vec<(&str, &FileCoverage)>> = BTreeMap::new();
    for (flag, coverage) in flags {
        for (name, file) in &coverage.files {
            named.entry(name).or_default().push((flag, file));
        }
    }
    let mut whole = Coverage { files: BTreeMap::new(), is_cut: flags.values().any(|it| it.is_cut) };
    for (name, all) in named {
        let mut texts: Vec<(&str, FileCoverage)> = Vec::new();
        for (flag, file) in all {
            match texts.iter_mut().find(|(_, it)| it.is_same_text(file)) {
                Some((_, known)) => known.join(file),
                None => texts.push((flag, file.clone())),
            }
        }
        let is_alone = texts.len() == 1;
        let called = |flag: &str| format!("{name} ({flag})");
        let texts = texts
            .into_iter()
            .map(|(flag, file)| (if is_alone { name.to_owned() } else { called(flag) }, file));
        whole.files.extend(texts);
    }
    whole
}
