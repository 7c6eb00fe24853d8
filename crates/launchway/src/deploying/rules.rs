//! The rules of an environment: its level, what protects it, who may agree, with which keys. They are
//! read from the tip of the remote's default branch, now, and never from the commit that ships: that
//! one may ask for more, and not for less.

mod remembered;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use approval::Signers;
use event::{Digest, Rules};
use mask::MaskedText;
use repository::{Repository, Tip};
use settings::{Environment, FILE, Protect, Settings};
use syntax::Source;

use crate::exit::{Exit, Failure};

/// Whose keys are whose, beside the settings.
pub(crate) const SIGNERS: &str = ".launchway/allowed_signers";

/// The rules of one environment.
#[derive(Debug)]
pub(crate) struct Ruling {
    /// Where they stand.
    pub(crate) rules: Rules,
    /// Whether a remote said so: otherwise whoever has the clone can change them.
    pub(crate) is_remote: bool,
    /// The settings that they stand in.
    pub(crate) settings: Settings,
    /// Whose keys are whose.
    pub(crate) signers: Signers,
    name: Arc<str>,
    texts: Texts,
}

impl Ruling {
    /// Rules that were read elsewhere: from where, at which branch and commit.
    pub(crate) fn of(
        settings: Settings,
        signers: Signers,
        environment: &Environment,
        (source, branch, commit): (&str, &str, &str),
    ) -> Ruling {
        let rules = Rules {
            source: MaskedText::without_secrets(source),
            branch: branch.into(),
            commit: commit.into(),
            digest: digest(&settings, environment, &signers),
        };
        let name = Arc::clone(&environment.name.value);
        Ruling { rules, is_remote: true, settings, signers, name, texts: Texts::default() }
    }

    /// The environment, as the rules know it.
    pub(crate) fn environment(&self) -> &Environment {
        self.settings.environment(&self.name).expect("it was looked for when the rules were read")
    }

    /// Rules out of settings and keys, for tests.
    #[cfg(test)]
    pub(crate) fn testing(settings: Settings, signers: &str, name: &str) -> Ruling {
        let signers = Signers::read(signers).expect("keys without a mistake");
        let rules = Rules {
            source: MaskedText::without_secrets("a remote"),
            branch: "main".into(),
            commit: "c0ffee".into(),
            digest: Digest::ZERO,
        };
        Ruling {
            rules,
            is_remote: true,
            settings,
            signers,
            name: name.into(),
            texts: Texts::default(),
        }
    }

    /// Whether anything there wants people to agree: then where a release goes is a rule too.
    pub(crate) fn guards(&self) -> bool {
        self.settings.environments.iter().any(|it| !it.protect.reviewers.is_empty())
    }
}

/// Where the settings lie, for reading the rules again.
#[derive(Clone, Debug)]
pub(crate) struct Where {
    /// The settings' file.
    pub(crate) file: PathBuf,
    pub(crate) environment: Arc<str>,
}

impl Where {
    /// Reads the rules, asking the remote.
    pub(crate) fn read(&self) -> Result<Ruling, Failure> {
        let folder = crate::settings_file::folder(&self.file);
        let (read, at) = match Repository::discover(&folder) {
            Err(
                repository::RepositoryError::NotARepository { .. }
                | repository::RepositoryError::NoCommit { .. },
            ) => (self.read_own()?, None),
            Err(error) => return Err(error.into()),
            Ok(repository) => {
                let tip = repository.default_tip().map_err(|error| {
                    let hint = error.hint();
                    let error = anyhow::Error::new(error);
                    Failure::caused(Exit::Missing, error.context("the rules cannot be read"))
                        .hint(hint)
                })?;
                match at_tip(&tip, &repository, &self.file)? {
                    Some(read) => (read, Some(tip)),
                    // The project is new there: nothing rules it yet but what it says itself.
                    None => (self.read_own()?, Some(tip)),
                }
            }
        };
        self.rule(read, at.as_ref())
    }

    /// The rules that lie here, asking nobody.
    pub(crate) fn own(&self) -> Result<Ruling, Failure> {
        self.rule(self.read_own()?, None)
    }

    fn read_own(&self) -> Result<Read, Failure> {
        let text = read_file(&self.file)?;
        let signers = crate::settings_file::folder(&self.file).join(SIGNERS);
        let signers = if signers.exists() { read_file(&signers)? } else { String::new() };
        Read::new(&self.file.display().to_string(), text, signers)
    }

    fn rule(&self, read: Read, tip: Option<&Tip>) -> Result<Ruling, Failure> {
        let text = |text: &str| MaskedText::without_secrets(text);
        let rules = match tip {
            Some(tip) => Rules {
                source: text(&tip.source),
                branch: tip.branch.as_str().into(),
                commit: tip.commit.as_str().into(),
                digest: Digest::ZERO,
            },
            None => Rules {
                source: text("launchway.yml, which no repository keeps"),
                branch: "".into(),
                commit: "".into(),
                digest: Digest::ZERO,
            },
        };
        self.rule_of(read, rules, (&place_of(tip), tip.is_some_and(|tip| tip.is_remote)))
    }

