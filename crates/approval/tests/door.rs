//! Approvals at their door: keys and signatures of the real ssh-keygen, and whatever else comes.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the crate is pure; its tests ask ssh-keygen"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use approval::{
    DEPLOYMENT, Decision, Handed, Key, REQUEST, RequestStatement, Signers, Statement, verify,
};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use event::{DeploymentId, Digest, Timestamp};
use expect_test::{Expect, expect};
use sha2::{Digest as _, Sha256, Sha512};

const MONA: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEYPKvrVQsuzSOF3ydj9G28wOr1Yi1Nk6/b7BAONuNIN";
const HUBOT: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPwbDe6vbcMIBbyALyuaE0aYS83WL7RkpEMdYICZHAnj";

fn keygen(args: &[&str]) -> std::process::Output {
    let output = Command::new("ssh-keygen").args(args).stdin(Stdio::null()).output();
    output.expect("ssh-keygen is there")
}

/// A key of a kind in a folder.
fn make(folder: &Path, kind: &str, bits: &str) -> PathBuf {
    let path = folder.join(format!("{kind}-{bits}"));
    let name = path.display().to_string();
    let made = keygen(&["-q", "-t", kind, "-b", bits, "-N", "", "-C", "", "-f", &name]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    path
}

fn sign(key: &Path, namespace: &str, text: &str, options: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("text");
    std::fs::write(&file, text).expect("a file");
    let (key, file) = (key.display().to_string(), file.display().to_string());
    let head = ["-Y", "sign", "-q", "-n", namespace, "-f", &key];
    let signed = keygen(&[&head[..], options, &[&file]].concat());
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    std::fs::read_to_string(format!("{file}.sig")).expect("a signature")
}

fn words(result: Result<Key, approval::SignatureError>) -> String {
    match result {
        Ok(_) => "good".to_owned(),
        Err(error) => {
            let source = std::error::Error::source(&error).map(|it| format!(": {it}"));
            format!("{error}{}", source.unwrap_or_default())
        }
    }
}

#[test]
fn signatures_of_every_kind_that_ssh_keygen_makes_are_verified() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "launchway deployment approval 1\n";
    let kinds = [
        ("ed25519", "256"),
        ("ecdsa", "256"),
        ("ecdsa", "384"),
        ("ecdsa", "521"),
        ("rsa", "2048"),
        ("rsa", "3072"),
    ];
    for (kind, bits) in kinds {
        let path = make(folder.path(), kind, bits);
        let public = std::fs::read_to_string(path.with_extension("pub")).expect("a public key");
        let mut parts = public.split_whitespace();
        let (name, base64) = (parts.next().expect("a kind"), parts.next().expect("a key"));
        let known = Key::read(name, base64).expect("a key that counts");
        for hash in ["sha256", "sha512"] {
            let signature = sign(&path, DEPLOYMENT, text, &["-O", &format!("hashalg={hash}")]);
            assert_eq!(verify(DEPLOYMENT, text, &signature), Ok(known.clone()), "{kind} {bits}");
            let other = verify(DEPLOYMENT, "launchway deployment approval 1", &signature);
            assert_eq!(words(other), "the signature does not fit what it should be over");
        }
        let fingerprint = keygen(&["-l", "-f", &path.display().to_string()]);
        let fingerprint = String::from_utf8_lossy(&fingerprint.stdout).into_owned();
        assert!(fingerprint.contains(&known.fingerprint()), "{fingerprint}");
        assert_eq!(known.openssh(), format!("{name} {base64}"));
    }
}

