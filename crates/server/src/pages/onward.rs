//! What could be shipped to an environment now, and what that would change: up from the environment below, and back to
//! what ran well before. The server ships nothing itself: each is a command, typed where the project is.

use event::{KnownRelease, Release};
use views::{Ledger, ServiceLedger};

/// Services of which one way tells; the command is about all of them.
const SERVICES_MAX: usize = 12;
/// Digits by which people know a commit, and a digest.
const COMMIT_DIGITS: usize = 7;
const DIGEST_DIGITS: usize = 12;

/// A way on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Onward {
    /// `promote` or `rollback`: of each an environment has one.
    pub(super) kind: &'static str,
    pub(super) what: String,
    pub(super) command: String,
    /// What it would change.
    pub(super) changes: Vec<Change>,
    /// Services more that it would change.
    pub(super) more: usize,
}

/// What would change of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) service: String,
    /// What runs, as far as is known.
    pub(super) from: String,
    pub(super) to: String,
}

/// The ways that lead on in an environment; those that would change nothing are none. `services` are
/// those of the settings, which the commands choose among, `state` is where the journal lies, `below` the environment that is promoted from, with what is there.
pub(super) fn onward(
    environment: &str,
    services: &[String],
    here: &Ledger,
    below: Option<(&str, &Ledger)>,
    state: &str,
) -> Vec<Onward> {
    let name = word(environment);
    let up = below.map(|(from, below)| {
        let changes = changes(services, below, here, ServiceLedger::runs_well);
        let command = format!("launchway promote {name} --state {}", word(state));
        Onward::of("promote", format!("Promote what runs well in {from}"), command, changes)
    });
    let back = changes(services, here, here, ServiceLedger::previous);
    let command =
        format!("launchway rollback {name} --to previous --reason \"...\" --state {}", word(state));
    let back =
        Onward::of("rollback", "Roll back to what ran well before".to_owned(), command, back);
    up.into_iter().chain([back]).filter(|it| !it.changes.is_empty()).collect()
}

impl Onward {
    fn of(kind: &'static str, what: String, command: String, mut changes: Vec<Change>) -> Onward {
        let more = changes.len().saturating_sub(SERVICES_MAX);
        changes.truncate(SERVICES_MAX);
        Onward { kind, what, command, changes, more }
    }
}

/// Where what one ledger gives to one of `services` is not what runs here.
fn changes(
    services: &[String],
    from: &Ledger,
    here: &Ledger,
    choose: impl Fn(&ServiceLedger) -> Option<&KnownRelease>,
) -> Vec<Change> {
    let is_there = |name: &str| services.iter().any(|it| it == name);
    let of =
        from.services.iter().filter(|(name, _)| is_there(name)).filter_map(|(name, service)| {
            let to = &choose(service)?.release;
            let runs = here.services.get(name).and_then(|it| it.runs.as_ref());
            let runs = runs.map(|it| &it.release.release);
            let change = || Change {
                service: name.to_string(),
                from: runs.map_or_else(|| "nothing that is known".to_owned(), told),
                to: told(to),
            };
            runs.is_none_or(|it| it.digest != to.digest).then(change)
        });
    of.collect()
}

/// `1.2 (0123abc, sha256:0123456789ab)`
fn told(release: &Release) -> String {
    let commit = release.commit.as_ref();
    let commit = commit.map(|it| it.chars().take(COMMIT_DIGITS).collect::<String>());
    let digest = match release.digest.split_once(':') {
        Some((kind, digits)) => {
            format!("{kind}:{}", digits.chars().take(DIGEST_DIGITS).collect::<String>())
        }
        None => release.digest.chars().take(DIGEST_DIGITS).collect(),
    };
    let known: Vec<String> = commit.into_iter().chain([digest]).collect();
    format!("{} ({})", release.version, known.join(", "))
}

