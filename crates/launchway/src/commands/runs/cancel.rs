//! `launchway runs cancel`: the process that drives the run is told, as Ctrl-C would tell it.

use std::sync::Arc;

use driver::{Input, Owner};
use event::CancelReason;
use mask::MaskedText;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use server::Reason;
use store::Store;

use crate::cli::{AgainArgs, Format, LimitArgs, RunRef};
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::running::again;
use crate::running::engine::sweep;
use crate::serving::data::DataFolder;
use crate::state::StateFolder;
use crate::terminal::report::reporter;
use crate::terminal::style::talk;

/// As the trail calls it.
const DEED: &str = "run.cancel";
const CANNOT: &str = "the process that drives the run cannot be told";

pub(crate) fn run(
    store: Arc<Store>,
    state: &StateFolder,
    run: &RunRef,
    reason: &Reason,
) -> Outcome {
    let stream = journal::find(&store, run)?;
    let view = journal::view(&store, stream)?;
    if let Some(conclusion) = view.conclusion {
        return Err(Failure::new(
            Exit::Usage,
            format!("run {} is over: {conclusion}", view.header.run),
        ));
    }
    let holder = Owner::holder(&state.owners(), stream)
        .map_err(|error| Failure::caused(Exit::Missing, error))?;
    if let (Some(_), Some(url)) = (holder, DataFolder { state: state.clone() }.served_at()?) {
        // The process is the server: what ends it ends all of its runs.
        let run = view.header.run;
        return Err(Failure::new(Exit::Forbidden, format!("the server {url} drives run {run}"))
            .hint(format!("launchway runs cancel {run} --server {url}")));
    }
    if let Some(pid) = holder {
        // A signal says no reason, so that stands beside what its process writes down.
        let record = |refused: Option<&str>| match (reason.as_str(), refused) {
            (None, _) => Ok(()),
            (Some(_), None) => journal::record_because(state, (DEED, stream.to_string()), reason),
            (Some(_), Some(why)) => journal::record_refused(state, (DEED, stream.to_string()), why),
        };
        tell(pid, &record)?;
        let run = view.header.run;
        talk(&format!("run {run} is told to stop; launchway runs watch {run} shows how"));
        return Ok(Exit::Done);
    }
    // Nobody drives it: what was left is swept, and its end is written here.
    drop(sweep(state, &store, Some(stream))?);
    let request = again::request(&store, stream)?;
    let nothing = AgainArgs {
        secrets: Vec::new(),
        secret_file: None,
        environments: Vec::new(),
        labels: Vec::new(),
        limits: LimitArgs::default(),
        offline: true,
        format: Format::Human,
    };
    let request_without_secrets = event::RunRequest { secret_names: Vec::new(), ..request };
    let engine = again::engine(state, store, &request_without_secrets, &nothing)?;
    let owner = engine.claim(stream)?;
    let by = MaskedText::without_secrets(&*request_without_secrets.actor);
    let asked = Some(crate::deploying::here_because(reason));
    let reason = CancelReason::Forced { by, asked };
    let cancel = Input::Cancel { stream: Some(stream), job: None, reason };
    engine.drive(&[owner], vec![cancel], &mut *reporter(Format::Human))?;
    Ok(Exit::Done)
}

/// Tells the process that drives a run to stop. It is recorded before; and that it was in vain, where it was.
fn tell(pid: u32, record: &dyn Fn(Option<&str>) -> Result<(), Failure>) -> Result<(), Failure> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid.filter(|pid| test_kill_process(*pid).is_ok()) {
        record(None)?;
        if kill_process(pid, Signal::INT).is_ok() {
            return Ok(());
        }
    }
    record(Some(CANNOT))?;
    Err(Failure::new(Exit::Forbidden, CANNOT)
        .hint("it belongs to somebody else, or just ended; look with launchway runs show"))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::{Read as _, Write as _};
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn what_is_told_is_recorded_before_and_what_is_told_in_vain_as_that() {
        // Whoever runs this may ignore the signal, and what it starts would, too.
        let mut child = Command::new("env")
            .args(["--default-signal=INT", "sh", "-c", "echo; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut heard = child.stdout.take().expect("it is piped");
        let said = RefCell::new(child.stdin.take().expect("it is piped"));
        heard.read_exact(&mut [0]).expect("it began");
        let heard = RefCell::new(heard);
        // Whoever was told to stop says nothing back.
        let goes_on = || {
            said.borrow_mut().write_all(b"x").expect("it is there");
            heard.borrow_mut().read_exact(&mut [0]).expect("it goes on");
        };
        let pid = child.id();
        let cannot = |_: Option<&str>| Err(Failure::new(Exit::Missing, "the disk is full"));
        assert_eq!(tell(pid, &cannot).unwrap_err().exit, Exit::Missing);
        let recorded = RefCell::new(Vec::new());
        let record = |refused: Option<&str>| {
            if refused.is_none() {
                goes_on();
            }
            recorded.borrow_mut().push(refused.map(str::to_owned));
            Ok(())
        };
        assert!(tell(pid, &record).is_ok());
        assert_eq!(recorded.take(), [None]);
        let ended = child.wait().expect("it ends");
        assert_eq!(ended.signal(), Some(Signal::INT.as_raw()));
        // Nobody has that number any more.
        assert_eq!(tell(pid, &record).unwrap_err().exit, Exit::Forbidden);
        assert_eq!(recorded.take(), [Some(CANNOT.to_owned())]);
    }
}
