//! Versions of a repository: its tags that are valid semver, and what is known of each.
//!
//! ```text
//!   version.rs   which tags are versions, in which order, and which one came before
//!   notes.rs     what came with one: its commits, in the words of those who wrote them
//!   record.rs    one version with its runs, artifacts, deployments and notes
//! ```
//!
//! Nothing is read here: tags and commits come from whoever asks git, runs and deployments from
//! whoever folds the journal. What the texts say is anybody's; whoever shows them escapes them.

mod notes;
mod record;
mod version;

pub use notes::{LINES_MAX, NoteGroup, NoteLine, Noted, Notes};
pub use record::{
    AtGitHub, RunOfVersion, Standing, VersionArtifact, VersionDeployment, VersionLine, VersionList,
    VersionRecord, standing,
};
pub use version::{Version, previous};
