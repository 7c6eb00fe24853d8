//! Against a registry as it is installed (Debian's docker-registry): images made here, blob by blob.
#![cfg(feature = "docker")]

use expect_test::{Expect, expect};
use mask::Secret;
use registry::{Login, Registry, RegistryError, copy};

#[path = "house/server.rs"]
mod server;

/// A registry with a folder of its own, ended with the value.
struct Server {
    server: server::Server,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(more: &str) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        // mona, secret
        let hash = "mona:$2y$05$2o8rWSjEza.5hEcrZ9mCzeQ3d47Zk3XF6OJcM3tE03xnG4QxU9aAW\n";
        std::fs::write(folder.path().join("htpasswd"), hash).expect("written");
        let more = more.replace("FOLDER", &folder.path().display().to_string());
        Server { server: server::Server::start(folder.path(), &more), _folder: folder }
    }

    fn host(&self) -> &str {
        &self.server.host
    }

    fn open(&self) -> Registry {
        Registry::new(self.host(), None)
    }
}

fn digest_of(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(bytes);
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Puts bytes there as docker would.
fn upload(server: &Server, repository: &str, bytes: &[u8]) -> String {
    let digest = digest_of(bytes);
    let begun = ureq::post(format!("http://{}/v2/{repository}/blobs/uploads/", server.host()));
    let begun = begun.send_empty().expect("it begins");
    let location = begun.headers()["location"].to_str().expect("text").to_owned();
    let joint = if location.contains('?') { '&' } else { '?' };
    let put = ureq::put(format!("{location}{joint}digest={digest}"));
    put.send(bytes).expect("it is taken");
    digest
}

/// An image of one layer; gives its digest.
fn image(server: &Server, repository: &str, tag: &str, layer: &[u8]) -> String {
    let config = format!(r#"{{"os":"linux","config":{{"Labels":{{"layer":"{}"}}}}}}"#, layer.len());
    let (config_digest, layer_digest) =
        (upload(server, repository, config.as_bytes()), upload(server, repository, layer));
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config_digest}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer_digest}","size":{}}}]}}"#,
        config.len(),
        layer.len(),
    );
    let put = ureq::put(format!("http://{}/v2/{repository}/manifests/{tag}", server.host()));
    put.header("content-type", kind).send(manifest.as_bytes()).expect("it is taken");
    digest_of(manifest.as_bytes())
}

fn check(found: &Result<String, RegistryError>, server: &[&Server], expect: &Expect) {
    let text = match found {
        Ok(text) => text.clone(),
        Err(error) => format!("error: {error}"),
    };
    let hide = |text: String, (at, it): (usize, &&Server)| {
        text.replace(it.host(), &format!("registry-{at}"))
    };
    expect.assert_eq(&server.iter().enumerate().fold(text, hide));
}

#[test]
fn a_tag_leads_to_a_digest_and_an_image_is_tagged_again() {
    let server = Server::start("");
    let digest = image(&server, "planner", "1.0", b"one");
    let mut registry = server.open();
    let manifest = registry.manifest("planner", "1.0").expect("it answers").expect("it is there");
    assert_eq!(manifest.digest, digest);
    assert_eq!(manifest.size_bytes(), 3 + 48);
    let config = manifest.config().expect("it has one").digest;
    let labels = registry.description("planner", &config).expect("it is there");
    assert_eq!(labels["config"]["Labels"]["layer"], "3");
    registry.tag("planner", &manifest, "latest").expect("it is taken");
    let latest = registry.manifest("planner", "latest").expect("it answers").map(|it| it.digest);
    assert_eq!(latest, Some(digest));
    assert!(registry.manifest("planner", "2.0").expect("it answers").is_none());
    assert!(registry.manifest("nothing", "2.0").expect("it answers").is_none());
}

#[test]
fn a_copy_is_the_same_bytes_and_is_made_once() {
    let (one, two) = (Server::start(""), Server::start(""));
    let digest = image(&one, "planner-staging", "1.0", &vec![7; 3 << 20]);
    let mut from = one.open();
    let mut go = |to: &mut Registry, goal: &str| {
        copy((&mut from, "planner-staging"), (to, goal), &digest).map(|(manifest, copied)| {
            assert_eq!(manifest.digest, digest);
            format!("{copied:?}")
        })
    };
    // Within one registry the layers are taken over, elsewhere they are sent.
    let said = go(&mut one.open(), "planner-production");
    check(&said, &[&one], &expect!["Copied { sent: 0, mounted: 2, there: 0, sent_bytes: 0 }"]);
    let said = go(&mut two.open(), "planner");
    check(
        &said,
        &[&one],
        &expect!["Copied { sent: 2, mounted: 0, there: 0, sent_bytes: 3145782 }"],
    );
    let said = go(&mut two.open(), "planner");
    check(&said, &[&one], &expect!["Copied { sent: 0, mounted: 0, there: 2, sent_bytes: 0 }"]);
    let there = two.open().manifest("planner", &digest).expect("it answers");
    assert_eq!(there.map(|it| it.digest), Some(digest.clone()));
    let said = copy(
        (&mut two.open(), "planner"),
        (&mut one.open(), "p"),
        &("sha256:".to_owned() + &"b".repeat(64)),
    );
    assert!(matches!(said, Err(RegistryError::Absent { .. })), "{said:?}");
}

#[test]
fn who_may_not_is_told() {
    let server = Server::start("auth: {htpasswd: {realm: r, path: FOLDER/htpasswd}}\n");
    let ask = |login: Option<(&str, &str)>| {
        let login = login.map(|(name, password)| Login {
            username: name.to_owned(),
            password: Secret::new(password),
        });
        let mut registry = Registry::new(server.host(), login);
        registry.manifest("planner", "1.0").map(|it| format!("{}", it.is_some()))
    };
    check(
        &ask(None),
        &[&server],
        &expect!["error: registry-0 does not let us read planner:1.0: nobody is signed in"],
    );
    check(
        &ask(Some(("mona", "wrong"))),
        &[&server],
        &expect![[
            r#"error: registry-0 does not let us read planner:1.0: UNAUTHORIZED: authentication required"#
        ]],
    );
    check(&ask(Some(("mona", "secret"))), &[&server], &expect!["false"]);
    let mut gone = Registry::new("127.0.0.1:1", None);
    let said = gone.manifest("planner", "1.0");
    assert!(matches!(said, Err(RegistryError::Unanswered { .. })), "{said:?}");
}
