//! The release of a version: what stands in it (pure), and that it stands there once.
//!
//! Ours is known by a mark that only we can have written: who wrote it is looked at, too. What stands between the mark
//! and its end is ours to change; what people write around it stays. What anybody else made is left alone.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};
use versions::{NoteGroup, NoteLine, Version, VersionRecord};

use crate::api::{ForgeError, GitHub, Method};
use crate::words::{cut, plain};

/// GitHub takes 125,000 characters; what people add stays within it.
const BODY_BYTES_MAX: usize = 90_000;
/// Artifacts that a release names, and deployments, the newest: the version's page has all.
const ARTIFACTS_MAX: usize = 30;
const DEPLOYMENTS_MAX: usize = 20;
/// Of the name of one.
const NAME_BYTES_MAX: usize = 100;
/// What ends the part that is ours.
const END: &str = "<!-- /launchway -->";

/// What a release is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// `v1.2.3`
    pub tag: String,
    /// The commit that it leads to.
    pub commit: String,
    /// It comes before a version.
    pub is_prerelease: bool,
    /// A person publishes it.
    pub is_draft: bool,
    /// By what it is known.
    pub mark: String,
    /// What is ours of its text, from the mark to the end.
    pub text: String,
}

/// Where things are that a release links.
#[derive(Clone, Debug)]
pub struct Linked<'l> {
    /// How people reach the server, `https://ci.example.com`.
    pub server: &'l str,
    /// `https://github.com`
    pub github: &'l str,
    /// The repository is a fork: numbers of pull requests in its commits may be those of another.
    pub is_fork: bool,
}

/// What was found of a version there.
#[derive(Clone, Debug, PartialEq)]
pub enum FoundRelease {
    /// One that we made.
    Ours(OurRelease),
    /// One that somebody else made: its page.
    Others(String),
    /// None.
    Nothing,
    /// Not even the tag.
    NoTag,
}

/// A release that we made.
#[derive(Clone, Debug, PartialEq)]
pub struct OurRelease {
    /// By what GitHub knows it.
    pub id: u64,
    /// Its page.
    pub url: String,
    body: String,
}

impl Release {
    /// The release of a version.
    pub fn of(record: &VersionRecord, linked: &Linked<'_>, is_draft: bool) -> Release {
        let version = &record.version;
        let mark = format!("<!-- launchway:version {} {} -->", version.repository, version.tag);
        let mut behind = links(record, linked);
        behind.push_str(END);
        let room = BODY_BYTES_MAX.saturating_sub(mark.len() + behind.len());
        let text = format!("{mark}\n{}{behind}", notes(record, linked, room));
        Release {
            tag: version.tag.clone(),
            commit: version.commit.clone(),
            is_prerelease: version.prerelease,
            is_draft,
            mark,
            text,
        }
    }

    /// What stands there with our part as it is now; none where it is that already, or has no such part any more.
    pub fn mended(&self, there: &OurRelease) -> Option<String> {
        // The editor on GitHub's page ends lines so.
        let body = there.body.replace("\r\n", "\n");
        let from = self.begins_in(&body)?;
        let to = from + body[from..].find(END)? + END.len();
        let is_same = body[from..to] == self.text;
        (!is_same).then(|| format!("{}{}{}", &body[..from], self.text, &body[to..]))
    }

    /// Where our part begins: the mark is a line of its own. What quotes it, as GitHub's own notes do with the title of
    /// a pull request, has it in one.
    fn begins_in(&self, body: &str) -> Option<usize> {
        let is_line = |at: &usize| {
            let (before, behind) = (&body[..*at], &body[at + self.mark.len()..]);
            (before.is_empty() || before.ends_with('\n'))
                && (behind.is_empty() || behind.starts_with(['\n', '\r']))
        };
        body.match_indices(&self.mark).map(|(at, _)| at).find(is_line)
    }
}

