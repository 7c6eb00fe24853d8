//! Why somebody does something: every command that ends or changes what others rely on takes it in this one way.

use clap::Args;
use server::Reason;

/// Why.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ReasonArgs {
    /// Why; it stands in the audit trail
    #[arg(long = "reason", value_name = "TEXT")]
    given: Option<Reason>,
}

impl ReasonArgs {
    /// What they said, or that they said nothing.
    pub(crate) fn said(&self) -> &Reason {
        const NONE: &Reason = &Reason::NONE;
        self.given.as_ref().unwrap_or(NONE)
    }
}
