//! What goes wrong with a journal in a bucket, and what to do about it.

use aws::{Fault, FaultKind};
use ports::JournalError;
use store::StoreError;

/// Why the shared journal did not take or give something.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// S3 does not answer, or wants fewer calls, or there are no credentials for it.
    #[error("the journal in {place} cannot be reached")]
    Unreachable {
        /// `s3://bucket/prefix`
        place: String,
        /// What S3 said, or that it said nothing.
        #[source]
        source: Box<Fault>,
    },
    /// S3 says no.
    #[error("the journal in {place} cannot be used")]
    Refused {
        /// `s3://bucket/prefix`
        place: String,
        /// What S3 said.
        #[source]
        source: Box<Fault>,
    },
    /// Objects are missing, are others than were read, or are none of ours.
    #[error("the journal in {place} is damaged: {what}")]
    Damaged {
        /// `s3://bucket/prefix`
        place: String,
        /// What does not fit.
        what: String,
    },
    /// A newer version wrote there.
    #[error("the journal in {place} was written by a newer version: {what}")]
    Newer {
        /// `s3://bucket/prefix`
        place: String,
        /// What is not understood.
        what: String,
    },
    /// The server writes over what is there although it is told not to.
    #[error(
        "the server of {place} writes over objects that it is told to leave (`If-None-Match: *`): \
         it cannot keep a journal"
    )]
    Unconditional {
        /// `s3://bucket/prefix`
        place: String,
    },
    /// Somebody else has the right to deploy there by now.
    #[error("{owner} has taken over the deployments to {environment}")]
    TakenOver {
        /// Which environment.
        environment: String,
        /// Who.
        owner: String,
    },
    /// So many others append that no number is free.
    #[error("others append to the journal in {place} all the time")]
    Crowded {
        /// `s3://bucket/prefix`
        place: String,
    },
    /// The copy on this machine.
    #[error("the copy of the shared journal on this machine fails")]
    Copy(#[source] JournalError),
}

impl BucketError {
    pub(crate) fn of(place: &str, fault: Fault) -> BucketError {
        let (place, source) = (place.to_owned(), Box::new(fault));
        match source.kind {
            FaultKind::Throttled
            | FaultKind::Server
            | FaultKind::Unanswered
            | FaultKind::SignIn => BucketError::Unreachable { place, source },
            FaultKind::Denied | FaultKind::Refused | FaultKind::Unreadable => {
                BucketError::Refused { place, source }
            }
        }
    }

    pub(crate) fn copy(error: StoreError) -> BucketError {
        BucketError::Copy(JournalError::Storage {
            action: "cannot read it".to_owned(),
            source: Box::new(error),
        })
    }

    /// Whether what was read before may be shown: the bucket does not answer, or not to us.
    pub fn is_out_of_reach(&self) -> bool {
        matches!(self, BucketError::Unreachable { .. } | BucketError::Refused { .. })
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            BucketError::Unreachable { source, .. } if source.kind == FaultKind::SignIn => {
                "sign in to AWS, or name how under `journal.credentials`".to_owned()
            }
            BucketError::Unreachable { .. } => {
                "nothing was lost: what was written is there when it answers again".to_owned()
            }
            BucketError::Refused { source, .. } if source.is("NoSuchBucket") => {
                "docs/shared-journal.md shows how a bucket is made for it".to_owned()
            }
            BucketError::Refused { .. } => {
                "launchway environments iam ENVIRONMENT shows what has to be allowed".to_owned()
            }
            BucketError::Damaged { .. } => {
                "docs/shared-journal.md says what can be done about it".to_owned()
            }
            BucketError::Newer { .. } => "this needs a newer version of launchway".to_owned(),
            BucketError::Unconditional { .. } => {
                "Amazon S3 does it, and others in newer versions".to_owned()
            }
            BucketError::TakenOver { .. } => {
                "launchway deployments watch shows what they do".to_owned()
            }
            BucketError::Crowded { .. } => "try again in a moment".to_owned(),
            BucketError::Copy(_) => "the copy may be removed; it is read anew".to_owned(),
        }
    }
}

impl From<BucketError> for JournalError {
    fn from(error: BucketError) -> JournalError {
        match error {
            BucketError::Copy(error) => error,
            BucketError::Damaged { .. } | BucketError::Newer { .. } => {
                JournalError::Unreadable(error.to_string())
            }
            other => JournalError::Storage {
                action: "the shared journal did not take it".to_owned(),
                source: Box::new(other),
            },
        }
    }
}
