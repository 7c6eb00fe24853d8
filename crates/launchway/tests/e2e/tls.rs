//! Servers that speak TLS: with a certificate of their own making, and in front of another server, as
//! operators put one there.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::harness::Place;

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

/// Ends TLS, and hands on what comes to the port that it is told, under that name.
const FRONT: &str = r#"
import asyncio, re, ssl, sys
async def hand_on(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()
async def came(reader, writer):
    head = await reader.readuntil(b'\r\n\r\n')
    there = await asyncio.open_connection('127.0.0.1', int(sys.argv[2]))
    there[1].write(re.sub(rb'(?mi)^host: .*$', b'host: 127.0.0.1:' + sys.argv[2].encode() + b'\r', head))
    await asyncio.gather(hand_on(reader, there[1]), hand_on(there[0], writer))
async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server = await asyncio.start_server(came, '127.0.0.1', 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"#;

/// What stands in front of a server, with a certificate of an authority that nobody knows.
pub(crate) struct Front {
    process: Child,
    pub(crate) url: String,
    /// In a file, in PEM: whoever trusts this trusts what it vouches for.
    pub(crate) authority: PathBuf,
}

impl Front {
    pub(crate) fn of(place: &Place, server: &str) -> Front {
        let key = || rcgen::KeyPair::generate().expect("a key");
        let mut about = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        about.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = rcgen::CertifiedIssuer::self_signed(about, key()).expect("an authority");
        let own = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let own_key = key();
        let made = own.signed_by(&own_key, &authority).expect("it is vouched for");
        let both = place.path("front.pem");
        let text = format!("{}{}", own_key.serialize_pem(), made.pem());
        std::fs::write(&both, text).expect("a file of ours");
        let path = place.path("authority.pem");
        std::fs::write(&path, authority.as_ref().pem()).expect("a file of ours");
        let port = server.rsplit(':').next().expect("an address with a port");
        let mut python = Command::new("python3");
        let python = python.args(["-c", FRONT]).arg(&both).arg(port).stdout(Stdio::piped());
        let mut process = python.stderr(Stdio::null()).spawn().expect("python starts");
        let mut said = BufReader::new(process.stdout.take().expect("it is a pipe"));
        let mut port = String::new();
        said.read_line(&mut port).expect("its port");
        let url = format!("https://localhost:{}", port.trim());
        Front { process, url, authority: path }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
