//! A server that speaks TLS with a certificate of its own making.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};

/// It answers everything with 200, until the tests end.
pub(crate) struct Secured {
    pub(crate) url: String,
    /// In PEM: whoever trusts this trusts the server.
    pub(crate) certificate: String,
}

impl Secured {
    pub(crate) fn serve() -> Secured {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
        let made = made.expect("an address is a name");
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("they belong together");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut socket = stream.expect("a caller");
                let connection = ServerConnection::new(Arc::clone(&config));
                let mut connection = connection.expect("the configuration is whole");
                let mut stream = Stream::new(&mut connection, &mut socket);
                // Who does not trust it says nothing.
                if stream.read(&mut [0; 2048]).is_ok_and(|bytes| bytes > 0) {
                    let answer =
                        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                    let _ = stream.write_all(answer);
                    connection.send_close_notify();
                    let _ = connection.complete_io(&mut socket);
                }
            }
        });
        Secured { url, certificate: made.cert.pem() }
    }
}
