//! Signature Version 4, as AWS's general reference has it: a hash of the request under a key that
//! is derived from the secret, the day, the region and the service.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::credentials::Credentials;

/// The block of SHA-256, which HMAC works in (RFC 2104).
const BLOCK: usize = 64;

/// What is signed. The path is `/` and there is no query: no call of ours has another.
pub(crate) struct Signing<'a> {
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) host: &'a str,
    /// `20261121T083000Z`
    pub(crate) at: &'a str,
    /// Names in lower case.
    pub(crate) headers: &'a [(&'static str, String)],
    pub(crate) body: &'a str,
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
    let mut canonical = "POST\n/\n\n".to_owned();
    for (key, value) in &signed {
        let _ = writeln!(canonical, "{key}:{value}");
    }
    let _ = write!(canonical, "\n{names}\n{}", hex(&Sha256::digest(signing.body.as_bytes())));
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
        let signing = Signing {
            region: "eu-central-1",
            service: "ecs",
            host: "ecs.eu-central-1.amazonaws.com",
            at: "20261121T083000Z",
            headers: &headers,
            body: r#"{"cluster":"c","services":["api"]}"#,
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
