//! Which word a mistyped one was probably meant to be.

/// How different a name may be from the one that was probably meant.
const TYPOS_MAX: usize = 2;

/// The word that was probably meant.
pub fn nearest<'w>(word: &str, words: &[&'w str]) -> Option<&'w str> {
    let scored = words.iter().map(|other| (distance(word, other), *other));
    let (typos, best) = scored.min_by_key(|(typos, _)| *typos)?;
    (typos <= TYPOS_MAX && typos < best.len()).then_some(best)
}

/// How many letters to change, add or drop, case and `_` for `-` not counted.
fn distance(one: &str, other: &str) -> usize {
    let fold = |text: &str| -> Vec<char> {
        text.chars().map(|it| if it == '_' { '-' } else { it.to_ascii_lowercase() }).collect()
    };
    let (one, other) = (fold(one), fold(other));
    if one.len().abs_diff(other.len()) > TYPOS_MAX {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, left) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