#[test]
fn signatures_for_something_else_prove_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = make(folder.path(), "ed25519", "256");
    let text = "yes\n";
    let git = sign(&key, "git", text, &[]);
    let check = |signature: &str, expect: &Expect| {
        expect.assert_eq(&words(verify(DEPLOYMENT, text, signature)));
    };
    check(&git, &expect!["it was made for `git`, not for `launchway-deployment@1`"]);
    check(
        &sign(&key, REQUEST, text, &[]),
        &expect!["it was made for `launchway-request@1`, not for `launchway-deployment@1`"],
    );
    let good = sign(&key, DEPLOYMENT, text, &[]);
    check(&good, &expect!["good"]);
    check(&format!("{good}more"), &expect!["it is no signature of ssh-keygen -Y sign"]);
    check(&good.replace("\nU1NI", "\nU1NJ"), &expect!["it is no signature of ssh-keygen -Y sign"]);
    check("", &expect!["it is no signature of ssh-keygen -Y sign"]);
    // One bit of each byte, anywhere: never good, never a panic.
    let blob = good.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let blob = STANDARD.decode(blob).expect("base64");
    for at in 0..blob.len() {
        let mut changed = blob.clone();
        changed[at] ^= 1;
        assert!(verify(DEPLOYMENT, text, &armoured(&changed)).is_err(), "byte {at}");
        assert!(verify(DEPLOYMENT, text, &armoured(&blob[..at])).is_err(), "cut at {at}");
    }
    let longer = [&blob[..], b"x"].concat();
    check(
        &armoured(&longer),
        &expect!["the signature's bytes do not read: the bytes end too soon, or go on too long"],
    );
    // A short RSA key.
    let made = folder.path().join("short");
    let args = ["-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", &made.display().to_string()];
    if keygen(&args).status.success() {
        check(
            &sign(&made, DEPLOYMENT, text, &[]),
            &expect!["its key does not count: an RSA key of 1024 bits is too short: at least 2048"],
        );
    }
}

fn armoured(blob: &[u8]) -> String {
    let text = STANDARD.encode(blob);
    format!("-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----\n")
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short");
    [&length.to_be_bytes()[..], bytes].concat()
}

fn number(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let rest = &bytes[zeros..];
    let sign: &[u8] = if rest[0] >= 0x80 { &[0] } else { &[] };
    string(&[sign, rest].concat())
}

/// What a security key would sign: nobody has one in a test, so one is played (PROTOCOL.u2f).
fn played(kind: &str, point: &[u8], flags: u8, sign: &dyn Fn(&[u8]) -> Vec<u8>) -> String {
    let application = b"ssh:";
    let mut key = string(kind.as_bytes());
    if kind.starts_with("sk-ecdsa") {
        key.extend(string(b"nistp256"));
    }
    key.extend(string(point));
    key.extend(string(application));
    let parts = [DEPLOYMENT.as_bytes(), b"", b"sha512", &Sha512::digest("yes\n")];
    let data = [b"SSHSIG".to_vec(), parts.into_iter().flat_map(string).collect()].concat();
    let mut signed = Sha256::digest(application).to_vec();
    signed.push(flags);
    signed.extend(7_u32.to_be_bytes());
    signed.extend(Sha256::digest(data));
    let mut signature = string(kind.as_bytes());
    signature.extend(string(&sign(&signed)));
    signature.push(flags);
    signature.extend(7_u32.to_be_bytes());
    let rest = [&key[..], DEPLOYMENT.as_bytes(), b"", b"sha512", &signature];
    let rest: Vec<u8> = rest.into_iter().flat_map(string).collect();
    armoured(&[&b"SSHSIG"[..], &1_u32.to_be_bytes(), &rest].concat())
}

#[test]
fn security_keys_count_when_somebody_touched_them() {
    let ed25519 = Ed25519KeyPair::generate().expect("a key");
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let ecdsa = EcdsaKeyPair::generate(algorithm).expect("a key");
    let by_ed25519 = |data: &[u8]| ed25519.sign(data).as_ref().to_vec();
    let by_ecdsa = |data: &[u8]| {
        let signature = ecdsa.sign(&random, data).expect("it signs");
        let (r, s) = signature.as_ref().split_at(32);
        [number(r), number(s)].concat()
    };
    for (flags, expected) in [(1, "good"), (5, "good"), (0, "does not fit"), (4, "does not fit")] {
        let (one, two) = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com");
        let points = (ed25519.public_key().as_ref(), ecdsa.public_key().as_ref());
        for signature in
            [played(one, points.0, flags, &by_ed25519), played(two, points.1, flags, &by_ecdsa)]
        {
            let said = words(verify(DEPLOYMENT, "yes\n", &signature));
            assert!(said.contains(expected), "flags {flags}: {said}");
        }
    }
}

fn check_signers(text: &str, expect: &Expect) {
    let said = match Signers::read(text) {
        Ok(signers) => {
            let people = signers.people().iter();
            people.map(|it| format!("{} ({} keys)\n", it.names.join(", "), it.keys.len())).collect()
        }
        Err(errors) => errors
            .iter()
            .map(|it| {
                let why = it.source.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
                format!("{it}{why}\n")
            })
            .collect::<String>(),
    };
    expect.assert_eq(&said);
}

