//! People sign in by a provider of OpenID Connect that is not ours (`oidc-provider` of npm), played with
//! requests as a browser makes them; and what happens where there is none.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use expect_test::expect;
use serde_json::json;

use crate::serving::{Got, Serving};

const WORKFLOW: &str = "
on: workflow_dispatch
jobs:
  ship:
    runs-on: ubuntu-latest
    environment: production
    steps: [{ run: echo shipped >> $MARKS/shipped }]
";

/// What stands in a page between two words of it.
fn said(page: &str, from: &str, to: &str) -> String {
    let rest = page.split(from).nth(1).unwrap_or_else(|| panic!("no {from} in {page}"));
    // Names are kept to themselves.
    rest.split(to).next().expect("it ends").replace("<bdi>", "").replace("</bdi>", "")
}

/// What a page says happened.
fn notice(page: &str) -> String {
    said(page, "role=\"alert\">", "</p>")
}

#[test]
fn a_provider_that_is_away_keeps_nobody_from_signing_in_with_a_token() {
    // Nobody listens at port 1.
    let serving = Serving::with(
        WORKFLOW,
        &["--sign-in-issuer", "http://127.0.0.1:1", "--sign-in-client", "launchway"],
    );
    let page = serving.ask("GET", "/sign-in?next=/audit", &[], "").text;
    assert_eq!(
        said(&page, "class=\"button main wide\" href=\"", "\""),
        "/sign-in/provider?next=%2Faudit"
    );
    let got = serving.ask("GET", "/sign-in/provider?next=/audit", &[], "");
    expect!["502 Signing in with 127.0.0.1 does not work now: 127.0.0.1 refuses connections. A token still does."]
        .assert_eq(&format!("{} {}", got.status, notice(&got.text)));
    // The cookie has to be of the host that the provider sends back to.
    let port = serving.url.rsplit(':').next().expect("an address with a port");
    let other = [("host", &*format!("localhost:{port}"))];
    let got = serving.ask("GET", "/sign-in/provider?next=/audit", &other, "");
    let there = got.headers["location"].to_str().expect("text");
    assert_eq!(there, format!("{}/sign-in/provider?next=%2Faudit", serving.url));
    let got = serving.ask("GET", "/sign-in/return?code=x&state=y", &[], "");
    expect!["401 Nobody is signed in: this browser began no sign-in that this answers, or more than ten minutes ago."]
        .assert_eq(&format!("{} {}", got.status, notice(&got.text)));
    assert_eq!(serving.get("/api/v1/runs").status, 200);
    // Where no provider is, there is no such way; what was made for it there is not kept.
    let mut plain = Serving::of(WORKFLOW);
    assert_eq!(plain.ask("GET", "/sign-in/provider", &[], "").status, 404);
    assert!(!plain.ask("GET", "/sign-in", &[], "").text.contains("/sign-in/provider"));
    // One that somebody vouches for who is not known here.
    let front = crate::tls::Front::of(&plain.place, &serving.url);
    plain.stop();
    plain.restart_with(&["--sign-in-issuer", &front.url, "--sign-in-client", "launchway"]);
    let got = plain.ask("GET", "/sign-in/provider", &[], "");
    expect!["502 Signing in with localhost does not work now: localhost has a certificate that is not trusted here; SSL_CERT_FILE=FILE names an authority of your own. A token still does."].assert_eq(&format!("{} {}", got.status, notice(&got.text)));
    plain.end();
    serving.end();
}

/// A provider that knows no code, and counts how often it is asked for one.
fn stub() -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    let (issuer, asked) = (url.clone(), Arc::new(AtomicU32::new(0)));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            let mut lines = BufReader::new(&connection).lines().map_while(Result::ok);
            let first = lines.next().unwrap_or_default();
            let head: Vec<String> = lines.take_while(|it| !it.is_empty()).collect();
            drop(head);
            let (status, body) = if first.starts_with("POST /token") {
                counted.fetch_add(1, Ordering::Relaxed);
                ("400 Bad Request", json!({ "error": "invalid_grant" }))
            } else {
                let place = |it: &str| format!("{issuer}/{it}");
                let document = json!({
                    "issuer": issuer, "authorization_endpoint": place("auth"),
                    "token_endpoint": place("token"), "jwks_uri": place("keys"),
                    "response_types_supported": ["code"], "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "code_challenge_methods_supported": ["S256"],
                });
                ("200 OK", document)
            };
            let body = body.to_string();
            let length = body.len();
            let _ = write!(
                connection,
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
        }
    });
    (url, asked)
}

