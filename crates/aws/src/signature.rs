//! Signature Version 4, as AWS's general reference has it: a hash of the request under a key that
//! is derived from the secret, the day, the region and the service.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::credentials::Credentials;

/// The block of SHA-256, which HMAC works in (RFC 2104).
const BLOCK: usize = 64;

/// What is signed.
pub(crate) struct Signing<'a> {
    /// `POST`
    pub(crate) method: &'static str,
    /// As it stands in the URL: `/`, or the way to an object.
    pub(crate) path: &'a str,
    /// As it stands in the URL, sorted by its keys; empty without one.
    pub(crate) query: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) host: &'a str,
    /// `20261121T083000Z`
    pub(crate) at: &'a str,
    /// Names in lower case.
    pub(crate) headers: &'a [(&'static str, String)],
    /// SHA-256 of the body, in hex.
    pub(crate) body: &'a str,
}

/// SHA-256 of a body, as requests are signed with it.
pub(crate) fn hashed(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// The headers that a signed request has on top.
pub(crate) fn sign(
    signing: &Signing<'_>,
    credentials: &Credentials,
) -> Vec<(&'static str, String)> {
    let mut added = vec![("x-amz-date", signing.at.to_owned())];
    if let Some(session) = &credentials.session {
        added.push(("x-amz-security-token", session.expose().to_owned()));
    }
    let mut signed: Vec<(&str, &str)> = vec![("host", signing.host)];
    let all = signing.headers.iter().chain(&added);
    signed.extend(all.map(|(key, value)| (*key, value.trim())));
    signed.sort_unstable();
    let names = signed.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(";");
    let Signing { method, path, query, .. } = signing;
    let mut canonical = format!("{method}\n{path}\n{query}\n");
    for (key, value) in &signed {
        let _ = writeln!(canonical, "{key}:{value}");
    }
    let _ = write!(canonical, "\n{names}\n{}", signing.body);
    let day = &signing.at[..8];
    let scope = format!("{day}/{}/{}/aws4_request", signing.region, signing.service);
    let hashed = hex(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{hashed}", signing.at);
    let first = format!("AWS4{}", credentials.secret.expose()).into_bytes();
    let key = [day, signing.region, signing.service, "aws4_request"]
        .iter()
        .fold(first, |key, part| hmac(&key, part.as_bytes()).to_vec());
    let signature = hex(&hmac(&key, to_sign.as_bytes()));
    let key_id = &credentials.key_id;
    added.push((
        "authorization",
        format!(
            "AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, \
             Signature={signature}"
        ),
    ));
    added
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |with: u8| block.map(|it| it ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use mask::Secret;

    use super::*;

    fn check(session: Option<&str>, names: &str, signature: &str) {
        let mut credentials =
            Credentials::key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        credentials.session = session.map(Secret::new);
        let headers = [
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target", "AmazonEC2ContainerServiceV20141113.DescribeServices".to_owned()),
        ];
        let body = hashed(br#"{"cluster":"c","services":["api"]}"#);
        let signing = Signing {
            method: "POST",
            path: "/",
            query: "",
            region: "eu-central-1",
            service: "ecs",
            host: "ecs.eu-central-1.amazonaws.com",
            at: "20261121T083000Z",
            headers: &headers,
            body: &body,
        };
        let added = sign(&signing, &credentials);
        let (_, said) = added.last().expect("the signature is a header");
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-central-1/ecs/aws4_request, \
             SignedHeaders={names}, Signature={signature}"
        );
        assert_eq!(*said, expected);
    }

    /// Known answers of botocore 1.43.106.
    #[test]
    fn signs_as_botocore_does() {
        check(
            None,
            "content-type;host;x-amz-date;x-amz-target",
            "57586c46a9170fc44fd7a7d3dba01579f88a5b8ae0d54a5aa22f79ebc8931415",
        );
        check(
            Some("session-token"),
            "content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
            "7a3463d9e67ffd06245e2500647595b08586ff4458de0551a0226e9b36fa967b",
        );
    }

    /// Known answers of botocore 1.43.106, for objects: a list, and what is written if it is absent.
    #[test]
    fn signs_objects_as_botocore_does() {
        let credentials =
            Credentials::key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let check =
            |method, path, query, body: &[u8], headers: &[(&'static str, String)], expect| {
                let body = hashed(body);
                let mut headers = headers.to_vec();
                headers.push(("x-amz-content-sha256", body.clone()));
                let signing = Signing {
                    method,
                    path,
                    query,
                    region: "eu-central-1",
                    service: "s3",
                    host: "planner.s3.eu-central-1.amazonaws.com",
                    at: "20261121T083000Z",
                    headers: &headers,
                    body: &body,
                };
                let added = sign(&signing, &credentials);
                let (_, said) = added.last().expect("the signature is a header");
                assert_eq!(said.rsplit('=').next(), Some(expect));
            };
        check(
            "GET",
            "/",
            "encoding-type=url&list-type=2&max-keys=1000&prefix=log%2F&start-after=log%2F00%20a",
            b"",
            &[],
            "c034d04bba09e31e0bc8491e98bc832218ee35fdaf18d48afa9b09a15a634a4d",
        );
        check(
            "PUT",
            "/log/a%20b/%C3%A4%2B1",
            "",
            b"one",
            &[("if-none-match", "*".to_owned())],
            "845a4eebd74d946ddd969170108482dcc78bc3dd89cad68ab4d8b18994ad49ba",
        );
    }

    /// RFC 4231, cases 2 and 6: a short key, and one that is longer than a block.
    #[test]
    fn hmac_is_that_of_the_rfc() {
        assert_eq!(
            hex(&hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(&hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
