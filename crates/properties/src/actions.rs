//! `action.yml`, whatever it says.

use syntax::{Severity, Source, yaml};
use workflow::{ActionRuns, read_action};

use crate::{places, tree};

/// An input is a file.
pub fn check(input: &[u8]) {
    let source = Source::new("action.yml", String::from_utf8_lossy(input).into_owned());
    let (manifest, found) = read_action(&source);
    places::diagnostics_in(&source, &found);
    let spans = found.iter().map(|it| it.labels.first().map(|label| label.span));
    assert!(spans.is_sorted(), "findings come in the order of the file");
    let accepted = !found.iter().any(|it| it.severity == Severity::Error);
    assert!(!accepted || manifest.is_some(), "what is missing is said");

    if let Some(manifest) = &manifest {
        let texts = manifest.inputs.iter().map(|input| &input.name);
        for text in texts.chain(manifest.outputs.iter().map(|output| &output.name)) {
            places::span_in(&source, text.span);
        }
        match &manifest.runs {
            ActionRuns::Node { main, .. } => assert!(!main.value.is_empty()),
            ActionRuns::Docker(docker) => assert!(!docker.image.value.is_empty()),
            ActionRuns::Composite { steps } => {
                let uniform = steps.iter().map(|step| step.span);
                uniform.for_each(|span| places::span_in(&source, span));
            }
        }
    }
    let (Some(node), yaml_found) = yaml::read(&source) else { return };
    let Some(text) = tree::write(&node).filter(|_| yaml_found.is_empty()) else { return };
    if text.len() > yaml::BYTES_MAX {
        return;
    }
    let (again, found) = read_action(&Source::new("action.yml", text));
    let accepted_again = !found.iter().any(|it| it.severity == Severity::Error);
    assert_eq!(accepted, accepted_again, "the layout of a file means nothing");
    assert_eq!(manifest.is_some(), again.is_some());
}
