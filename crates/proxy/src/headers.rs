//! Heads on their way through: what belongs to one connection is taken out, who asked is put in.
//!
//! Lengths and encodings are hyper's: it reads a message, refuses an ambiguous one, and writes
//! another by its own rules, so nothing of a smuggled message survives (RFC 9112, 6.3 and 11.2).

use std::net::SocketAddr;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request;
use hyper::{Method, Uri, Version};

/// What RFC 9110, 7.6.1 says belongs to one connection, and what old clients send besides.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// What a request wants to become; none for a plain one.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let wanted = list(headers, &header::CONNECTION).any(|name| name == "upgrade");
    headers.get(header::UPGRADE).filter(|_| wanted).cloned()
}

/// Makes a client's head one for an instance.
pub(crate) fn to_backend(parts: &mut request::Parts, peer: SocketAddr, listen: SocketAddr) {
    let upgrade = upgrade(&parts.headers);
    strip(&mut parts.headers);
    // hyper answers `Expect: 100-continue` itself as soon as the body is wanted.
    parts.headers.remove(header::EXPECT);
    // An absolute form names its host itself, and wins over the line (RFC 9112, 3.2.2).
    if let Some(authority) = parts.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(header::HOST, host);
    }
    forwarded(&mut parts.headers, peer, listen);
    if let Some(upgrade) = upgrade {
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(header::UPGRADE, upgrade);
    } else {
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(path) = parts.uri.path_and_query().cloned() {
        parts.uri = Uri::from(path);
    }
    if parts.method == Method::OPTIONS && parts.uri.path().is_empty() {
        parts.uri = Uri::from_static("*");
    }
    parts.version = Version::HTTP_11;
}

/// Makes an instance's head one for a client.
pub(crate) fn to_client(headers: &mut HeaderMap, upgraded: bool) {
    let upgrade = headers.get(header::UPGRADE).filter(|_| upgraded).cloned();
    strip(headers);
    if let Some(upgrade) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, upgrade);
    }
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = list(headers, &header::CONNECTION)
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        // A client must not be able to take these out (RFC 9110, 7.6.1).
        .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Who asked. What a terminator on this machine says is kept; from anybody else it could be a lie.
fn forwarded(headers: &mut HeaderMap, peer: SocketAddr, listen: SocketAddr) {
    let is_trusted = peer.ip().to_canonical().is_loopback();
    let own = peer.ip().to_canonical().to_string();
    let chain = match list_text(headers, &FOR).filter(|_| is_trusted) {
        Some(before) => format!("{before}, {own}"),
        None => own,
    };
    set(headers, FOR, Some(chain));
    if !is_trusted || !headers.contains_key(PROTO) {
        set(headers, PROTO, Some("http".to_owned()));
    }
    if !is_trusted || !headers.contains_key(HOST) {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.map(str::to_owned);
        set(headers, HOST, host);
    }
    if !is_trusted || !headers.contains_key(PORT) {
        set(headers, PORT, Some(listen.port().to_string()));
    }
    if !is_trusted {
        headers.remove(header::FORWARDED);
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<String>) {
    match value.and_then(|value| HeaderValue::from_str(&value).ok()) {
        Some(value) => headers.insert(name, value),
        None => headers.remove(name),
    };
}

fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> + 'a {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase())
}

fn list_text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> =
        headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, head: &[(&str, &str)], expected: &[(&str, &str)]) {
        let mut request = hyper::Request::builder().uri("http://example.com/a?b");
        for (name, value) in head {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        let listen = "127.0.0.1:8080".parse().expect("an address");
        to_backend(&mut parts, peer.parse().expect("an address"), listen);
        assert_eq!(parts.uri.to_string(), "/a?b");
        let mut headers: Vec<(&str, &str)> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("text")))
            .collect();
        headers.sort_unstable();
        assert_eq!(headers, expected);
    }

    #[test]
    fn what_belongs_to_one_connection_stays_there() {
        check(
            "192.0.2.7:999",
            &[
                ("connection", "keep-alive, X-Own, host, content-length"),
                ("x-own", "1"),
                ("te", "trailers"),
                ("upgrade", "h2c"),
                ("transfer-encoding", "chunked"),
                ("cookie", "a=b"),
            ],
            &[
                ("connection", "close"),
                ("cookie", "a=b"),
                ("host", "example.com"),
                ("x-forwarded-for", "192.0.2.7"),
                ("x-forwarded-host", "example.com"),
                ("x-forwarded-port", "8080"),
                ("x-forwarded-proto", "http"),
            ],
        );
    }

    #[test]
    fn who_asked_is_believed_on_this_machine_only() {
        let claims = [
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-host", "shop.example"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=198.51.100.1"),
        ];
        check(
            "192.0.2.7:999",
            &claims,
            &[
                ("connection", "close"),
                ("host", "example.com"),
                ("x-forwarded-for", "192.0.2.7"),
                ("x-forwarded-host", "example.com"),
                ("x-forwarded-port", "8080"),
                ("x-forwarded-proto", "http"),
            ],
        );
        check(
            "[::ffff:127.0.0.1]:999",
            &claims,
            &[
                ("connection", "close"),
                ("forwarded", "for=198.51.100.1"),
                ("host", "example.com"),
                ("x-forwarded-for", "198.51.100.1, 127.0.0.1"),
                ("x-forwarded-host", "shop.example"),
                ("x-forwarded-port", "8080"),
                ("x-forwarded-proto", "https"),
            ],
        );
    }

    #[test]
    fn an_upgrade_is_passed_on_when_the_connection_says_so() {
        check(
            "192.0.2.7:999",
            &[("connection", "Upgrade"), ("upgrade", "websocket")],
            &[
                ("connection", "upgrade"),
                ("host", "example.com"),
                ("upgrade", "websocket"),
                ("x-forwarded-for", "192.0.2.7"),
                ("x-forwarded-host", "example.com"),
                ("x-forwarded-port", "8080"),
                ("x-forwarded-proto", "http"),
            ],
        );
    }
}
