//! The connection of a runner on another machine: a WebSocket here, frames for whoever serves it.
//!
//! The two halves are carried apart: a runner that sends a long log and takes in a pack at once would
//! otherwise wait for a server that waits for it. Orders never wait; what is long stands in a short line.

use std::sync::Mutex;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::SILENT_SECONDS_MAX;
use tokio::sync::{mpsc, watch};

/// Frames that came and were not taken yet ...
const IN_LINE: usize = 16;
/// ... and pieces that wait to be sent.
const BULK_LINE: usize = 16;

/// A runner's connection, for threads that may wait.
#[derive(Debug)]
pub struct RunnerLink {
    incoming: Mutex<mpsc::Receiver<Vec<u8>>>,
    orders: mpsc::UnboundedSender<Vec<u8>>,
    bulk: mpsc::Sender<Vec<u8>>,
    closed: watch::Sender<bool>,
}

impl RunnerLink {
    /// The next frame; none when the connection is over.
    pub fn receive(&self) -> Option<Vec<u8>> {
        self.incoming.lock().expect("one thread receives").blocking_recv()
    }

    /// Sends without waiting.
    pub fn order(&self, frame: Vec<u8>) {
        // A connection that is over needs none.
        let _ = self.orders.send(frame);
    }

    /// Sends when there is room; says whether anybody is there.
    pub fn bulk(&self, frame: Vec<u8>) -> bool {
        self.bulk.blocking_send(frame).is_ok()
    }

    /// Ends it, when what was ordered is sent.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }
}

/// Carries frames until one side ends it, or is silent too long. `serve` is given the other end.
pub(crate) async fn carry(socket: WebSocket, serve: impl FnOnce(RunnerLink) + Send + 'static) {
    let (mut sink, mut stream) = socket.split();
    let (came, incoming) = mpsc::channel(IN_LINE);
    let (orders, mut ordered) = mpsc::unbounded_channel();
    let (bulk, mut pieces) = mpsc::channel(BULK_LINE);
    let (closed, mut is_closed) = watch::channel(false);
    let link = RunnerLink { incoming: Mutex::new(incoming), orders, bulk, closed };
    // A thread of its own: those that wait for the disk are few, and this one waits for days.
    if std::thread::Builder::new().name("runner".to_owned()).spawn(|| serve(link)).is_err() {
        return;
    }
    let sending = async {
        loop {
            let frame = tokio::select! {
                biased;
                Some(frame) = ordered.recv() => frame,
                Some(frame) = pieces.recv() => frame,
                // Nobody serves it any more, or somebody said so.
                _ = is_closed.wait_for(|it| *it) => break,
            };
            if sink.send(Message::Binary(frame.into())).await.is_err() {
                return;
            }
        }
        let _ = sink.close().await;
    };
    let silent = Duration::from_secs(SILENT_SECONDS_MAX);
    let receiving = async {
        while let Ok(Some(Ok(message))) = tokio::time::timeout(silent, stream.next()).await {
            match message {
                Message::Binary(frame) => {
                    if came.send(frame.into()).await.is_err() {
                        return;
                    }
                }
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Text(_) | Message::Close(_) => return,
            }
        }
    };
    tokio::select! {
        () = sending => {}
        () = receiving => {}
    }
}
