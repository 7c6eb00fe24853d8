//! Reusable workflows of other repositories: fetched by git, kept by commit like actions.

use event::WorkflowFile;
use workflow::Uses;

use crate::engine::Engine;
use crate::exit::{Exit, Failure};

/// The file that `uses` names.
pub(crate) fn workflow_file(uses: &Uses, engine: &Engine) -> Result<WorkflowFile, Failure> {
    let _ = engine;
    Err(Failure::new(
        Exit::Missing,
        format!(
            "the called workflow {uses} lies in another repository, which cannot be fetched yet"
        ),
    )
    .hint("copy it into .github/workflows and call it by ./"))
}
