//! Connections that became something else: bytes both ways until one side ends it, or until the
//! instance behind it must go.
//!
//! At the drain deadline a WebSocket is closed as its protocol wants it: between two frames both
//! sides get a close frame with 1012 (service restart), upon which clients connect again at once
//! and come to a new instance. Anything else is cut.

mod frames;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split,
};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::limits::{FRAME_TIME_MAX, LINGER_TIME_MAX, TUNNEL_BYTES};
use crate::table::{Chosen, Table};
use frames::Frames;

/// Close frame, two bytes, 1012: unmasked, as servers send it.
const CLOSE_TO_CLIENT: [u8; 4] = [0x88, 0x02, 0x03, 0xf4];
/// The same as clients send it. The mask hides nothing; zeros are a mask like any other.
const CLOSE_TO_BACKEND: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf4];

type End = TokioIo<Upgraded>;

/// Moves bytes until it is over. The instance counts as busy for as long.
pub(crate) async fn run(
    table: Table,
    client: OnUpgrade,
    backend: OnUpgrade,
    chosen: Chosen,
    is_websocket: bool,
) {
    // One that does not come about has nothing to move.
    let (Ok(client), Ok(backend)) = tokio::join!(client, backend) else { return };
    let (client_in, client_out) = split(TokioIo::new(client));
    let (backend_in, backend_out) = split(TokioIo::new(backend));
    let (closing, _) = watch::channel(false);
    let down = Pump {
        from: backend_in,
        to: client_out,
        close: is_websocket.then_some(&CLOSE_TO_CLIENT[..]),
        closing: closing.subscribe(),
    };
    let up = Pump {
        from: client_in,
        to: backend_out,
        close: is_websocket.then_some(&CLOSE_TO_BACKEND[..]),
        closing: closing.subscribe(),
    };
    tokio::select! {
        () = both(down, up) => {}
        () = end_at_deadline(&table, &chosen, &closing) => {}
    }
}

/// Until both directions are over; the second gets a while when the first one is.
async fn both(down: Pump, up: Pump) {
    let (down, up) = (down.run(), up.run());
    tokio::pin!(down, up);
    tokio::select! {
        () = &mut down => { let _ = timeout(LINGER_TIME_MAX, up).await; }
        () = &mut up => { let _ = timeout(LINGER_TIME_MAX, down).await; }
    }
}

/// Ends only when the deadline came and everybody had the time to close.
async fn end_at_deadline(table: &Table, chosen: &Chosen, closing: &watch::Sender<bool>) {
    let mut changes = table.changes();
    loop {
        match table.deadline(&chosen.backend) {
            None => {
                if changes.changed().await.is_err() {
                    return;
                }
            }
            Some(until_ms) => {
                let left = until(until_ms);
                if left.is_zero() {
                    break;
                }
                tokio::select! {
                    () = sleep(left) => {}
                    _ = changes.changed() => {}
                }
            }
        }
    }
    // Nobody listening means that it is over anyway.
    let _ = closing.send(true);
    sleep(FRAME_TIME_MAX + LINGER_TIME_MAX).await;
}

fn until(at_ms: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(at_ms).saturating_sub(now)
}

/// One direction.
struct Pump {
    from: ReadHalf<End>,
    to: WriteHalf<End>,
    /// What is sent at the deadline; none where the protocol is not known.
    close: Option<&'static [u8]>,
    closing: watch::Receiver<bool>,
}

impl Pump {
    async fn run(self) {
        let Pump { from, to, close, closing } = self;
        pump(from, to, close, closing).await;
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    close: Option<&'static [u8]>,
    mut closing: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; TUNNEL_BYTES];
    let mut frames = Frames::default();
    loop {
        let is_closing = *closing.borrow_and_update();
        if is_closing && (close.is_none() || frames.at_boundary()) {
            break;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            // Somebody who sends half a frame and stops is not waited for.
            () = sleep(FRAME_TIME_MAX), if is_closing => break,
            Ok(()) = closing.changed(), if !is_closing => continue,
        };
        let Ok(read @ 1..) = read else {
            let _ = to.shutdown().await;
            return;
        };
        let bytes = &buffer[..read];
        if !is_closing {
            frames.feed(bytes);
            if to.write_all(bytes).await.is_err() {
                return;
            }
            continue;
        }
        // The rest of the frame under way, and nothing behind it.
        let rest = frames.feed_one(bytes);
        if to.write_all(&bytes[..rest]).await.is_err() {
            return;
        }
    }
    // A side that closed by itself has said all it may.
    if let Some(close) = close.filter(|_| frames.at_boundary() && !frames.is_closed()) {
        let _ = to.write_all(close).await;
    }
    let _ = to.flush().await;
    // Until the other side closes in answer; what it still says has nobody to hear it.
    let _ = timeout(LINGER_TIME_MAX, async { while let Ok(1..) = from.read(&mut buffer).await {} })
        .await;
    let _ = to.shutdown().await;
}
