//! What others are owed, sent until they have it: messages to people.
//!
//! ```text
//!   journal ──▶ Post::owed ──▶ rows of the store ──▶ courier.rs ──▶ Post::look, Post::send ──▶ the world
//!               (a cursor)      (a key for each)         │  ▲
//!                                                        ▼  │
//!                                                     decide.rs: again when, given up, shut for how long
//! ```
//!
//! Nothing is owed that the journal does not say, and nothing is forgotten: the cursor and the rows
//! that the events behind it gave are written at once. An attempt is written down before the receiver
//! hears of it, so whoever is killed in between leaves a row that says "nobody knows". The next one
//! looks first, where the receiver lets itself be asked; where it does not, it is sent once more,
//! under the same key.
//!
//! Each row is something that was said once. A state that is to stand somewhere, whatever was said before,
//! needs none: it is computed and compared, as a forge's checks are.
//!
//! A receiver that does not answer is left alone for a while, with all that is owed to it; the others
//! do not notice. What is refused is given up at once and says why.

mod courier;
mod decide;
mod post;

pub use courier::{Clock, Courier, Round, Wake};
pub use decide::{GIVE_UP_MS, WAIT_MAX_MS, settled};
pub use post::{Ended, Failed, Fault, Look, Post, Trouble};
