//! Which jobs are kept in on this machine, and what is hidden from them.

pub(crate) mod job_user;
pub(crate) mod limits;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use docker::Engine;
use event::Terms;
use mask::MaskedText;
use protocol::{JobLimits, JobUser, MachineLimits, Walls};
use sandbox::Support;
use scheduler::{TrustedJobs, TrustedLabel};

use crate::exit::{Exit, Failure};
use crate::running::walls::job_user::Own;
use crate::serving::data::backup;
use crate::serving::drive::gates::Guarded;
use crate::terminal::style::talk;

/// Variables that name files, or folders of files, that let somebody in: of systemd, PostgreSQL, AWS, and those
/// of programs that whoever started us may have set up likewise.
const SECRETS_VARIABLES: [&str; 10] = [
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "CREDENTIALS_DIRECTORY",
    "DOCKER_CONFIG",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "KUBECONFIG",
    "NETRC",
    "PGPASSFILE",
];

/// Labels that are named of those whose jobs are kept in otherwise.
const LABELS_SAID_MAX: usize = 5;
/// Of how jobs are kept in a runner says no more (`protocol`).
const SAID_CHARS_MAX: usize = 400;

/// Refuses what cannot be opened to jobs behind walls: what is not there, and what the folder `own` of this
/// server or runner lies in or around, with its tokens, its journal and its keys. `opened` has the flags.
pub(crate) fn check_opened(opened: &[(&str, &[PathBuf])], own: &Path) -> Result<(), Failure> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let own = real(own);
    for (flag, path) in opened.iter().flat_map(|(flag, all)| all.iter().map(move |it| (flag, it))) {
        let refused =
            |why: &str| Failure::new(Exit::Usage, format!("{flag} {}: {why}", path.display()));
        if !path.exists() {
            return Err(refused("it is not there"));
        }
        let given = real(path);
        if own.starts_with(&given) || given.starts_with(&own) {
            let why = format!("jobs would reach {}, which is not theirs", own.display());
            return Err(refused(&why).hint("name the folder that jobs need, and nothing around it"));
        }
    }
    Ok(())
}

/// Who is kept in, besides those whose run says so.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeptIn {
    /// Every job, but for those of trusted labels: on a server.
    pub(crate) all: bool,
    /// Labels whose jobs run as the server itself; never code from outside. A job that may not have one gets no
    /// lease (`scheduler`).
    pub(crate) trusted: Vec<TrustedLabel>,
    /// Labels, in lower case, whose jobs run in a container of this image.
    pub(crate) images: BTreeMap<String, String>,
    /// What they may read besides.
    pub(crate) readable: Vec<PathBuf>,
    /// What they may change besides.
    pub(crate) changeable: Vec<PathBuf>,
    /// Files with what lets somebody in that were given to us by name: nobody reads them who is kept in.
    pub(crate) secret: Vec<PathBuf>,
    /// Whose they are, where they are not our own user's.
    pub(crate) user: Option<JobUser>,
    /// What they may take, those without walls, too.
    pub(crate) limits: MachineLimits,
}

impl KeptIn {
    /// What a job with these labels may take.
    pub(crate) fn limits(&self, labels: &[MaskedText]) -> JobLimits {
        self.limits.of(labels.iter().map(MaskedText::as_str))
    }

    /// The walls around a job; none where it may do what whoever starts it may.
    pub(crate) fn around(
        &self,
        state: &Path,
        terms: &Terms,
        labels: &[MaskedText],
    ) -> Option<Walls> {
        let is_wanted = terms.outside || terms.sandboxed || self.all && !self.trusts(labels);
        let text = |path: &Path| Arc::from(path.to_string_lossy());
        let texts = |paths: &[PathBuf]| paths.iter().map(|path| text(path)).collect();
        let secret = || secrets(&self.secret).into_iter().chain(backup::copies(state));
        is_wanted.then(|| Walls {
            hidden: vec![text(state)],
            secret: secret().map(|path| text(&path)).collect(),
            readable: texts(&self.readable),
            changeable: texts(&self.changeable),
            outside: terms.outside,
            user: self.user.clone(),
        })
    }

