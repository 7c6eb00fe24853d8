//! What goes wrong on purpose: for calls that fit, so many times.

/// A fault that waits for its call.
#[derive(Clone, Debug)]
pub struct Fault {
    /// `POST`
    pub method: String,
    /// A part of the path.
    pub path: String,
    /// What happens.
    pub kind: FaultKind,
    /// How many times.
    pub times: u32,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It is not done, and 500 is said.
    Broken,
    /// It is not done: too many calls; so many seconds are to be waited.
    Limited(u64),
    /// It is done, and the answer is lost.
    AnswerLost,
    /// It is not done, and no answer comes.
    CallLost,
}

/// The fault that a call meets, if there is one.
pub(crate) fn met(faults: &mut Vec<Fault>, method: &str, path: &str) -> Option<FaultKind> {
    let at = faults.iter().position(|it| it.method == method && path.contains(&it.path))?;
    let kind = faults[at].kind;
    faults[at].times = faults[at].times.saturating_sub(1);
    if faults[at].times == 0 {
        faults.remove(at);
    }
    Some(kind)
}
