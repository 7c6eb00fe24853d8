//! Versions of actions that GitHub refuses: their services are switched off.

use crate::findings::Findings;
use crate::known_actions::major;
use crate::subject::Subject;

/// Action, the newest major version that is refused, and the one to take.
const REFUSED: &[(&str, u32, &str)] = &[
    ("actions/cache", 2, "v4"),
    ("actions/cache/restore", 2, "v4"),
    ("actions/cache/save", 2, "v4"),
    ("actions/deploy-pages", 3, "v4"),
    ("actions/download-artifact", 3, "v4"),
    ("actions/upload-artifact", 3, "v4"),
    ("actions/upload-pages-artifact", 2, "v3"),
];

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for uses in subject.jobs.iter().flat_map(|job| &job.steps).filter_map(|step| step.uses.as_ref())
    {
        let refused = REFUSED.iter().find(|(name, ..)| uses.name.eq_ignore_ascii_case(name));
        let Some((name, newest, instead)) = refused else { continue };
        if uses.version.and_then(major).is_some_and(|major| major <= *newest) {
            let message =
                format!("GitHub refuses {}: the service behind it is switched off", uses.text);
            let hint = format!(
                "use {name}@{instead} or newer; artifacts of v4 cannot be written twice under one name"
            );
            let hint = if name.contains("artifact") {
                hint
            } else {
                format!("use {name}@{instead} or newer")
            };
            findings.error(uses.span, message, hint);
        }
    }
}
