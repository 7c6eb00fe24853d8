//! Approvals on their way to whoever drives a deployment: files that others put down, heard at once,
//! judged, and told to the machine. The driver judges, not who hands in; what is refused is written
//! down.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use approval::{DEPLOYMENT, Decision, Handed, Statement, verify};
use bucket::{HandedIn, Shared};
use deployment::Input;
use driver::DeploymentInput;
use event::{Actor, Cause, CauseCode, DeploymentId, Digest, GateKey, SshProof, Timestamp};
use mask::MaskedText;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use views::DeploymentView;

use super::book::Book;
use super::rules::Where;
use crate::exit::{Exit, Failure};
use crate::state::StateFolder;
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// How long an approval may count at most: what nobody began within a week is looked at again.
pub(crate) const VALID_MAX_MS: u64 = 7 * 24 * 3_600_000;

/// How soon what was handed in on another machine is heard: each look costs a call.
const FETCH_EVERY: Duration = Duration::from_secs(3);

/// The folder for one deployment.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    folder: PathBuf,
}

impl Inbox {
    pub(crate) fn of(state: &StateFolder, id: DeploymentId) -> Inbox {
        Inbox { folder: state.approvals().join(id.to_string()) }
    }

    /// Puts something down, whole or not at all. Gives its digest, by which the answer is known.
    pub(crate) fn put(&self, handed: &Handed) -> Result<Digest, Failure> {
        let digest = digest(handed);
        let path = self.folder.join(digest.to_string());
        let put = || -> std::io::Result<()> {
            std::fs::create_dir_all(&self.folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(handed.write().as_bytes())?;
            file.persist(&path)?;
            Ok(())
        };
        put().map_err(|error| {
            let context = format!("cannot write {}", path.display());
            Failure::caused(Exit::Missing, anyhow::Error::new(error).context(context))
        })?;
        Ok(digest)
    }

    /// Takes it away again: it was answered.
    pub(crate) fn clear(&self, digest: &Digest) {
        // Somebody else may have been faster; what is left is known, and passed over.
        let path = self.folder.join(digest.to_string());
        let _ = std::fs::remove_file(&path);
        let _ = std::fs::remove_file(path.with_extension("told"));
    }

    /// The deployment is over: nothing is heard any more.
    pub(crate) fn close(&self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    /// Brings what is handed in on other machines, until the process ends. A bucket tells nobody: it
    /// is looked at now and then.
    pub(crate) fn fetch(self, shared: &Arc<Shared>, id: DeploymentId) {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            let mut known = BTreeSet::new();
            loop {
                // One that does not answer is asked again: what is handed in stays there.
                let handed = shared.handed_in(id, &|it| known.contains(it)).unwrap_or_default();
                for HandedIn { digest, text } in handed {
                    // What does not read is nobody's approval, and nobody waits for an answer.
                    let put = Handed::read(&text).ok().map(|handed| self.put(&handed));
                    if !matches!(put, Some(Err(_))) {
                        known.insert(digest);
                    }
                }
                std::thread::sleep(FETCH_EVERY);
            }
        });
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let is_ours = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().parse::<Digest>().is_ok())
        };
        let mut files: Vec<PathBuf> = entries.map(|it| it.path()).filter(is_ours).collect();
        files.sort();
        files
    }
}

/// By what it is known in the journal.
pub(crate) fn digest(handed: &Handed) -> Digest {
    Digest::of(handed.write().as_bytes())
}

/// The same of what the journal keeps.
fn digest_of(proof: &SshProof) -> Digest {
    Digest::of(format!("{}{}", proof.text, proof.signature).as_bytes())
}

/// Whether the journal has an answer.
pub(crate) fn answer(view: &DeploymentView, digest: &Digest) -> Option<Answer> {
    let is_it =
        |proof: &Option<SshProof>| proof.as_ref().is_some_and(|proof| digest_of(proof) == *digest);
    for gate in &view.gates {
        if let Some(signed) = gate.signed.iter().find(|it| is_it(&it.proof)) {
            let is_open = gate.opened_at.is_some();
            return Some(Answer::Taken { by: signed.by.name.clone(), is_open });
        }
        if gate.rejected.as_ref().is_some_and(|it| is_it(&it.proof)) {
            return Some(Answer::Rejected);
        }
    }
    let refused = view.refused.iter().rev().find(|it| it.handed == Some(*digest));
    refused.map(|it| Answer::Refused(it.why.clone()))
}

/// What became of what somebody handed in.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It counts.
    Taken { by: MaskedText, is_open: bool },
    /// It ended the deployment.
    Rejected,
    /// It does not count.
    Refused(MaskedText),
}

/// Judges what is handed in for a deployment. The rules are read again: a key that was taken out
/// meanwhile does not count.
#[derive(Clone)]
pub(crate) struct Judge {
    pub(crate) book: Book,
    pub(crate) settings: PathBuf,
    pub(crate) id: DeploymentId,
}

