//! Files that are sent by pieces, as fast as whoever asks takes them: memory stays as it is however large
//! they are.

use std::fs::File;

use axum::body::{Body, Bytes};
use http_body_util::channel::Channel;

use crate::app::blocking;
use crate::standing::{self, Standing};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that wait for who reads them.
const PIECES_MAX: usize = 4;

/// The bytes of a file. It breaks off where it cannot be read, or who asked may not see it any more.
pub(crate) fn body(mut file: File, mut standing: Standing) -> Body {
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(PIECES_MAX);
    tokio::spawn(async move {
        let mut at = 0_u64;
        loop {
            if !standing.stands().await {
                sender.abort(std::io::Error::other(standing::OVER));
                return;
            }
            let piece = blocking(move || {
                use std::os::unix::fs::FileExt as _;
                let mut piece = vec![0; PIECE_BYTES];
                let read = file.read_at(&mut piece, at)?;
                piece.truncate(read);
                Ok((file, piece))
            });
            let Ok((back, piece)) = piece.await else {
                sender.abort(std::io::Error::other("it cannot be read"));
                return;
            };
            file = back;
            at += piece.len() as u64;
            if piece.is_empty() || sender.send_data(piece.into()).await.is_err() {
                return;
            }
        }
    });
    Body::new(body)
}