    /// The rules of a place; their digest is made here.
    fn rule_of(
        &self,
        read: Read,
        mut rules: Rules,
        (place, is_remote): (&str, bool),
    ) -> Result<Ruling, Failure> {
        let Some(environment) = read.settings.environment(&self.environment) else {
            let message = format!("{place} knows no environment {}", self.environment);
            return Err(Failure::new(Exit::Forbidden, message)
                .hint("who may deploy where is decided there: merge it first"));
        };
        let signers = match Signers::read(&read.texts.signers) {
            Ok(signers) => signers,
            // Where nobody has to agree, nobody needs a key.
            Err(_) if environment.protect.reviewers.is_empty() => Signers::default(),
            Err(errors) => return Err(unread(&errors[0], place)),
        };
        rules.digest = digest(&read.settings, environment, &signers);
        let name = Arc::clone(&self.environment);
        let Read { settings, texts } = read;
        Ok(Ruling { rules, is_remote, settings, signers, name, texts })
    }
}

struct Read {
    settings: Settings,
    texts: Texts,
}

/// What the rules were read out of.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Texts {
    settings: String,
    signers: String,
}

impl Read {
    fn new(place: &str, settings: String, signers: String) -> Result<Read, Failure> {
        let texts = Texts { settings, signers };
        Ok(Read { settings: parse(place, &texts.settings)?, texts })
    }
}

/// A line of the keys that does not read: none is passed over.
fn unread(error: &approval::LineError, place: &str) -> Failure {
    let why = error.source.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
    Failure::new(Exit::Refused, format!("{SIGNERS} of {place}: {error}{why}"))
        .hint("one person a line: NAME ssh-ed25519 KEY; docs/approvals.md")
}

/// What people call the place that rules stand at.
fn place_of(tip: Option<&Tip>) -> String {
    match tip {
        Some(tip) if tip.is_remote => format!("{} of {}", tip.branch, tip.source),
        Some(tip) => format!("{} of this repository", tip.branch),
        None => "launchway.yml".to_owned(),
    }
}

fn read_file(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        let context = format!("cannot read {}", path.display());
        Failure::caused(Exit::Missing, anyhow::Error::new(error).context(context))
    })
}

fn parse(name: &str, text: &str) -> Result<Settings, Failure> {
    let (settings, _) = settings::read(&Source::new(name, text));
    settings.ok_or_else(|| {
        Failure::new(Exit::Refused, format!("{name} has mistakes"))
            .hint("the rules stand there: nothing is deployed before they can be read")
    })
}

/// The settings and keys at the tip; none where nothing is ruled there yet.
fn at_tip(tip: &Tip, repository: &Repository, file: &Path) -> Result<Option<Read>, Failure> {
    let unread = |error: repository::TipError| {
        let hint = error.hint();
        Failure::caused(Exit::Missing, anyhow::Error::new(error)).hint(hint)
    };
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let (root, file) = (real(&repository.root), real(file));
    let path = file.strip_prefix(&root).ok().map(|it| it.display().to_string());
    let text = match &path {
        Some(path) => tip.file(path).map_err(unread)?,
        None => None,
    };
    let (Some(text), Some(path)) = (text, path) else {
        let others = tip.called(FILE).map_err(unread)?;
        let Some(other) = others.first() else { return Ok(None) };
        let message = format!(
            "{} is not on {}, and {other} is: who may deploy is decided there",
            file.display(),
            place_of(Some(tip))
        );
        return Err(Failure::new(Exit::Forbidden, message).hint("merge it there first"));
    };
    let folder = Path::new(&path).parent().unwrap_or(Path::new(""));
    let signers = tip.file(&folder.join(SIGNERS).display().to_string()).map_err(unread)?;
    let place = format!("{path} of {}", place_of(Some(tip)));
    Read::new(&place, text, signers.unwrap_or_default()).map(Some)
}

/// Of everything that a deployment there is held to. A member more, a key less, another time to wait:
/// all of it makes it another.
fn digest(settings: &Settings, environment: &Environment, signers: &Signers) -> Digest {
    let Protect { reviewers, authors, wait, branches, tags, confirm, windows, freezes, checks } =
        &environment.protect;
    let list = |values: &[settings::Text]| {
        values.iter().map(|it| format!(" {:?}", it.value)).collect::<String>()
    };
    let mut text = format!(
        "project {:?}\nenvironment {:?}\nlevel {}\n",
        settings.project.value, environment.name.value, environment.level.value
    );
    for quorum in reviewers {
        text += &format!("reviewers {:?} {}\n", quorum.group.value, quorum.count.value);
        for name in members(settings, &quorum.group.value) {
            text += &format!("member {:?}\n", name.value);
            text += &signers.called(&name.value).map_or_else(String::new, approval::Person::text);
        }
    }
    let wait = wait.as_ref().map_or(0, |wait| wait.value.as_millis());
    let confirm = confirm.as_ref().map_or("", |word| &*word.value);
    text += &format!("authors {}\nwait {wait}\nconfirm {confirm:?}\n", authors.value);
    text += &format!("branches{}\ntags{}\nchecks{}\n", list(branches), list(tags), list(checks));
    for it in windows {
        let days: String = it.days.iter().map(|day| format!(" {:?}", day.value)).collect();
        let (from, to, zone) = (it.from_minute.value, it.to_minute.value, &it.zone.value);
        text += &format!("window{days} {from} {to} {zone:?}\n");
    }
    for it in freezes {
        text += &format!("freeze {} {}\n", it.from_s.value, it.to_s.value);
    }
    Digest::of(text.as_bytes())
}

/// The people of a group.
pub(crate) fn members<'s>(settings: &'s Settings, group: &str) -> &'s [settings::Text] {
    let group = settings.groups.iter().find(|it| *it.name.value == *group);
    group.map_or(&[], |group| &group.people)
}
