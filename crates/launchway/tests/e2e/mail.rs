//! Email, to a server of SMTP that is not ours: encryption, signing in, what it takes and refuses.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use expect_test::{Expect, expect};

use crate::harness::Place;

/// Takes mail from `ci` with the password `sesame`, behind STARTTLS; says what it took.
const SERVER: &str = r#"
import asyncio, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult
class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith('nobody@'):
            return '550 no such user'
        envelope.rcpt_tos.append(address)
        return '250 OK'
    async def handle_DATA(self, server, session, envelope):
        print(envelope.mail_from, envelope.rcpt_tos, 'ssl' if session.ssl else 'clear')
        print(envelope.content.decode().replace('\r\n', '\n'))
        print('END', flush=True)
        return '250 taken'
def sign_in(server, session, envelope, mechanism, data):
    # Not handled: the server itself says no.
    return AuthResult(success=(data.login, data.password) == (b'ci', b'sesame'), handled=False)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
def smtp():
    if sys.argv[2] == 'clear':
        return SMTP(Handler(), hostname='mx')
    return SMTP(Handler(), hostname='mx', tls_context=context, require_starttls=True,
        authenticator=sign_in, auth_required=True)
async def main():
    server = await asyncio.get_running_loop().create_server(smtp, '127.0.0.1', 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"#;

struct Mx {
    server: Child,
    printed: BufReader<std::process::ChildStdout>,
    port: String,
    certificate: PathBuf,
}

impl Mx {
    fn begin(place: &Place, how: &str) -> Mx {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let made = made.expect("it is a name");
        let certificate = place.path("certificate.pem");
        let both = place.path("server.pem");
        std::fs::write(&certificate, made.cert.pem()).expect("a file of ours");
        let text = format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem());
        std::fs::write(&both, text).expect("a file of ours");
        let own = Path::new(env!("CARGO_BIN_EXE_launchway"));
        let python = own.parent().and_then(Path::parent).expect("cargo's folder");
        let python = python.join("smtp/bin/python");
        let mut server = Command::new(python)
            .args(["-c", SERVER])
            .arg(&both)
            .arg(how)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tier `smtp` made it ready: cargo xtask test smtp");
        let mut printed = BufReader::new(server.stdout.take().expect("it is a pipe"));
        let mut port = String::new();
        printed.read_line(&mut port).expect("its port");
        Mx { server, printed, port: port.trim().to_owned(), certificate }
    }

    /// What it took.
    fn took(&mut self) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let read = self.printed.read_line(&mut line).expect("it prints text");
            if read == 0 || line.trim() == "END" {
                return all;
            }
            // What differs from test to test.
            let shown = match line.split_once(": ") {
                Some((name @ ("Date" | "Message-ID" | "X-Peer"), _)) => format!("{name}: …\n"),
                _ => line,
            };
            all.push_str(&shown);
        }
    }
}

impl Drop for Mx {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn settings(mx: &Mx, mail: &str, to: &str, rest: &str) -> String {
    format!(
        "
version: 1
project: planner
services: {{ api: {{ run: [sh], bundle: {{ path: app }} }} }}
environments: {{ dev: {{ targets: {{ host: 127.0.0.1:8080 }} }} }}
notify: [{{ name: mail, email: {to} }}]
mail: {{ host: localhost, port: {}, from: ci@example.com, {mail} }}
{rest}",
        mx.port
    )
}

fn check(place: &Place, mx: &Mx, settings: &str, expected: Expect) {
    place.write("launchway.yml", settings);
    place.write("password", "sesame\n");
    place.write("wrong", "simsim\n");
    let mut command = place.launchway(&["notify", "test", "mail"]);
    let output = command.env("SSL_CERT_FILE", &mx.certificate).output().expect("it starts");
    let said = crate::harness::text(&output.stderr);
    assert!(!said.contains("sesame") && !said.contains("simsim"), "{said}");
    expected.assert_eq(&said);
}

#[test]
fn mail_goes_encrypted_and_signed_in_or_not_at_all() {
    let place = Place::with(&[]);
    let mut mx = Mx::begin(&place, "encrypted");
    let sign_in = "user: ci, password: 'file:password'";
    let allowed = "private_receivers: localhost";
    let well = settings(&mx, sign_in, "leads@example.com", allowed);
    check(
        &place,
        &mx,
        &well,
        expect![[r#"
        mail: it arrived
    "#]],
    );
    expect![[r#"
        ci@example.com ['leads@example.com'] ssl
        From: ci@example.com
        To: leads@example.com
        Subject: planner: a test of the rule mail
        Message-ID: …
        Auto-Submitted: auto-generated
        X-Launchway-Occasion: requested
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 7bit
        Date: …

        planner: a test of the rule mail

        Nothing happened: somebody wants to know whether messages arrive.


    "#]]
    .assert_eq(&mx.took());
    let wrong = settings(&mx, "user: ci, password: 'file:wrong'", "leads@example.com", allowed);
    check(
        &place,
        &mx,
        &wrong,
        expect![[r#"
        error: localhost does not take it (535)
    "#]],
    );
    check(
        &place,
        &mx,
        &settings(&mx, sign_in, "nobody@example.com", allowed),
        expect![[r#"
        error: localhost does not take it (550)
    "#]],
    );
    check(
        &place,
        &mx,
        &settings(&mx, sign_in, "leads@example.com", ""),
        expect![[r#"
        error: localhost has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
    "#]],
    );
    // Whoever is not who the certificate says is sent nothing.
    let elsewhere = Place::with(&[]);
    let mut other = Mx::begin(&elsewhere, "encrypted");
    other.certificate.clone_from(&mx.certificate);
    check(
        &place,
        &other,
        &settings(&other, sign_in, "leads@example.com", allowed),
        expect![[r#"
        error: localhost does not prove who it is (TLS)
    "#]],
    );
}

#[test]
fn a_server_without_encryption_is_sent_nothing_unless_that_is_wanted() {
    let place = Place::with(&[]);
    let mut mx = Mx::begin(&place, "clear");
    let allowed = "private_receivers: localhost";
    let none = settings(&mx, "encryption: starttls", "leads@example.com", allowed);
    check(
        &place,
        &mx,
        &none,
        expect![[r#"
        error: localhost cannot do what is asked of it: encryption, or the way to sign in
    "#]],
    );
    let clear = settings(&mx, "encryption: none", "leads@example.com", allowed);
    check(
        &place,
        &mx,
        &clear,
        expect![[r#"
        mail: it arrived
    "#]],
    );
    assert!(mx.took().contains("clear"));
}
