//! A response's body on its way through. One that ends before its time is counted.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use crate::routes::Backend;
use crate::table::Table;

/// What an instance sends, as it comes.
pub(crate) struct Passing {
    inner: Incoming,
    table: Table,
    backend: Backend,
}

impl Passing {
    pub(crate) fn new(inner: Incoming, table: Table, backend: Backend) -> Passing {
        Passing { inner, table, backend }
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(ctx);
        if let Poll::Ready(Some(Err(_))) = &frame {
            self.table.failed(&self.backend);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