/// Lines as far as there is room, and how many there are besides.
fn notes(record: &VersionRecord, linked: &Linked<'_>, room: usize) -> String {
    let mut text = String::new();
    let mut more = record.notes.more;
    for NoteGroup { title, lines } in &record.notes.groups {
        let heading =
            if title.is_empty() { String::new() } else { format!("### {}\n\n", plain(title)) };
        let mut group = String::new();
        for line in lines {
            let line = note(record, linked, line);
            // A sentence about the rest fits in what is kept back.
            if text.len() + heading.len() + group.len() + line.len() + 40 > room {
                more += 1;
            } else {
                group.push_str(&line);
            }
        }
        if !group.is_empty() {
            let _ = writeln!(text, "{heading}{group}");
        }
    }
    if more > 0 {
        let _ = writeln!(text, "and {more} more\n");
    }
    text
}

fn note(record: &VersionRecord, linked: &Linked<'_>, line: &NoteLine) -> String {
    let number = match line.pull_request {
        Some(number) if linked.is_fork => format!(" (#<!-- -->{number})"),
        Some(number) => format!(" (#{number})"),
        None => String::new(),
    };
    let (commit, of) = (&line.commit, &record.version.repository);
    let short: String = commit.chars().take(7).collect();
    format!(
        "- {}{number} ([`{short}`]({}/{of}/commit/{commit}))\n",
        plain(&line.text),
        linked.github
    )
}

/// Where it comes from, and what came of it.
fn links(record: &VersionRecord, linked: &Linked<'_>) -> String {
    let mut text = String::new();
    let version = &record.version;
    let (server, github) = (linked.server, linked.github);
    if let Some(previous) = &record.previous {
        let (from, to) = (coded(previous), coded(&version.tag));
        let of = &version.repository;
        let _ = writeln!(
            text,
            "[All changes since {}]({github}/{of}/compare/{from}...{to})\n",
            plain(previous)
        );
    }
    if !record.deployments.is_empty() {
        text.push_str("| where it went | | |\n|---|---|---|\n");
    }
    for it in record.deployments.iter().take(DEPLOYMENTS_MAX) {
        let path = match it.by {
            event::ShippedBy::Deployment(id) => format!("deployments/{id}"),
            event::ShippedBy::Jobs(..) => format!("runs/{}", it.by),
        };
        let verdict = it.verdict.as_str().replace('_', " ");
        let (place, at) = (named(&it.environment), crate::owed::iso(it.at_ms));
        let _ =
            writeln!(text, "| {place} | {verdict}, {at} | [{}]({server}/{path}) |", it.by.named());
    }
    match record.deployments.len().saturating_sub(DEPLOYMENTS_MAX) {
        0 if record.deployments.is_empty() => {}
        0 => text.push('\n'),
        more => text.push_str(&format!("\nand {more} more before\n\n")),
    }
    let run = |it: &versions::RunOfVersion| {
        let file = it.workflow.rsplit('/').next().unwrap_or(&it.workflow);
        format!("[{} (run {})]({server}/runs/{})", plain(file), it.run, it.run)
    };
    let runs: Vec<String> = record.runs.iter().map(run).collect();
    let _ = writeln!(text, "Runs: {}\n", runs.join(", "));
    if !record.artifacts.is_empty() {
        let artifact = |it: &versions::VersionArtifact| {
            format!("[{}]({server}/runs/{})", named(&it.name), it.run)
        };
        let mut names: Vec<String> =
            record.artifacts.iter().take(ARTIFACTS_MAX).map(artifact).collect();
        let more = record.artifacts.len().saturating_sub(ARTIFACTS_MAX) + record.more_artifacts;
        if more > 0 {
            names.push(format!("and {more} more"));
        }
        let _ = writeln!(text, "Artifacts: {}\n", names.join(", "));
    }
    text
}

/// A name that others gave.
fn named(text: &str) -> String {
    plain(&cut(text, NAME_BYTES_MAX))
}

/// A tag as a part of an address.
fn coded(tag: &str) -> String {
    tag.replace('+', "%2B")
}

