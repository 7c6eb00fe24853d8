//! An input that a well-known action does not have (conformance 145).

use crate::findings::Findings;
use crate::subject::Subject;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for step in subject.jobs.iter().flat_map(|job| &job.steps) {
        let Some(uses) = &step.uses else { continue };
        let Some(known) = uses.manifest else { continue };
        for entry in step.with {
            let name = &*entry.key.text;
            if name.contains("${{")
                || known.inputs.iter().any(|input| input.eq_ignore_ascii_case(name))
            {
                continue;
            }
            let message = format!("{} has no input '{name}'", uses.text);
            let hint = match nearest(name, known.inputs) {
                Some(input) => format!("did you mean '{input}'? The value given here is not used"),
                None => format!("it takes {}", known.inputs.join(", ")),
            };
            findings.warning(entry.key.span, message, hint);
        }
    }
}

/// The input that was meant: a slip of the pen, or the same words in another form.
fn nearest<'i>(name: &str, inputs: &[&'i str]) -> Option<&'i str> {
    let letters = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "");
    let name = letters(name);
    let distance = |input: &&&str| strokes(&name, &letters(input));
    let best = inputs.iter().min_by_key(distance)?;
    (strokes(&name, &letters(best)) <= name.len() / 3).then_some(*best)
}

/// How many letters have to be changed, added or taken away.
fn strokes(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, byte) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, second) in other.bytes().enumerate() {
            let changed = diagonal + usize::from(byte != second);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