/// Why it does not count, with what is known of who tried.
struct Refused {
    why: String,
    by: Option<String>,
    key: Option<String>,
}

impl From<String> for Refused {
    fn from(why: String) -> Refused {
        Refused { why, by: None, key: None }
    }
}

impl Judge {
    /// What the machine is told of it; several things where the rules are others by now.
    pub(crate) fn inputs(&self, text: &str) -> Result<Vec<Input>, Failure> {
        let view = self.book.view(self.id)?;
        let view = view.ok_or_else(|| Failure::new(Exit::Fault, "the deployment is gone"))?;
        let handed = Handed::read(text);
        let gate = handed.as_ref().ok().and_then(|it| Statement::claims(&it.text));
        let gate = gate.map(|claims| GateKey::new(claims.gate));
        let digest = handed.as_ref().ok().map(digest);
        let mut inputs = Vec::new();
        let judged = handed
            .map_err(|error| Refused::from(error.to_string()))
            .and_then(|handed| self.judge(&view, &handed, &mut inputs));
        match judged {
            Ok(input) => inputs.insert(0, input),
            Err(Refused { why, by, key }) => {
                let text = |text: String| MaskedText::without_secrets(text);
                let (by, key) = (by.map(text), key.map(Into::into));
                // A gate's name is whatever somebody wrote.
                let gate = gate.filter(|gate| view.gates.iter().any(|it| it.gate == *gate));
                inputs.insert(0, Input::Refuse { gate, by, key, handed: digest, why: text(why) });
            }
        }
        Ok(inputs)
    }

    fn judge(
        &self,
        view: &DeploymentView,
        handed: &Handed,
        more: &mut Vec<Input>,
    ) -> Result<Input, Refused> {
        let other = || Refused::from("what was signed is no approval of a deployment".to_owned());
        let claims = Statement::claims(&handed.text).ok_or_else(other)?;
        let wanted = statement(view, &claims).ok_or_else(|| {
            Refused::from("the deployment waits for nobody's agreement".to_owned())
        })?;
        wanted.must_be(&handed.text).map_err(|error| error.to_string())?;
        let key = verify(DEPLOYMENT, &handed.text, &handed.signature).map_err(|error| {
            let source = std::error::Error::source(&error).map(|it| format!(": {it}"));
            format!("{error}{}", source.unwrap_or_default())
        })?;
        let fingerprint = key.fingerprint();
        let refused = |why: String, by: Option<&str>| Refused {
            why,
            by: by.map(str::to_owned),
            key: Some(fingerprint.clone()),
        };
        if view.ended.is_some() {
            return Err(refused("the deployment is over".to_owned(), None));
        }
        let environment = view.request.environment.clone();
        let rules = Where { file: self.settings.clone(), environment };
        let ruling = rules.read();
        let ruling = ruling.map_err(|failure| refused(format!("{:#}", failure.error), None))?;
        if Some(ruling.rules.digest) != view.request.protection.as_ref().map(|it| it.rules.digest) {
            more.push(Input::RulesForbid { cause: changed(&view.request.environment) });
            return Err(refused(format!("{}", changed(&view.request.environment).message), None));
        }
        let Some((person, keys)) = ruling.signers.owner(&key) else {
            return Err(refused(format!("the key {fingerprint} is nobody's there"), None));
        };
        let name = person.name();
        let at = now();
        if !keys.iter().any(|key| key.counts(DEPLOYMENT, at)) {
            let why = format!("the key {fingerprint} does not count for that, or not now");
            return Err(refused(why, Some(name)));
        }
        if claims.expires <= at {
            return Err(refused("what was signed has expired".to_owned(), Some(name)));
        }
        if claims.expires.0 > at.0.saturating_add(VALID_MAX_MS) {
            return Err(refused("it would count for more than 7 days".to_owned(), Some(name)));
        }
        let gate = GateKey::new(claims.gate);
        let name = MaskedText::without_secrets(name);
        let by = Actor { name, proof: "ssh".into(), source: None, address: None };
        let proof = SshProof {
            text: handed.text.as_str().into(),
            signature: handed.signature.as_str().into(),
            key: key.openssh().into(),
        };
        let proof = Some(Box::new(proof));
        Ok(match claims.decision {
            Decision::Approve => {
                Input::Sign { gate, by, plan: wanted.plan, proof, until: Some(claims.expires) }
            }
            Decision::Reject => {
                let reason = claims.reason.map(MaskedText::without_secrets);
                Input::Reject { gate, by, reason, proof }
            }
        })
    }