#[test]
fn strangers_neither_have_the_provider_asked_without_end_nor_fill_the_trail() {
    let (provider, asked) = stub();
    let serving =
        Serving::with(WORKFLOW, &["--sign-in-issuer", &provider, "--sign-in-client", "launchway"]);
    let sent = serving.ask("GET", "/sign-in/provider", &[], "");
    let there = sent.headers["location"].to_str().expect("text");
    let state = said(there, "state=", "&");
    let cookie = sent.headers["set-cookie"].to_str().expect("text");
    let cookie = cookie.split(';').next().expect("a value").to_owned();
    let come = |from: &str| {
        let headers = [("cookie", &*cookie), ("x-forwarded-for", from)];
        serving.ask("GET", &format!("/sign-in/return?code=made-up&state={state}"), &headers, "")
    };
    // All within one minute, or the minute after, in which everybody is new.
    let answers: Vec<Got> = (0..25).map(|_| come("192.0.2.1")).collect();
    let refused: Vec<&Got> = answers.iter().filter(|it| it.status == 429).collect();
    assert!(refused.len() >= 5, "{}", refused.len());
    let first = refused[0];
    let seconds = first.headers["retry-after"].to_str().expect("text");
    assert_eq!(
        notice(&first.text),
        format!(
            "Too many tried to sign in with 127.0.0.1 in vain: try again in {seconds} s. A token works now."
        )
    );
    assert_eq!(come("192.0.2.2").status, 401, "another address is not held up");
    for at in 0..150 {
        come(&format!("198.51.100.{at}"));
    }
    let asked = asked.load(Ordering::Relaxed);
    assert!((60..=120).contains(&asked), "{asked}");
    // What somebody tries who was let in stands in the trail all the same.
    let made = serving.command(&["tokens", "create", "looks on"]);
    let bearer = format!("Bearer {}", made.stdout.trim());
    let tried = serving.ask("POST", "/api/v1/runs/1/cancel", &[("authorization", &bearer)], "");
    assert_eq!(tried.status, 403);
    let trail = serving.get("/api/v1/audit?action=request&limit=5").json();
    assert_eq!(trail["decisions"][0]["actor"], "machine:looks on");
    let strangers = serving.get("/api/v1/audit?action=session&limit=200").json();
    let count = strangers["decisions"].as_array().expect("a list").len();
    assert!((30..=60).contains(&count), "{count}");
    serving.end();
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_begins() {
    let place = crate::harness::Place::with(&[]);
    let data = place.path("data").display().to_string();
    let mut said = String::new();
    for args in [
        &["--sign-in-issuer", "http://login.example.com", "--sign-in-client", "x"][..],
        &["--sign-in-issuer", "https://login.example.com?x=1", "--sign-in-client", "x"],
        &["--sign-in-issuer", "https://accounts.google.com", "--sign-in-client", "x"],
        &["--sign-in-issuer", "https://login.example.com"],
        &["--sign-in-allow", "groups=x:read"],
        &[
            "--sign-in-issuer",
            "https://login.example.com",
            "--sign-in-client",
            "x",
            "--sign-in-allow",
            "groups=x:viewer",
        ],
        &[
            "--sign-in-issuer",
            "https://login.example.com",
            "--sign-in-client",
            "x",
            "--sign-in-secret-file",
            "none",
        ],
        &[
            "--listen",
            "0.0.0.0:0",
            "--unencrypted",
            "--sign-in-issuer",
            "https://login.example.com",
            "--sign-in-client",
            "x",
        ],
    ] {
        let got = place.run(&[&["serve", "--data", &data], args].concat());
        let lines = got.stderr.lines().take_while(|line| !line.is_empty());
        said.push_str(&format!("{}: {}\n", got.exit, lines.collect::<Vec<_>>().join(" | ")));
    }
    expect![[r#"
        2: error: --sign-in-issuer http://login.example.com: an issuer is an address of https without a query, or one of http on this machine
        2: error: --sign-in-issuer https://login.example.com?x=1: an issuer is an address of https without a query, or one of http on this machine
        4: error: everybody has an account at https://accounts.google.com, so everybody could read | hint: say who may: --sign-in-allow hd=example.com:read, or email=mona@example.com:read
        2: error: the following required arguments were not provided: |   --sign-in-client <ID>
        2: error: the following required arguments were not provided: |   --sign-in-client <ID> |   --sign-in-issuer <URL>
        2: error: --sign-in-allow groups=x:viewer: a scope is read, approve, operate, deploy or admin | hint: such as groups=backend:operate, groups=backend:operate/octo/app, or groups=leads:approve@production
        2: error: cannot read --sign-in-secret-file none |   because: No such file or directory (os error 2)
        2: error: --sign-in-issuer needs --url: the provider sends browsers back, and where to is not said by --listen 0.0.0.0:0 | hint: say how people reach this server: --url https://ci.example.com
    "#]].assert_eq(&said);
    assert!(!place.path("data").exists());
    // A unit names the file with the secret; whoever prints it need not be able to read that.
    let unit = ["--unit", "--sign-in-issuer", "https://login.example.com", "--sign-in-client", "x"];
    let unit =
        [&["serve", "--data", &data][..], &unit, &["--sign-in-secret-file", "/none"]].concat();
    let got = place.run(&unit);
    assert_eq!(got.exit, 0, "{}", got.stderr);
    assert!(got.stdout.contains("--sign-in-secret-file /none"), "{}", got.stdout);
}

#[cfg(feature = "sign-in")]
pub(crate) mod real {
    use std::collections::BTreeMap;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::path::Path;
    use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

    use expect_test::expect;
    use serde_json::{Value as Json, json};

    use super::{WORKFLOW, notice, said};
    use crate::harness::wait_until;
    use crate::serving::{Got, Serving};

    const SETTINGS: &str = "
version: 1
project: app
groups: { leads: [lena, mona] }
services: { web: {} }
environments:
  production:
    level: 4
    protect: { reviewers: { leads: 1 } }
    targets: { ecs: { region: eu-central-1, cluster: c, service: s } }
";

    /// The provider, as a process.
    pub(crate) struct Login {
        process: Child,
        told: ChildStdin,
        says: BufReader<ChildStdout>,
        pub(crate) url: String,
    }

    impl Login {
        pub(crate) fn begin() -> Login {
            let target = Path::new(env!("CARGO_BIN_EXE_launchway")).ancestors().nth(2);
            let modules = target.expect("cargo's folder").join("oidc");
            let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sign_in/provider.mjs");
            let mut node = Command::new("node");
            let node = node.arg(own).arg(modules).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut process = node.stderr(Stdio::null()).spawn().expect("node starts");
            let told = process.stdin.take().expect("it is a pipe");
            let mut says = BufReader::new(process.stdout.take().expect("it is a pipe"));
            let mut port = String::new();
            says.read_line(&mut port).expect("its port");
            // Another site than the server, for a browser.
            let url = format!("http://localhost:{}", port.trim());
            Login { process, told, says, url }
        }

        /// Says where browsers come back to: to a server by its address.
        pub(crate) fn knows(&mut self, server: &str) {
            writeln!(self.told, "{server}/sign-in/return").expect("it listens");
            let mut ready = String::new();
            self.says.read_line(&mut ready).expect("it is ready");
            assert_eq!(ready, "ready\n");
        }
    }

    impl Drop for Login {
        fn drop(&mut self) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }

    /// What a browser has: cookies, each with its host and path.
    #[derive(Default)]
    pub(crate) struct Browser {
        cookies: BTreeMap<(String, String), (String, String)>,
    }

    fn parts(url: &str) -> (String, String) {
        let (scheme, rest) = url.split_once("://").expect("a whole address");
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        (format!("{scheme}://{host}"), format!("/{path}"))
    }

    impl Browser {
        pub(crate) fn ask(&mut self, method: &str, url: &str, body: &str) -> Got {
            let (origin, path) = parts(url);
            let fits = |(key, value): &(&(String, String), &(String, String))| {
                key.0 == origin && path.starts_with(&value.0)
            };
            let cookies = self.cookies.iter().filter(fits);
            let cookies: Vec<_> =
                cookies.map(|(key, value)| format!("{}={}", key.1, value.1)).collect();
            let request = ureq::http::Request::builder().method(method).uri(url);
            let request = request.header("cookie", cookies.join("; ")).header("origin", &origin);
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let request = request.body(body.to_owned()).expect("a request");
            let mut answer = Serving::agent().run(request).expect("an answer");
            for cookie in answer.headers().get_all("set-cookie") {
                let cookie = cookie.to_str().expect("text");
                let (name, rest) = cookie.split_once('=').expect("a name");
                let value = rest.split(';').next().expect("a value").to_owned();
                let path = rest.split(';').find_map(|it| {
                    let (name, path) = it.trim().split_once('=')?;
                    name.eq_ignore_ascii_case("path").then(|| path.to_owned())
                });
                let key = (origin.clone(), name.to_owned());
                if value.is_empty() {
                    self.cookies.remove(&key);
                } else {
                    self.cookies.insert(key, (path.unwrap_or_else(|| "/".to_owned()), value));
                }
            }
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let text = answer.body_mut().read_to_string().expect("its body");
            Got { status, headers, text }
        }

        /// Goes where it is sent, up to the server's own address; there it stops, and says which.
        fn follow(&mut self, method: &str, url: &str, body: &str, stop: &str) -> (String, Got) {
            let (mut url, mut got) = (url.to_owned(), self.ask(method, url, body));
            loop {
                let Some(place) = got.headers.get("location") else { return (url, got) };
                let place = place.to_str().expect("text").to_owned();
                let (origin, _) = parts(&url);
                url = if place.starts_with('/') { format!("{origin}{place}") } else { place };
                if url.starts_with(stop) {
                    return (url, got);
                }
                got = self.ask("GET", &url, "");
            }
        }

        /// Up to the provider's own page.
        fn begin(&mut self, server: &str) -> String {
            let there = format!("{server}/sign-in/provider?next=/audit");
            let back = format!("{server}/sign-in/return");
            self.follow("GET", &there, "", &back).0
        }

        /// Signs in there; gives the address that leads back.
        fn prove(&mut self, server: &str, login: &str) -> String {
            let back = format!("{server}/sign-in/return");
            let page = self.begin(server);
            let typed = format!("prompt=login&login={login}&password=x");
            let (page, _) = self.follow("POST", &page, &typed, &back);
            if page.starts_with(&back) {
                return page;
            }
            self.follow("POST", &page, "prompt=consent", &back).0
        }

        /// All of it, and what the server says then.
        pub(crate) fn sign_in(&mut self, server: &str, login: &str) -> Got {
            let back = self.prove(server, login);
            self.ask("GET", &back, "")
        }
    }

    fn short(got: &Got) -> String {
        format!("{} {}", got.status, notice(&got.text))
    }

    fn begun(login: &mut Login, more: &[&str]) -> Serving {
        let url = login.url.clone();
        let args = [&["--sign-in-issuer", url.as_str(), "--sign-in-ask", "groups"], more].concat();
        let serving = Serving::with(WORKFLOW, &args);
        login.knows(&serving.url);
        serving
    }

    #[test]
    fn people_sign_in_by_a_provider_and_may_what_their_claims_give() {
        let mut login = Login::begin();
        let secret = tempfile::NamedTempFile::new().expect("a file of ours");
        std::fs::write(secret.path(), "sesame:open+you%20\n").expect("a file of ours");
        let mut serving = begun(
            &mut login,
            &[
                "--sign-in-client",
                "launchway",
                "--sign-in-secret-file",
                &secret.path().display().to_string(),
                "--sign-in-person",
                "preferred_username",
                "--sign-in-allow",
                "groups=backend:deploy@production",
                "--sign-in-allow",
                "groups=leads:approve@production",
            ],
        );
        serving.place.write("launchway.yml", SETTINGS);
        serving.place.commit();
        assert_eq!(serving.push().exit, 0);

        // Mona comes in, by a page that leads on: its cookie is for this site alone.
        let mut mona = Browser::default();
        let came = mona.sign_in(&serving.url, "mona");
        assert_eq!(came.status, 200, "{}", came.text);
        assert_eq!(said(&came.text, "<h1>", "</h1>"), "Signed in as mona");
        assert_eq!(said(&came.text, "<p>You may ", ".</p>"), "deploy in production");
        assert!(came.text.contains("<meta http-equiv=\"refresh\" content=\"0; url=/audit\">"));
        let cookies: Vec<_> = came.headers.get_all("set-cookie").iter().collect();
        let cookie = cookies[0].to_str().unwrap();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
        let url = serving.url.clone();
        assert_eq!(mona.ask("GET", &format!("{url}/audit"), "").status, 200);

        // What she starts is hers, whichever way she comes.
        let started = mona.ask(
            "POST",
            &format!("{url}/dispatch"),
            "repository=octo%2Fapp&workflow=.github%2Fworkflows%2Fci.yml",
        );
        assert_eq!(started.status, 303, "{}", started.text);
        let gate = "/api/v1/runs/1/jobs/ship/approval";
        wait_until("the gate", || serving.get(gate).status == 200);
        let asked = serving.get(gate).json();
        assert_eq!(asked["asked_by"], json!(["mona"]));
        let yes = json!({ "decision": "approve", "gate": "approval/leads", "what": asked["what"] });
        let own =
            serving.command(&["tokens", "create", "x", "--scope", "approve", "--person", "Mona"]);
        let own = [("authorization", &*format!("Bearer {}", own.stdout.trim()))];
        let refused = serving.ask("POST", gate, &own, &yes.to_string());
        let by_herself = mona.ask("POST", &format!("{url}{gate}"), &yes.to_string());
        let detail = |got: &Got| {
            format!("{} {}", got.status, got.json()["detail"].as_str().unwrap_or("done"))
        };
        expect![[r#"
            403 Mona may not: they requested the run
            403 You may deploy in production; this needs somebody who may approve in production.
        "#]]
        .assert_eq(&format!("{}\n{}\n", detail(&refused), detail(&by_herself)));

        let mut lena = Browser::default();
        assert_eq!(lena.sign_in(&serving.url, "lena").status, 200);
        let agreed = lena.ask("POST", &format!("{url}{gate}"), &yes.to_string());
        assert_eq!(agreed.status, 200, "{}", agreed.text);
        assert_eq!(serving.ended("1")["conclusion"], "success");

        // Nobody's group, somebody else's name, a no, an answer of another browser, one that came before.
        let mut all = Vec::new();
        all.push(short(&Browser::default().sign_in(&serving.url, "guest")));
        all.push(short(&Browser::default().sign_in(&serving.url, "mallory")));
        let mut hesitant = Browser::default();
        let page = hesitant.begin(&serving.url);
        let back = format!("{url}/sign-in/return");
        let (back, _) = hesitant.follow("GET", &format!("{page}/abort"), "", &back);
        all.push(short(&hesitant.ask("GET", &back, "")));
        let mut other = Browser::default();
        other.begin(&serving.url);
        let stolen = Browser::default().prove(&serving.url, "mona");
        all.push(short(&other.ask("GET", &stolen, "")));
        let mut twice = Browser::default();
        let back = twice.prove(&serving.url, "lena");
        let kept = twice.cookies.clone();
        assert_eq!(twice.ask("GET", &back, "").status, 200);
        twice.cookies = kept;
        all.push(short(&twice.ask("GET", &back, "")));
        expect![[r#"
            403 guest is not let in: nothing that localhost says of them lets them in here.
            403 Lena is not let in: somebody else signed in as lena before; if that name is handed on, an administrator says: launchway people forget.
            401 Nobody is signed in: the provider says no: access_denied.
            401 Nobody is signed in: this browser began no sign-in that this answers, or more than ten minutes ago.
            401 Nobody is signed in: the provider says no: invalid_grant."#]].assert_eq(&all.join("\n"));

        let trail = serving.get("/api/v1/audit?action=session&limit=50").json();
        let line = |it: &Json| {
            let text = |name: &str| it[name].as_str().unwrap_or("-").replace(&login.url, "LOGIN");
            format!(
                "{} {} {} {}: {}",
                text("actor"),
                text("proof"),
                text("action"),
                text("object"),
                if it["refused"] == true { text("reason") } else { "done".to_owned() }
            )
        };
        let mut lines: Vec<String> =
            trail["decisions"].as_array().unwrap().iter().map(line).collect();
        lines.reverse();
        expect![[r#"
            mona oidc session.begin a browser, by LOGIN as mona: done
            lena oidc session.begin a browser, by LOGIN as lena: done
            guest oidc session.begin a browser, by localhost: nothing that localhost says of them lets them in here
            Lena oidc session.begin a browser, by LOGIN as mallory: somebody else signed in as lena before; if that name is handed on, an administrator says: launchway people forget
              session.begin a browser, by localhost: the provider says no: access_denied
            lena oidc session.begin a browser, by LOGIN as lena: done
              session.begin a browser, by localhost: the provider says no: invalid_grant"#]]
        .assert_eq(&lines.join("\n"));

        // An administrator looks, and ends it.
        let people = serving.command(&["people", "list", "--format", "json"]).lines();
        let names: Vec<_> = people
            .iter()
            .map(|it| (it["name"].clone(), it["sessions"].as_array().unwrap().len()))
            .collect();
        assert_eq!(names, [(json!("lena"), 2), (json!("mona"), 1)]);
        let revoke = ["people", "revoke", "MONA", "--reason", "her key was stolen"];
        assert_eq!(serving.command(&revoke).exit, 0);
        assert_eq!(mona.ask("GET", &format!("{url}/audit"), "").status, 303);
        assert_eq!(serving.command(&["people", "revoke", "hubot"]).exit, 2);
        let forget = ["people", "forget", "mona", "--server", &serving.url, "--reason", "she left"];
        let mut forget = serving.place.launchway(&forget);
        let forgotten = forget.env("LAUNCHWAY_TOKEN", &serving.token).output().expect("it starts");
        assert_eq!(
            crate::harness::Said::from(forgotten).stderr,
            "mona: 0 sessions ended; whoever signs in next so is mona\n"
        );
        let trail = serving.get("/api/v1/audit?action=people").json();
        let why: Vec<_> =
            trail["decisions"].as_array().unwrap().iter().map(|it| &it["reason"]).collect();
        assert_eq!(why, ["she left", "her key was stolen"]);
        // Signing out ends one of Lena's, and a restart none.
        assert_eq!(twice.ask("POST", &format!("{url}/sign-out"), "").status, 303);
        drop(login);
        serving.stop();
        serving.restart();
        let cookie = lena.cookies.iter().find(|(key, _)| key.1 == "launchway_session");
        let cookie = format!("launchway_session={}", cookie.expect("she has it").1.1);
        let with =
            |serving: &Serving| serving.ask("GET", "/audit", &[("cookie", &cookie)], "").status;
        assert_eq!(with(&serving), 200);
        // Other rules end what these gave.
        serving.stop();
        serving.restart_with(&["--sign-in-allow", "groups=ops:admin"]);
        assert_eq!(with(&serving), 303);
        serving.end();
    }

    /// Where pages lead each other on, a browser has the last word.
    #[cfg(feature = "browser")]
    #[test]
    fn a_browser_comes_back_to_where_its_person_wanted_to_go() {
        let mut login = Login::begin();
        let serving = begun(&mut login, &["--sign-in-client", "public"]);
        let target = Path::new(env!("CARGO_BIN_EXE_launchway")).ancestors().nth(2);
        let modules = target.expect("cargo's folder").join("browser");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sign_in/browser.mjs");
        let mut node = Command::new("node");
        let node = node.arg(script).arg(modules).args([serving.url.as_str(), "mona"]);
        let output = node.args(std::env::var("LAUNCHWAY_PICTURES")).output().expect("node starts");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        expect![[r#"
            script light: Environments, mona, true
            script dark: Environments, mona, true
            plain light: Environments, mona, true
            plain dark: Environments, mona, true
        "#]]
        .assert_eq(&told);
        serving.end();
    }

    #[test]
    fn a_client_without_a_secret_has_pkce_alone_and_whoever_signs_in_may_look() {
        let mut login = Login::begin();
        let serving = begun(&mut login, &["--sign-in-client", "public"]);
        let mut guest = Browser::default();
        let came = guest.sign_in(&serving.url, "guest");
        assert_eq!(came.status, 200, "{}", came.text);
        assert_eq!(said(&came.text, "<p>You may ", ".</p>"), "read");
        let url = &serving.url;
        assert_eq!(guest.ask("GET", &format!("{url}/runs"), "").status, 200);
        let tried = guest.ask("POST", &format!("{url}/api/v1/runs/1/cancel"), "");
        expect!["403 You may read; this needs somebody who may operate."].assert_eq(&format!(
            "{} {}",
            tried.status,
            tried.json()["detail"].as_str().unwrap()
        ));
        serving.end();
    }
}