    /// The image of the container that a job with these labels runs in where it names none itself: what
    /// its run says comes before what this machine does.
    pub(crate) fn image(&self, terms: &Terms, labels: &[MaskedText]) -> Option<Arc<str>> {
        let labels: Vec<String> = labels.iter().map(|it| it.as_str().to_lowercase()).collect();
        let of = |images: &BTreeMap<String, String>| {
            labels.iter().find_map(|label| images.get(label).map(|it| Arc::from(&**it)))
        };
        of(&terms.images).or_else(|| of(&self.images))
    }

    fn trusts(&self, labels: &[MaskedText]) -> bool {
        let is_trusted =
            |label: &MaskedText| self.trusted.iter().any(|trusted| trusted.is(label.as_str()));
        labels.iter().any(is_trusted)
    }
}

/// These files, and those that the environment names; there or not.
pub(crate) fn secrets(given: &[PathBuf]) -> Vec<PathBuf> {
    let named = SECRETS_VARIABLES.iter().filter_map(std::env::var_os);
    // A search path names several.
    let named = named.flat_map(|it| std::env::split_paths(&it).collect::<Vec<_>>());
    let all = given.iter().cloned().chain(named);
    all.filter_map(|path| std::path::absolute(path).ok()).collect()
}

/// What a server says of its walls when it starts; nothing where they are whole.
pub(crate) fn note(support: Support) -> Option<&'static str> {
    match support {
        Support::DiskAndSignals => None,
        Support::Disk => Some(
            "note: this kernel keeps jobs off the disk and out of other processes, but not from signalling \
             those of the same user: Linux 6.12 and newer do (docs/sandbox.md)",
        ),
        Support::Nothing => Some(
            "warning: this kernel cannot keep jobs in (landlock, Linux 5.19 and newer): they fail before their \
             first step, but for those of a label that you trust with this machine: --trusted-label LABEL",
        ),
    }
}

/// What a server says of its trusted labels when it starts, where `connected` are its repositories: whose jobs are
/// this user, and reach what this user reaches.
pub(crate) fn notes_of_trusted(trusted: &[TrustedLabel], connected: &[String]) -> Vec<String> {
    let note = |it: &TrustedLabel| {
        let label = &it.label;
        match (&it.repository, &it.jobs) {
            (None, TrustedJobs::Everything) => format!(
                "warning: jobs with the label {label} run without walls: any branch of any repository may read what \
                 this server's user may, its keys among it; --trusted-label {label}=OWNER/NAME says whose \
                 (docs/sandbox.md)"
            ),
            (None, jobs) => format!(
                "jobs with the label {label} run without walls, of every repository: {}; --trusted-label \
                 {label}=OWNER/NAME says of which alone",
                jobs.words()
            ),
            (Some(name), _) if !connected.contains(name) => {
                format!("note: --trusted-label {it}: no repository {name} is connected")
            }
            (Some(name), jobs) => {
                format!(
                    "jobs with the label {label} run without walls, of {name}: {}",
                    jobs.words()
                )
            }
        }
    };
    trusted.iter().map(note).collect()
}

/// What is to be said of a trusted label that is for an environment, where its rules are not what lets jobs in.
pub(crate) fn note_of_unguarded(label: &TrustedLabel, guarded: &Guarded) -> Option<String> {
    let (Some(name), TrustedJobs::Environment(environment)) = (&label.repository, &label.jobs)
    else {
        return None;
    };
    let rules = format!(
        "rules are `protect` in launchway.yml, or launchway repositories protect {name} --rules FILE"
    );
    match guarded {
        Guarded::ByRules => None,
        Guarded::ByNothing => Some(format!(
            "warning: --trusted-label {label}: no rule guards {environment} of {name}, so a job of any branch that \
             names it runs without walls; {rules}"
        )),
        Guarded::NoJobs => Some(format!(
            "note: --trusted-label {label}: no job of {name} runs in {environment}: no rule lets one in; {rules}"
        )),
        Guarded::Unreadable(why) => Some(format!(
            "note: --trusted-label {label}: what guards {environment} of {name} cannot be read now: {why}"
        )),
    }
}

