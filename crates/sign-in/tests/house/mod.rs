//! Keys, tokens and a provider that says what a test wants it to.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};

pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key of each kind.
pub(crate) struct Keys {
    rsa: RsaPair,
    ec: EcdsaKeyPair,
}

impl Keys {
    pub(crate) fn new() -> Keys {
        let rsa = RsaPair::generate(KeySize::Rsa2048).expect("a key");
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Keys { rsa, ec }
    }

    /// The RSA key as `one`, the other as `two`.
    pub(crate) fn public(&self) -> Json {
        let der = self.rsa.public_key().as_der().expect("it has a form");
        // The modulus of 2048 bits stands last but for the exponent, three bytes with their header.
        let der: &[u8] = der.as_ref();
        let modulus = &der[der.len() - 5 - 256..der.len() - 5];
        let point = self.ec.public_key().as_ref();
        json!({ "keys": [
            { "kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256", "n": encoded(modulus), "e": "AQAB" },
            { "kty": "EC", "kid": "two", "crv": "P-256", "x": encoded(&point[1..33]), "y": encoded(&point[33..]) },
        ] })
    }

    /// A token signed as its header says, as far as these keys can.
    pub(crate) fn token(&self, header: &Json, claims: &Json) -> String {
        let message = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let random = SystemRandom::new();
        let signature = if header["alg"] == "ES256" {
            let signed = self.ec.sign(&random, message.as_bytes()).expect("it signs");
            signed.as_ref().to_vec()
        } else {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            let signed =
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature);
            signed.expect("it signs");
            signature
        };
        format!("{message}.{}", encoded(signature))
    }
}

/// What is answered at a path.
pub(crate) type Answers = BTreeMap<String, (u16, String)>;

/// A provider on this machine.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) url: String,
    pub(crate) answers: Arc<Mutex<Answers>>,
    /// Each request: method and path, what proves the client, its body.
    pub(crate) heard: Arc<Mutex<Vec<String>>>,
}

impl House {
    pub(crate) fn open() -> House {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let house = House { url, answers: Arc::default(), heard: Arc::default() };
        let own = house.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                own.answer(stream.expect("a connection"));
            }
        });
        house
    }

    pub(crate) fn says(&self, path: &str, status: u16, body: impl ToString) {
        let mut answers = self.answers.lock().expect("nobody panics here");
        answers.insert(path.to_owned(), (status, body.to_string()));
    }

    /// Whether something is answered there.
    pub(crate) fn is_asked_at(&self, path: &str) -> bool {
        self.answers.lock().expect("nobody panics here").contains_key(path)
    }

    /// What was asked since the last time.
    pub(crate) fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().expect("nobody panics here"))
    }

    /// What a provider says of itself.
    pub(crate) fn discovery(&self) -> Json {
        let url = &self.url;
        json!({
            "issuer": url, "authorization_endpoint": format!("{url}/auth"),
            "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/keys"),
        })
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut line = String::new();
        reader.read_line(&mut line).expect("a request");
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let [method, path, ..] = words.as_slice() else { return };
        let (mut length, mut proof) = (0, String::new());
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).expect("a header");
            let Some((name, value)) = header.trim().split_once(": ") else { break };
            match name.to_lowercase().as_str() {
                "content-length" => length = value.parse().expect("a number"),
                "authorization" => proof = format!(" [{value}]"),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the body");
        let body = String::from_utf8(body).expect("text");
        let heard = format!("{method} {path}{proof} {body}");
        self.heard.lock().expect("nobody panics here").push(heard.trim_end().to_owned());
        let answers = self.answers.lock().expect("nobody panics here");
        let (status, said) = answers.get(path).cloned().unwrap_or((404, String::new()));
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n",
            said.len()
        );
        let _ = stream.write_all(format!("{head}{said}").as_bytes());
    }
}