    /// Hears what is put down from now on, and what lies there already, until the process ends.
    pub(crate) fn listen(self, inbox: Inbox, sender: Sender<DeploymentInput>) {
        let heard = move || -> Result<(), Failure> {
            let watched = give_back(&inbox.folder).and_then(|()| Watched::begin(&inbox.folder));
            let watched = watched.map_err(|error| {
                let context = format!("cannot watch {}", inbox.folder.display());
                Failure::caused(Exit::Missing, anyhow::Error::new(error).context(context))
            })?;
            loop {
                for path in inbox.files() {
                    if self.hear(&inbox, &path, &sender)?.is_none() {
                        return Ok(());
                    }
                }
                if !watched.wait() {
                    return Ok(());
                }
            }
        };
        std::thread::spawn(move || {
            if let Err(failure) = heard() {
                talk(&format!("approvals are not heard: {:#}", failure.error));
            }
        });
    }

    /// One file; none once nobody listens any more.
    fn hear(
        &self,
        inbox: &Inbox,
        path: &Path,
        sender: &Sender<DeploymentInput>,
    ) -> Result<Option<()>, Failure> {
        // Who put it there may have taken it away.
        let Ok(text) = std::fs::read_to_string(path) else { return Ok(Some(())) };
        let known = Handed::read(&text).ok().map(|handed| digest(&handed));
        let view = self.book.view(self.id)?;
        // What was refused is judged again: the remote may answer by now.
        let is_answered = |digest: &Digest| {
            let answer = view.as_ref().and_then(|view| answer(view, digest));
            matches!(answer, Some(Answer::Taken { .. } | Answer::Rejected))
        };
        match known {
            Some(digest) if is_answered(&digest) => inbox.clear(&digest),
            _ => {
                for input in self.inputs(&text)? {
                    if sender.send(DeploymentInput::Told(input)).is_err() {
                        return Ok(None);
                    }
                }
                // Once it is told it is heard: the file would be judged at every event again.
                let _ = std::fs::rename(path, path.with_extension("told"));
            }
        }
        Ok(Some(()))
    }
}

/// A folder that others put files into, whole.
pub(super) struct Watched(rustix::fd::OwnedFd);

impl Watched {
    /// From here on what is put down is heard; what lies there already is looked at first.
    pub(super) fn begin(folder: &Path) -> std::io::Result<Watched> {
        std::fs::create_dir_all(folder)?;
        let queue = inotify::init(CreateFlags::CLOEXEC)?;
        inotify::add_watch(&queue, folder, WatchFlags::MOVED_TO)?;
        Ok(Watched(queue))
    }

    /// Waits until something is put down; one event is enough, all that lies there is looked at then. False once
    /// the folder is gone.
    pub(super) fn wait(&self) -> bool {
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.0, &mut space);
        reader.next().is_ok_and(|event| !event.events().contains(ReadFlags::IGNORED))
    }
}

/// Told to a driver that died before it was written down: it is told to the next one.
fn give_back(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for entry in std::fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|it| it == "told") {
            std::fs::rename(&path, path.with_extension(""))?;
        }
    }
    Ok(())
}

/// The cause of a deployment whose rules became others.
pub(crate) fn changed(environment: &str) -> Cause {
    let said = format!(
        "the rules of {environment} were changed since it was requested: what was agreed to is void"
    );
    Cause::new(CauseCode::GateShut, MaskedText::without_secrets(said))
}

/// The statement that somebody's signature has to be over; none where nobody is asked.
pub(crate) fn statement<'a>(
    view: &'a DeploymentView,
    claims: &approval::Claims<'a>,
) -> Option<Statement<'a>> {
    let request = &view.request;
    let (_, plan) = view.plan.as_ref()?;
    Some(Statement {
        decision: claims.decision,
        reason: claims.reason,
        project: &request.project,
        environment: &request.environment,
        deployment: view.id,
        by: request.by.name.as_str(),
        requested_at: request.at,
        plan: *plan,
        rules: request.protection.as_ref()?.rules.digest,
        gate: claims.gate,
        expires: claims.expires,
    })
}

/// A signature of the journal, verified once more: whether it is over exactly what it should be.
pub(crate) fn verified(
    view: &DeploymentView,
    gate: &GateKey,
    proof: &SshProof,
    until: Option<Timestamp>,
) -> Result<String, String> {
    let claims = Statement::claims(&proof.text).ok_or("its text is none of ours")?;
    if claims.gate != gate.as_str() || until.is_some_and(|until| until != claims.expires) {
        return Err("it is for another gate or another time".to_owned());
    }
    let wanted = statement(view, &claims).ok_or("it has no plan")?;
    wanted.must_be(&proof.text).map_err(|error| error.to_string())?;
    let key = verify(DEPLOYMENT, &proof.text, &proof.signature).map_err(|it| it.to_string())?;
    if *key.openssh() != *proof.key {
        return Err("it is by another key than the journal says".to_owned());
    }
    Ok(key.fingerprint())
}