/// How jobs are kept in on this machine, for whoever looks at what it takes.
pub(crate) fn said(
    support: Support,
    user: Option<&str>,
    trusted: &[TrustedLabel],
    images: &BTreeMap<String, String>,
) -> String {
    let walls = match support {
        Support::DiskAndSignals => "behind walls: off the disk, other processes and their signals",
        Support::Disk => "behind walls: off the disk and other processes, not off their signals",
        Support::Nothing => "not by this kernel, so they fail before their first step",
    };
    let own = match support {
        Support::Nothing => "",
        _ if sandbox::Namespace::is_possible() => ", each with a /tmp and a /run of its own",
        _ => ", in one /tmp",
    };
    let named = |labels: &mut dyn Iterator<Item = &String>, how: &str| {
        let labels: Vec<&str> = labels.map(String::as_str).take(LABELS_SAID_MAX).collect();
        if labels.is_empty() {
            return String::new();
        }
        format!("; those with the label {} {how}", labels.join(" or "))
    };
    let user = user.filter(|_| support != Support::Nothing);
    let user = user.map(|user| format!(", as the user {user}")).unwrap_or_default();
    let images = named(&mut images.keys(), "in a container");
    let trusted: BTreeSet<&String> = trusted.iter().map(|it| &it.label).collect();
    let how = "as whoever started this, where they may have it";
    let trusted = named(&mut trusted.into_iter(), how);
    format!("{walls}{own}{user}{images}{trusted}").chars().take(SAID_CHARS_MAX).collect()
}

/// What a server or a runner says when it starts that may not give each job a `/tmp` of its own.
pub(crate) fn note_of_shared(support: Support) -> Option<&'static str> {
    (support != Support::Nothing && !sandbox::Namespace::is_possible()).then_some(
        "note: jobs are behind walls, and share /tmp, /var/tmp, /dev/shm and the sockets in /run with one \
         another and with this machine: to give each its own takes root, or CAP_SYS_ADMIN and CAP_SYS_CHROOT \
         (docs/sandbox.md)",
    )
}

/// Whether each job has its own of the place where a socket lies, and of the machine's nothing that is not `given`:
/// what jobs may read or change there, the server's folder among it.
pub(crate) fn is_hidden(socket: &Path, given: &[PathBuf]) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let socket = real(socket);
    let given: Vec<PathBuf> = given.iter().map(|it| real(it)).collect();
    // Whatever is given below a place may have all of it stay as it is.
    let stays = |place: &str| {
        given.iter().any(|it| it.starts_with(place) || Path::new(place).starts_with(it))
    };
    let place = sandbox::MEETING_PLACES.iter().find(|place| socket.starts_with(place));
    place.is_some_and(|place| !stays(place)) && sandbox::Namespace::is_possible()
}

/// Whose the jobs of a server or runner with this folder are, where a flag names him; what there is to be said is
/// said. `opened` has the flags of what jobs are given.
pub(crate) fn user_of_jobs(
    flag: Option<&str>,
    data: &Path,
    opened: &[(&str, &[PathBuf])],
) -> Result<Option<JobUser>, Failure> {
    let Some(flag) = flag else {
        if rustix::process::geteuid().is_root() {
            talk(job_user::NOTE_OF_ROOT);
        }
        return Ok(None);
    };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let own = Own::of_process().map_err(|error| Failure::caused(Exit::Missing, error))?;
    let user = job_user::named(flag, &users, &own)?;
    job_user::check(&user, data, Engine::of(None).ok().as_ref())?;
    job_user::check_jobs(&user, &own, data)?;
    talk(&format!("jobs run as {} ({}:{})", user.name, user.id, user.group));
    job_user::notes(&user, opened).iter().for_each(|note| talk(note));
    Ok(Some(user))
}