/// A word of a command, quoted for a shell where it has to be: a name of somebody else's is one word, whatever
/// stands in it.
pub(super) fn word(text: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_./:@".contains(it);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use event::{DeploymentId, DeploymentKind, Timestamp, Verdict};
    use expect_test::{Expect, expect};
    use views::{ReleaseLine, Running};

    use super::*;

    /// `api 3* 2+ 1-`: what runs, what ran well, what did not; newest first.
    fn ledger(script: &str) -> Ledger {
        let mut ledger = Ledger::default();
        for line in script.split(';').map(str::trim).filter(|it| !it.is_empty()) {
            let mut words = line.split(' ');
            let service = words.next().expect("a service");
            let of = ledger.services.entry(service.into()).or_default();
            for it in words {
                let (version, sign) = it.split_at(it.len() - 1);
                let release = Release {
                    version: version.into(),
                    digest: format!("sha256:{version:0<64}").into(),
                    location: None,
                    commit: Some(format!("{version:0<40}").into()),
                };
                let known =
                    KnownRelease { release: release.clone(), handle: "x".into(), adopted: false };
                let (deployment, at) = (DeploymentId(1), Timestamp(1));
                if sign == "*" {
                    let release = known.clone();
                    of.runs = Some(Running { release, deployment, since: at, is_unsure: false });
                }
                if sign != "-" && of.last_good.is_none() {
                    of.last_good = Some(known.clone());
                }
                of.releases.push(ReleaseLine {
                    release,
                    known: (sign != "-").then_some(known),
                    deployment,
                    kind: DeploymentKind::Release,
                    verdict: Verdict::Succeeded,
                    at,
                });
            }
        }
        ledger
    }

    fn check(environment: &str, here: &str, below: Option<&str>, expect: Expect) {
        let services = ["api".to_owned(), "web".to_owned()];
        let below = below.map(ledger);
        let below = below.as_ref().map(|it| ("staging", it));
        let mut text = String::new();
        for it in onward(environment, &services, &ledger(here), below, "/srv/launchway") {
            let _ = writeln!(text, "{}: {}", it.what, it.command);
            for it in it.changes {
                let _ = writeln!(text, "  {}: {} -> {}", it.service, it.from, it.to);
            }
        }
        expect.assert_eq(&text);
    }

    #[test]
    fn the_way_up_and_the_way_back_say_what_they_change() {
        check(
            "production",
            "api 2* 1+; web 2*",
            Some("api 3*; web 2*"),
            expect![[r#"
            Promote what runs well in staging: launchway promote production --state /srv/launchway
              api: 2 (2000000, sha256:200000000000) -> 3 (3000000, sha256:300000000000)
            Roll back to what ran well before: launchway rollback production --to previous --reason "..." --state /srv/launchway
              api: 2 (2000000, sha256:200000000000) -> 1 (1000000, sha256:100000000000)
        "#]],
        );
        // Nothing ran there yet; what failed is no way back, and what runs well is.
        check(
            "production",
            "",
            Some("api 3- 2+"),
            expect![[r#"
            Promote what runs well in staging: launchway promote production --state /srv/launchway
              api: nothing that is known -> 2 (2000000, sha256:200000000000)
        "#]],
        );
        check(
            "production",
            "api 3* 2- 1+",
            None,
            expect![[r#"
            Roll back to what ran well before: launchway rollback production --to previous --reason "..." --state /srv/launchway
              api: 3 (3000000, sha256:300000000000) -> 1 (1000000, sha256:100000000000)
        "#]],
        );
        // The settings have no worker any longer: neither command touches it.
        check("production", "worker 2* 1+", Some("worker 3*"), expect![""]);
        check("production", "api 3* 2-", Some("api 3*"), expect![""]);
        check(
            "it's; rm",
            "api 2* 1+",
            None,
            expect![[r#"
            Roll back to what ran well before: launchway rollback 'it'\''s; rm' --to previous --reason "..." --state /srv/launchway
              api: 2 (2000000, sha256:200000000000) -> 1 (1000000, sha256:100000000000)
        "#]],
        );
    }
}