#[test]
fn lines_that_share_a_name_or_a_key_are_one_person() {
    check_signers(
        &format!("# who\n\nmona,mona@example.com {MONA} laptop\nhubot {HUBOT}\n"),
        &expect![[r#"
            mona, mona@example.com (1 keys)
            hubot (1 keys)
        "#]],
    );
    check_signers(
        &format!("mona {MONA}\nMona {HUBOT}\n"),
        &expect![[r#"
        mona (2 keys)
    "#]],
    );
    check_signers(
        &format!("mona {MONA}\nm.smith {MONA}\nhubot {HUBOT}\n"),
        &expect![[r#"
        mona, m.smith (2 keys)
        hubot (1 keys)
    "#]],
    );
    check_signers(
        &format!("a,b {MONA}\nc {HUBOT}\nb,c {MONA}\n"),
        &expect![[r#"
        a, b, c (3 keys)
    "#]],
    );
}

#[test]
fn a_line_that_does_not_read_is_named() {
    check_signers(
        &format!("*@example.com {MONA}\n"),
        &expect![[r#"
        line 1: `*@example.com` names nobody: write every name out
    "#]],
    );
    check_signers(
        &format!("mona cert-authority {MONA}\n"),
        &expect![[r#"
        line 1: certificates do not count here: name the keys
    "#]],
    );
    check_signers(
        &format!("mona valid-after=\"20260101\" {MONA}\n"),
        &expect![[r#"
        line 1: `20260101` is in nobody's time zone: say it in UTC, with a Z behind
    "#]],
    );
    check_signers(
        &format!("mona valid-after=\"20261399Z\" {MONA}\n"),
        &expect![[r#"
        line 1: `20261399Z` is no moment: YYYYMMDDHHMMZ
    "#]],
    );
    check_signers(
        &format!("mona no-touch-required {MONA}\n"),
        &expect![[r#"
        line 1: `no-touch-required` is no option of this file
    "#]],
    );
    check_signers(
        &format!("mona namespaces=\"git {MONA}\n"),
        &expect![[r#"
        line 1: a quote is not closed
    "#]],
    );
    check_signers(
        "mona\n",
        &expect![[r#"
        line 1: it has no key
    "#]],
    );
    check_signers(
        "mona ssh-ed25519\n",
        &expect![[r#"
        line 1: it has no key
    "#]],
    );
    check_signers(
        "mona ssh-ed25519 AAAA\n",
        &expect![[r#"
        line 1: its key does not count: the key's bytes are not those of a public key
    "#]],
    );
    check_signers(
        &format!("mona {}\n", MONA.replace("ssh-ed25519", "ssh-rsa")),
        &expect![[r#"
        line 1: its key does not count: it says ssh-rsa, and is ssh-ed25519
    "#]],
    );
    let dss = STANDARD.encode([string(b"ssh-dss"), string(b"x")].concat());
    check_signers(
        &format!("mona ssh-dss {dss}\n"),
        &expect![[r#"
        line 1: its key does not count: keys of the kind ssh-dss do not count: use ed25519, ecdsa, rsa, or a security key
    "#]],
    );
}

#[test]
fn a_key_counts_for_its_namespaces_and_in_its_time() {
    let text = format!(
        "mona namespaces=\"git,launchway-deployment@1\",valid-after=\"202601010000Z\",valid-before=\"20270101Z\" {MONA}\n"
    );
    let signers = Signers::read(&text).expect("it reads");
    let (_, base64) = MONA.split_once(' ').expect("two words");
    let key = Key::read("ssh-ed25519", base64).expect("a key");
    let (person, keys) = signers.owner(&key).expect("it is hers");
    assert_eq!(person.name(), "mona");
    let at = |text: &str| {
        let moment: jiff::Timestamp = text.parse().expect("a moment");
        Timestamp(u64::try_from(moment.as_millisecond()).expect("after 1970"))
    };
    for (namespace, moment, counts) in [
        (DEPLOYMENT, "2026-06-01T00:00:00Z", true),
        (REQUEST, "2026-06-01T00:00:00Z", false),
        (DEPLOYMENT, "2025-12-31T23:59:59Z", false),
        (DEPLOYMENT, "2026-01-01T00:00:00Z", true),
        (DEPLOYMENT, "2027-01-01T00:00:00Z", false),
    ] {
        let found = keys.iter().any(|key| key.counts(namespace, at(moment)));
        assert_eq!(found, counts, "{namespace} {moment}");
    }
    assert!(person.is_called("MONA") && person.is_called("1+mona@users.noreply.github.com"));
    assert!(!person.is_called("mona@example.com"));
}

fn statement() -> Statement<'static> {
    Statement {
        decision: Decision::Approve,
        reason: None,
        project: "planner",
        environment: "production",
        deployment: DeploymentId(12),
        by: "mona",
        requested_at: Timestamp(1_795_435_200_123),
        plan: Digest::of(b"plan"),
        rules: Digest::of(b"rules"),
        gate: "approval/devops",
        expires: Timestamp(1_795_521_600_000),
    }
}

#[test]
fn one_decision_has_one_text() {
    expect![[r#"
        launchway deployment approval 1
        decision: approve
        project: planner
        environment: production
        deployment: 12
        requested by: mona
        requested at: 2026-11-23T12:00:00.123Z
        plan: 64879f7d6b960a01909762d911a32d4582c20010c5641ee90278b644a9e3b525
        rules: 6c621d1a05138a7888d37d9269a9da8e2e11e4aced2f6cfd24b05ab1b9e61bb0
        gate: approval/devops
        expires: 2026-11-24T12:00:00Z
    "#]]
    .assert_eq(&statement().text());
    let reject =
        Statement { decision: Decision::Reject, reason: Some("not on a friday"), ..statement() };
    expect![[r#"
        launchway deployment approval 1
        decision: reject
        reason: not on a friday
    "#]]
    .assert_eq(reject.text().split_once("project").expect("it has one").0);
    let request = RequestStatement {
        project: "planner",
        environment: "production",
        requested_at: Timestamp(1_795_435_200_123),
        rules: Digest::of(b"rules"),
        releases: vec![("api", "sha256:1"), ("we\nb", "sha256:2")],
    };
    expect![[r#"
        launchway deployment request 1
        project: planner
        environment: production
        requested at: 2026-11-23T12:00:00.123Z
        rules: 6c621d1a05138a7888d37d9269a9da8e2e11e4aced2f6cfd24b05ab1b9e61bb0
        release: api sha256:1
        release: we\nb sha256:2
    "#]]
    .assert_eq(&request.text());
}

#[test]
fn what_was_signed_is_compared_byte_for_byte() {
    let text = statement().text();
    let check = |text: &str, expect: &Expect| {
        let said = match statement().must_be(text) {
            Ok(()) => "the same".to_owned(),
            Err(difference) => difference.to_string(),
        };
        expect.assert_eq(&said);
    };
    check(&text, &expect!["the same"]);
    check(
        &text.replace("deployment: 12", "deployment: 13"),
        &expect!["it is for another deployment: it says `13`, and it has to be `12`"],
    );
    check(
        &text.replace("production", "staging"),
        &expect!["it is for another environment: it says `staging`, and it has to be `production`"],
    );
    check(
        &text.replace("gate: approval/devops", "gate: approval/leads"),
        &expect![
            "it is for another gate: it says `approval/leads`, and it has to be `approval/devops`"
        ],
    );
    check(
        &format!("{text}\n"),
        &expect!["what was signed is not the text of this approval, byte for byte"],
    );
    check(
        &format!("{text}more: yes\n"),
        &expect!["what was signed is not the text of this approval, byte for byte"],
    );
    check(
        text.trim_end(),
        &expect!["what was signed is not the text of this approval, byte for byte"],
    );
    check(
        &text.replace('\n', "\r\n"),
        &expect!["what was signed is not the text of this approval, byte for byte"],
    );
    check(
        &text.replace("project", "Project"),
        &expect!["what was signed is not the text of this approval, byte for byte"],
    );
    check("yes\n", &expect!["what was signed is no approval of a deployment"]);
    let claims = Statement::claims(&text).expect("it claims something");
    let claimed = (claims.decision, claims.gate, claims.expires);
    assert_eq!(claimed, (Decision::Approve, "approval/devops", Timestamp(1_795_521_600_000)));
    assert_eq!(Statement::claims("decision: maybe\n"), None);
}

#[test]
fn a_file_holds_one_text_and_one_signature() {
    let signature = armoured(b"x");
    let handed = Handed::read(&format!("yes\n{signature}")).expect("both are there");
    assert_eq!((&*handed.text, &handed.signature), ("yes\n", &signature));
    assert_eq!(handed.write(), format!("yes\n{signature}"));
    let error = |text: &str| Handed::read(text).expect_err("it is none").to_string();
    assert_eq!(error("yes\n"), "there is no SSH signature in it");
    assert_eq!(
        error(&format!("{signature}{signature}")),
        "there is more than one SSH signature in it"
    );
    assert_eq!(error(&"x".repeat(70_000)), "it has more than 65536 bytes");
}
