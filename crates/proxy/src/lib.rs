//! The proxy in front of services on this machine: a tiny process that holds the listeners.
//!
//! It knows nothing of releases and deployments. It reads route files (which instance answers for
//! which listener), takes a new one at once and as a whole, and says on a control socket what it
//! took and what is under way. Whoever replaces a service writes a route and waits here until the
//! old instances have nothing more to do.
//!
//! ```text
//!   FOLDER/routes/NAME.json ──inotify──▶ table ──▶ serve.rs     listeners, connections
//!   FOLDER/proxy.sock       ◀──status── counts      forward.rs   one request: choose, hold, send
//!                           ──listeners─▶ fds       tunnel.rs    what was upgraded; 1012 at the end
//! ```
//!
//! - A request is counted under the same lock as the table is exchanged: when a status shows the new
//!   generation and nothing in flight at an instance, nothing will come to that instance any more.
//! - Each request has a connection of its own to its instance. A pool would lose requests to
//!   instances that close an idle connection at the wrong moment; connecting to this machine costs
//!   some ten microseconds.
//! - A connection that is refused has cost nothing: the next instance is tried, and while none
//!   answers the request is held for a while.
//! - The listeners can be asked for and given to the next proxy: who holds a copy keeps callers
//!   waiting in the kernel's queue while no proxy lives.
//!
//! This is the one crate with an async runtime. Thousands of connections that mostly wait are what
//! runtimes are for; nothing above knows that there is one. Deliberately absent: TLS and HTTP/2 (put
//! a terminator in front; it is trusted on the loopback), compression, caching, any decision.

mod body;
mod control;
mod forward;
mod headers;
mod limits;
mod routes;
mod serve;
mod table;
mod tunnel;

pub use control::{BackendStatus, ReleaseStatus, ServiceStatus, Status, ask, give, listeners};
pub use limits::{HOLD_TIME_MAX, RESPONSE_TIME_MAX};
pub use routes::{Backend, Draining, Front, Route, RouteError, read, remove, write};
pub use serve::{ProxyError, given_on_stdin, is_alive, main};
