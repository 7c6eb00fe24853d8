//! One request: choose an instance, hold while there is none, send, hand back.

use std::net::SocketAddr;
use std::time::Instant;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::body::Passing;
use crate::headers;
use crate::limits::{
    CONNECT_TIME_MAX, HEAD_BYTES_MAX, HEAD_LINES_MAX, HOLD_INTERVAL, HOLD_TIME_MAX,
    RESPONSE_TIME_MAX,
};
use crate::table::{Chosen, Table};
use crate::tunnel;

/// What a client gets: an instance's body as it comes, or a line of ours.
pub(crate) type Body = Either<Passing, Full<Bytes>>;

/// Where a request came in, and from whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) listen: SocketAddr,
    pub(crate) peer: SocketAddr,
}

/// Answers a request.
pub(crate) async fn forward(
    table: Table,
    origin: Origin,
    mut request: Request<Incoming>,
) -> Response<Body> {
    if request.method() == Method::CONNECT {
        return own(StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not passed on here");
    }
    let upgrade = headers::upgrade(request.headers());
    let client = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    let (mut parts, body) = request.into_parts();
    headers::to_backend(&mut parts, origin.peer, origin.listen);
    let request = Request::from_parts(parts, body);

    let (stream, chosen) = match connect(&table, origin.listen).await {
        Ok(connected) => connected,
        Err(why) => {
            table.unanswered(origin.listen);
            return own(StatusCode::SERVICE_UNAVAILABLE, why);
        }
    };
    table.sent(&chosen);
    let (mut sender, chosen) = match open(&table, stream, chosen).await {
        Ok(opened) => opened,
        Err(()) => return own(StatusCode::BAD_GATEWAY, "the instance closed the connection"),
    };
    let mut response = match timeout(RESPONSE_TIME_MAX, sender.send_request(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            table.failed(&chosen.backend);
            return own(StatusCode::BAD_GATEWAY, "the instance ended without an answer");
        }
        Err(_) => {
            table.failed(&chosen.backend);
            return own(StatusCode::GATEWAY_TIMEOUT, "the instance did not answer in time");
        }
    };
    let is_upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if is_upgraded {
        let Some(client) = client else {
            return own(StatusCode::BAD_GATEWAY, "the instance upgraded what was not asked to be");
        };
        let kind = upgrade.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
        let is_websocket = kind.eq_ignore_ascii_case(b"websocket");
        let backend = hyper::upgrade::on(&mut response);
        let chosen = chosen.again().upgraded();
        tokio::spawn(tunnel::run(table.clone(), client, backend, chosen, is_websocket));
    }
    headers::to_client(response.headers_mut(), is_upgraded);
    // An instance that speaks HTTP/1.0 ends its connection, not the client's; hyper writes what
    // the client understands.
    *response.version_mut() = Version::HTTP_11;
    response.map(|body| Either::Left(Passing::new(body, table, chosen.backend.clone())))
}

/// Speaks HTTP on the connection. It is driven on its own and counts as in flight until the request
/// is sent and the response is read, or the connection is something else.
async fn open(
    table: &Table,
    stream: TcpStream,
    chosen: Chosen,
) -> Result<(SendRequest<Incoming>, Chosen), ()> {
    let opened = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEAD_LINES_MAX)
        .handshake(TokioIo::new(stream))
        .await;
    let Ok((sender, connection)) = opened else {
        table.failed(&chosen.backend);
        return Err(());
    };
    let under_way = chosen.again();
    tokio::spawn(async move {
        // What goes wrong is told by the sender before the response's head, by its body behind it.
        let _ = connection.with_upgrades().await;
        drop(under_way);
    });
    Ok((sender, chosen))
}

/// Connects to an instance. Nothing was sent when that fails, so the next one is tried, and all of
/// them again until the time is over.
async fn connect(table: &Table, listen: SocketAddr) -> Result<(TcpStream, Chosen), &'static str> {
    let deadline = Instant::now() + HOLD_TIME_MAX;
    let mut changes = table.changes();
    loop {
        let Some(candidates) = table.candidates(listen) else {
            return Err("nothing is routed here");
        };
        for backend in candidates {
            // Counted first: who replaces it must see us from here on.
            let Some(chosen) = table.choose(listen, &backend) else { continue };
            if let Ok(Ok(stream)) =
                timeout(CONNECT_TIME_MAX, TcpStream::connect(backend.address)).await
            {
                // Heads and bodies are written in pieces that are complete.
                let _ = stream.set_nodelay(true);
                return Ok((stream, chosen));
            }
        }
        if Instant::now() >= deadline {
            return Err("no instance takes connections");
        }
        // A new route is a new chance at once; an instance that starts to listen is found soon.
        let _ = timeout(HOLD_INTERVAL, changes.changed()).await;
    }
}

/// An answer in our own words.
fn own(status: StatusCode, why: &'static str) -> Response<Body> {
    let text = format!("{} {}: {why}\n", status.as_u16(), reason(status));
    let mut response = Response::new(Either::Right(Full::new(Bytes::from(text))));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("error")
}
