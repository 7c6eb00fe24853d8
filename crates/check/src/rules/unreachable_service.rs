//! A service without `ports`, looked for on localhost (conformance 159, 163).

use std::ops::Range;

use syntax::Node;

use crate::findings::Findings;
use crate::subject::{Job, SERVICES_MAX, Subject, entries, texts};

/// A kind of service: the images that hold it, its port, and the schemes of its addresses.
struct Kind {
    images: &'static [&'static str],
    port: &'static str,
    schemes: &'static [&'static str],
}

const KINDS: &[Kind] = &[
    Kind {
        images: &["postgres", "postgresql", "postgis", "timescaledb"],
        port: "5432",
        schemes: &["postgres://", "postgresql://", "postgresql+", "postgis://"],
    },
    Kind { images: &["redis", "valkey"], port: "6379", schemes: &["redis://", "rediss://"] },
    Kind {
        images: &["mysql", "mariadb"],
        port: "3306",
        schemes: &["mysql://", "mysql+", "mariadb://"],
    },
    Kind { images: &["mongo"], port: "27017", schemes: &["mongodb://"] },
    Kind { images: &["rabbitmq"], port: "5672", schemes: &["amqp://"] },
];

/// Scheme, user and password in front of a host are never longer.
const ADDRESS_BYTES_MAX: usize = 256;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in subject.jobs.iter().filter(|job| job.on_host()) {
        let services = entries(job.body.get("services"));
        if services.is_empty() {
            continue;
        }
        let strings = strings_of(subject, job);
        for service in services.iter().take(SERVICES_MAX) {
            let Some(body) = service.value.as_mapping() else { continue };
            if body
                .get("ports")
                .is_some_and(|ports| ports.as_sequence().is_none_or(|p| !p.is_empty()))
            {
                continue;
            }
            let Some(kind) = body.get("image").and_then(Node::as_str).and_then(kind_of) else {
                continue;
            };
            let hit = strings.iter().find_map(|node| Some((*node, mention(node.as_str()?, kind)?)));
            if let Some((node, part)) = hit {
                let message = format!(
                    "the service '{}' maps no port, so nothing listens on localhost:{}",
                    service.key.text, kind.port
                );
                let hint = format!("add `ports: [\"{0}:{0}\"]` to the service", kind.port);
                findings.warning(subject.locate(node, part), message, hint);
            }
        }
    }
}

/// Every text that a step on the machine may read an address from.
fn strings_of<'a>(subject: &Subject<'a>, job: &Job<'a>) -> Vec<&'a Node> {
    let mut found = Vec::new();
    for entry in subject.env.iter().chain(job.env) {
        texts(&entry.value, &mut found);
    }
    for step in &job.steps {
        for entry in step.env.iter().chain(step.with) {
            texts(&entry.value, &mut found);
        }
        found.extend(step.script.as_ref().map(|script| script.node));
    }
    found
}

fn kind_of(image: &str) -> Option<&'static Kind> {
    let name = image.rsplit('/').next().unwrap_or(image);
    let name = name.split([':', '@']).next().unwrap_or(name);
    KINDS.iter().find(|kind| kind.images.contains(&name))
}

/// Where the text looks for the kind of service on this machine: an address with its scheme, or
/// its port.
fn mention(text: &str, kind: &Kind) -> Option<Range<usize>> {
    for host in ["localhost", "127.0.0.1"] {
        for (at, _) in text.match_indices(host) {
            let end = at + host.len();
            let rest = &text[end..];
            // `localhost.example.com` is another machine.
            if rest.starts_with(|next: char| next.is_alphanumeric() || matches!(next, '.' | '-')) {
                continue;
            }
            let port = rest.strip_prefix(':').map(|rest| {
                &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())]
            });
            let start = address_start(text, at);
            let scheme = kind.schemes.iter().any(|scheme| text[start..at].starts_with(scheme));
            if port == Some(kind.port) || (scheme && port.is_none_or(str::is_empty)) {
                let length = rest.find([' ', '\n', '"', '\'', ',', ';']).unwrap_or(rest.len());
                return Some(start..end + length);
            }
        }
    }
    None
}

/// Where the address begins whose host stands at `host`.
fn address_start(text: &str, host: usize) -> usize {
    let before = text.as_bytes()[..host].iter().rev().take(ADDRESS_BYTES_MAX);
    let inside = |byte: &&u8| !matches!(byte, b' ' | b'\n' | b'"' | b'\'' | b'=' | b',');
    let start = host - before.take_while(inside).count();
    if text.is_char_boundary(start) { start } else { host }
}