/// What a server says of Docker when it starts; nothing where all is as it should be.
pub(crate) fn note_of_docker(
    engine: &Result<Engine, String>,
    images: &BTreeMap<String, String>,
    given: &[PathBuf],
    user: Option<&JobUser>,
) -> Option<String> {
    let looked = engine.as_ref().map(Engine::look);
    // One who may is refused.
    let is_hidden =
        || user.is_some() || engine.as_ref().is_ok_and(|it| is_hidden(it.socket(), given));
    match looked {
        Ok(Ok(())) if is_hidden() => None,
        Ok(Ok(())) => Some(
            "warning: this user may speak to Docker, and so may jobs that run in no container, which makes them \
             root: walls do not keep them off its socket. Have the jobs of every label run in containers \
             (--label ubuntu-latest=IMAGE), or take the user out of the group docker (docs/sandbox.md)"
                .to_owned(),
        ),
        _ if images.is_empty() => None,
        Ok(Err(error)) => Some(format!("warning: jobs that run in containers will fail: {error}")),
        Err(error) => Some(format!("warning: jobs that run in containers will fail: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_sockets_are_hidden() {
        let is_possible = sandbox::Namespace::is_possible();
        for (socket, given, expect) in [
            ("/run/nobody/docker.sock", "", is_possible),
            ("/run/nobody/docker.sock", "/run", false),
            ("/run/nobody/docker.sock", "/run/nobody", false),
            ("/run/nobody/docker.sock", "/srv", is_possible),
            // The server's own folder, maybe.
            ("/run/nobody/docker.sock", "/run/launchway", false),
            ("/run/nobody/docker.sock", "/proc/self/root/run", false),
            ("/srv/docker.sock", "", false),
        ] {
            let given = [PathBuf::from(given)];
            let given = if given[0].as_os_str().is_empty() { &[][..] } else { &given[..] };
            assert_eq!(is_hidden(Path::new(socket), given), expect, "{socket} {given:?}");
        }
    }

    #[test]
    fn who_is_kept_in() {
        let state = Path::new("/srv/launchway");
        let terms = |outside, sandboxed| Terms { outside, sandboxed, ..Terms::default() };
        let server = KeptIn {
            all: true,
            trusted: vec!["Deploy".parse().expect("a label")],
            ..KeptIn::default()
        };
        let laptop = KeptIn::default();
        for (kept_in, terms, label, expect) in [
            (&laptop, terms(false, false), "ubuntu-latest", false),
            (&laptop, terms(false, true), "ubuntu-latest", true),
            (&laptop, terms(true, false), "ubuntu-latest", true),
            (&server, terms(false, false), "ubuntu-latest", true),
            (&server, terms(false, false), "deploy", false),
            // No label makes code from outside trusted, nor what was agreed to otherwise.
            (&server, terms(true, false), "deploy", true),
            (&server, terms(false, true), "deploy", true),
        ] {
            let labels = [MaskedText::without_secrets(label)];
            let walls = kept_in.around(state, &terms, &labels);
            assert_eq!(walls.is_some(), expect, "{label} {terms:?}");
            if let Some(walls) = walls {
                assert_eq!(walls.outside, terms.outside);
                assert_eq!(&*walls.hidden[0], "/srv/launchway");
            }
        }
    }

    #[test]
    fn a_label_for_an_environment_that_nothing_guards_is_said() {
        let check = |label: &str, guarded: Guarded, expect: Option<&str>| {
            let label = label.parse().expect("a label");
            let said = note_of_unguarded(&label, &guarded);
            assert_eq!(said.as_deref().and_then(|it| it.split_once(';')).map(|it| it.0), expect);
        };
        let label = "deploy=octo/app:environment:production";
        check(label, Guarded::ByRules, None);
        check(
            label,
            Guarded::ByNothing,
            Some(
                "warning: --trusted-label deploy=octo/app:environment:production: no rule guards production of octo/app, so a job of any branch that names it runs without walls",
            ),
        );
        check(
            label,
            Guarded::NoJobs,
            Some(
                "note: --trusted-label deploy=octo/app:environment:production: no job of octo/app runs in production: no rule lets one in",
            ),
        );
        check("deploy=octo/app:branch:main", Guarded::ByNothing, None);
        check("deploy", Guarded::ByNothing, None);
    }
}
