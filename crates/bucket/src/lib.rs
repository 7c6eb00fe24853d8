//! The journal that several machines share without a server: objects in a bucket of S3, each written
//! only if it is not there yet.
//!
//! ```text
//!   PREFIX/journal.json                 what this is; whoever comes first writes it
//!   PREFIX/log/00000000000000000042.json   one append, whole or not at all; names the one before it
//!   PREFIX/places/PROJECT/ENVIRONMENT/00000000000000000007.json   who may deploy there, and until when
//!   PREFIX/inbox/12/DIGEST              an approval on its way to whoever drives deployment 12
//! ```
//!
//! The log is one order of everything: number 43 is written by somebody who has read 42, and only if
//! nobody else wrote it before. So two machines can never both append, a reader needs one list behind
//! what it read last, and a hole means that something was taken away. Each machine keeps a copy
//! ([`store::Store`]) that all looking is done in; it can be thrown away.
//!
//! A place is taken by writing its next number, which is the fence of all that is appended under it.
//! The taking stands in the log too: behind it, an append under a lower fence is refused by everybody
//! who reads, the writer first. Whether a place has expired is told by the bucket's clock alone.
//!
//! Not here: what an event means, and when something is looked at.

mod entry;
mod error;
mod inbox;
mod journal;
mod objects;
mod permissions;
mod place;

pub use entry::FORMAT;
pub use error::BucketError;
pub use inbox::HandedIn;
pub use journal::{Identity, Shared};
pub use objects::{Located, Objects};
pub use permissions::permissions;
pub use place::{Hold, Holder, Taking};