impl GitHub {
    /// What there is of a version.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn find_release(
        &self,
        repository: &str,
        release: &Release,
    ) -> Result<FoundRelease, ForgeError> {
        let tag = coded(&release.tag);
        match self.ask(Method::Get, repository, &format!("/releases/tags/{tag}"), None) {
            Ok(there) => return self.judged(&there.json, release),
            Err(ForgeError::Absent { .. }) => {}
            Err(error) => return Err(error),
        }
        // Drafts are found by no tag.
        let all = self.list(repository, "/releases", None)?;
        let mut others = None;
        for it in all.iter().filter(|it| it["tag_name"] == *release.tag) {
            match self.judged(it, release)? {
                FoundRelease::Others(url) => others = Some(url),
                found => return Ok(found),
            }
        }
        if let Some(url) = others {
            return Ok(FoundRelease::Others(url));
        }
        // Where the tag is gone GitHub would make it anew.
        match self.ask(Method::Get, repository, &format!("/git/ref/tags%2F{tag}"), None) {
            Ok(_) => Ok(FoundRelease::Nothing),
            Err(ForgeError::Absent { .. }) => Ok(FoundRelease::NoTag),
            Err(error) => Err(error),
        }
    }

    fn judged(&self, there: &Json, release: &Release) -> Result<FoundRelease, ForgeError> {
        let url = there["html_url"].as_str().unwrap_or_default().to_owned();
        let body = there["body"].as_str().unwrap_or_default().to_owned();
        if release.begins_in(&body).is_some() && self.wrote_by(&there["author"])? {
            let id = crate::tell::id_of(self, there)?;
            return Ok(FoundRelease::Ours(OurRelease { id, url, body }));
        }
        Ok(FoundRelease::Others(url))
    }

    /// Makes it. Whoever does not know whether it was made looks first.
    ///
    /// # Errors
    /// When GitHub does not take it, or nobody knows whether it did.
    pub fn make_release(
        &self,
        repository: &str,
        release: &Release,
    ) -> Result<OurRelease, ForgeError> {
        let body = json!({
            "tag_name": release.tag,
            "target_commitish": release.commit,
            "name": release.tag,
            "body": release.text,
            "draft": release.is_draft,
            "prerelease": release.is_prerelease,
            "make_latest": self.latest(repository, release)?,
        });
        let made = self.ask(Method::Post, repository, "/releases", Some(&body))?.json;
        Ok(OurRelease {
            id: crate::tell::id_of(self, &made)?,
            url: made["html_url"].as_str().unwrap_or_default().to_owned(),
            body: release.text.clone(),
        })
    }

    /// Whether it becomes the latest: a fix of an older line does not, nor what nobody published.
    fn latest(&self, repository: &str, release: &Release) -> Result<&'static str, ForgeError> {
        if release.is_draft || release.is_prerelease {
            return Ok("false");
        }
        let latest = match self.ask(Method::Get, repository, "/releases/latest", None) {
            Ok(latest) => latest.json,
            Err(ForgeError::Absent { .. }) => return Ok("true"),
            Err(error) => return Err(error),
        };
        let latest = latest["tag_name"].as_str().and_then(Version::of_tag);
        Ok(match latest.zip(Version::of_tag(&release.tag)) {
            Some((latest, own)) if own > latest => "true",
            Some(_) => "false",
            // What is no version has no order: GitHub's own rule.
            None => "legacy",
        })
    }

    /// Writes our part anew, and what stands around it as it is.
    ///
    /// # Errors
    /// When GitHub does not take it, or nobody knows whether it did.
    pub fn mend_release(
        &self,
        repository: &str,
        there: &OurRelease,
        body: &str,
    ) -> Result<(), ForgeError> {
        let path = format!("/releases/{}", there.id);
        self.ask(Method::Patch, repository, &path, Some(&json!({ "body": body }))).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use event::{Attempt, DeploymentId, RunId, ShippedBy, Timestamp, Verdict};
    use expect_test::expect;
    use versions::{
        Notes, RunOfVersion, Standing, VersionArtifact, VersionDeployment, VersionLine,
    };

    use super::*;

    fn record(lines: Vec<NoteLine>) -> VersionRecord {
        let shipped = |by, environment: &str| VersionDeployment {
            by,
            environment: environment.to_owned(),
            service: "web".to_owned(),
            verdict: Verdict::RolledBack,
            at_ms: Timestamp(1_772_366_399_000),
        };
        VersionRecord {
            version: VersionLine {
                repository: "octo/app".to_owned(),
                tag: "v1.2.0+5".to_owned(),
                prerelease: false,
                commit: "0123456789abcdef".to_owned(),
                by: None,
                at_ms: Timestamp(0),
                gone: false,
                standing: Standing::Succeeded,
                github: None,
            },
            previous: Some("v1.1.0".to_owned()),
            notes: Notes {
                groups: vec![NoteGroup { title: "New".to_owned(), lines }],
                more: 2,
                commits: 4,
            },
            runs: vec![RunOfVersion {
                run: "7.1".to_owned(),
                workflow: ".github/workflows/release.yml".to_owned(),
                conclusion: None,
            }],
            artifacts: vec![VersionArtifact {
                run: "7.1".to_owned(),
                name: "app [x](y)".to_owned(),
                size_bytes: 5,
                expires_at_ms: Timestamp(0),
            }],
            more_artifacts: 1,
            deployments: vec![
                shipped(ShippedBy::Deployment(DeploymentId(4)), "pro|d"),
                shipped(ShippedBy::Jobs(RunId(7), Attempt(1)), "staging"),
            ],
            no_release: None,
            behind_events: 0,
        }
    }

    fn line(text: &str, pull_request: Option<u64>) -> NoteLine {
        NoteLine { text: text.to_owned(), commit: "fedcba9876543210".to_owned(), pull_request }
    }

    fn of(record: &VersionRecord, is_fork: bool) -> Release {
        let (server, github) = ("https://ci.example.com", "https://github.com");
        Release::of(record, &Linked { server, github, is_fork }, false)
    }

    #[test]
    fn a_release_says_what_came_and_calls_nobody() {
        let lines = vec![line("say <b>hello</b> to @mona, see #12 and octo/other#7", Some(9))];
        let release = of(&record(lines.clone()), false);
        expect![[r#"
            <!-- launchway:version octo/app v1.2.0+5 -->
            ### New

            - say &lt;b\>hello&lt;/b\> to @<!-- -->mona, see #<!-- -->12 and octo/other#<!-- -->7 (#9) ([`fedcba9`](https://github.com/octo/app/commit/fedcba9876543210))

            and 2 more

            [All changes since v1.1.0](https://github.com/octo/app/compare/v1.1.0...v1.2.0%2B5)

            | where it went | | |
            |---|---|---|
            | pro\|d | rolled back, 2026-03-01T11:59:59Z | [deployment 4](https://ci.example.com/deployments/4) |
            | staging | rolled back, 2026-03-01T11:59:59Z | [run 7.1](https://ci.example.com/runs/7.1) |

            Runs: [release.yml (run 7.1)](https://ci.example.com/runs/7.1)

            Artifacts: [app \[x\](y)](https://ci.example.com/runs/7.1), and 1 more

            <!-- /launchway -->"#]].assert_eq(&release.text);
        assert!(of(&record(lines), true).text.contains("(#<!-- -->9)"));
    }

    #[test]
    fn there_is_room_for_what_github_takes() {
        let lines = (0..200).map(|_| line(&"@".repeat(200), None)).collect();
        let text = of(&record(lines), false).text;
        assert!(text.len() <= BODY_BYTES_MAX, "{}", text.len());
        let shown = text.lines().filter(|it| it.starts_with("- @")).count();
        // Two more there were already.
        assert!(shown > 0 && text.contains(&format!("\nand {} more\n", 202 - shown)), "{shown}");
        assert!(text.ends_with(END), "it has its end");
    }

    #[test]
    fn what_people_write_around_it_stays() {
        let release = of(&record(vec![line("one", None)]), false);
        let there = |body: String| OurRelease { id: 1, url: String::new(), body };
        assert_eq!(release.mended(&there(release.text.clone())), None);
        let web = format!("Hello\r\n{}\r\nBye", release.text.replace('\n', "\r\n"));
        assert_eq!(release.mended(&there(web)), None);
        let old = release.text.replace("one", "two");
        let mended = release.mended(&there(format!("Hello\n{old}\nBye")));
        assert_eq!(mended, Some(format!("Hello\n{}\nBye", release.text)));
        // Somebody took our end away, or all of it: it is theirs now.
        assert_eq!(release.mended(&there(release.mark.clone())), None);
        assert_eq!(release.mended(&there("Bye".to_owned())), None);
        // A title that says our mark is no part of ours.
        let quoted = format!("* {} by @hubot\n{old}", release.mark);
        let mended = format!("* {} by @hubot\n{}", release.mark, release.text);
        assert_eq!(release.mended(&there(quoted)), Some(mended));
        assert_eq!(release.begins_in(&format!("* {} by @hubot", release.mark)), None);
    }
}
