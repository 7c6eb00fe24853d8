//! A limit on everything, with its reason.

use std::time::Duration;

/// Connections of clients at one time. Beyond it new ones wait in the kernel's queue: each costs two
/// descriptors, and many systems give a process 1024 until it asks for more.
pub(crate) const CONNECTIONS_MAX: usize = 10_000;
/// What waits in the kernel's queue of a listener: callers stand there while no proxy lives.
pub(crate) const BACKLOG: u32 = 4096;
/// Bytes of a request's or response's head. Cookies and tokens take some thousands.
pub(crate) const HEAD_BYTES_MAX: usize = 64 << 10;
/// Lines of a head.
pub(crate) const HEAD_LINES_MAX: usize = 128;
/// How long a client may take for a head; an idle connection is closed after it too. Longer than
/// what usual balancers keep theirs (60 s), so that they close first.
pub(crate) const HEAD_TIME_MAX: Duration = Duration::from_secs(75);
/// How long an instance may take until its response begins.
pub const RESPONSE_TIME_MAX: Duration = Duration::from_secs(120);
/// How long a connection to an instance may take. It is on this machine: what takes longer hangs.
pub(crate) const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
/// How long a request is held while no instance takes connections: a restart takes that long.
pub const HOLD_TIME_MAX: Duration = Duration::from_secs(10);
/// Between two rounds over the instances while a request is held.
pub(crate) const HOLD_INTERVAL: Duration = Duration::from_millis(25);
/// What an end of a tunnel gets to close after the other one did.
pub(crate) const LINGER_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a frame that is under way may take at the drain deadline before it is cut.
pub(crate) const FRAME_TIME_MAX: Duration = Duration::from_secs(2);
/// Bytes that a tunnel moves at once.
pub(crate) const TUNNEL_BYTES: usize = 16 << 10;
/// A route file is some hundred bytes for each instance.
pub(crate) const ROUTE_BYTES_MAX: u64 = 1 << 20;
/// What is asked on the control socket is one word.
pub(crate) const QUESTION_BYTES_MAX: usize = 64;
/// How long somebody may take to ask, and an answer may take.
pub(crate) const QUESTION_TIME_MAX: Duration = Duration::from_secs(5);
/// Listeners that are given from one proxy to the next.
pub(crate) const LISTENERS_MAX: usize = 256;
