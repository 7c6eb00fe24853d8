//! PostgreSQL: addresses, its own programs, and how they are run.

mod address;
mod process;
mod programs;
mod whole;

pub(crate) use address::SERVICE;
pub use address::{Address, AddressError};
pub(crate) use process::{Limits, Running, Spoiled};
pub use programs::{Programs, Survey, SurveyError};
pub use whole::WholeError;
