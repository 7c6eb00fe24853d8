//! What nobody else has made, and nobody can guess.

use crate::exit::{Exit, Failure};

/// So many random bytes, in hexadecimal.
///
/// # Errors
/// Where the system gives none.
pub(crate) fn hex<const BYTES: usize>() -> Result<String, Failure> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::new(Exit::Missing, format!("the system gives no random numbers: {error}"))
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
