//! Settings files, whatever they say.

use settings::read;
use syntax::{Severity, Source};

use crate::places;

/// An input is a file.
pub fn check(input: &[u8]) {
    let source = Source::new("launchway.yml", String::from_utf8_lossy(input).into_owned());
    let (settings, found) = read(&source);
    places::diagnostics_in(&source, &found);
    let spans = found.iter().map(|it| it.labels.first().map(|label| label.span));
    assert!(spans.is_sorted(), "findings come in the order of the file");
    assert!(found.iter().all(|it| it.hint.is_some() || it.rule == "yaml"), "there is a remedy");
    let refused = found.iter().any(|it| it.severity == Severity::Error);
    assert_eq!(settings.is_none(), refused, "what is missing is said");
    let Some(settings) = settings else { return };
    assert_eq!(settings.order.len(), settings.services().len(), "every service ships");
    for environment in &settings.environments {
        places::span_in(&source, environment.name.span);
        for service in &settings.order {
            // Every pair is all that a deployment needs: nothing is found missing later.
            let resolved = settings.resolve(&environment.name, service).expect("its own names");
            let filled = [&resolved.service.image].into_iter().chain(&resolved.service.settings);
            filled.for_each(|it| assert!(!it.contains(['{', '}']), "a gap is left in {:?}", &**it));
            resolved.not_yet.iter().for_each(|it| places::span_in(&source, it.span));
            let rows = settings.in_force(&environment.name, service).expect("its own names");
            for row in rows {
                row.span.into_iter().for_each(|span| places::span_in(&source, span));
            }
        }
    }
}
