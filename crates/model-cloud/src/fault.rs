//! What goes wrong with a call.

/// A fault that is in wait for calls.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Of which action: `ecs:UpdateService`; `*` for any.
    pub action: String,
    /// How many of its calls go well before.
    pub after: u32,
    /// How many of its calls it meets.
    pub times: u32,
    /// What it does.
    pub kind: FaultKind,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// `ThrottlingException`; nothing is done.
    Throttled,
    /// 500 `ServerException`; nothing is done.
    ServerError,
    /// It is done, and the answer never comes.
    LostAfter,
    /// It is done, and the answer says 500.
    ErrorAfter,
    /// The connection ends before it is done.
    LostBefore,
    /// `AccessDeniedException`.
    Denied,
    /// A code and a message.
    Refused(String, String),
}

impl Fault {
    /// The first `times` calls of an action.
    pub fn first(action: &str, times: u32, kind: FaultKind) -> Fault {
        Fault { action: action.to_owned(), after: 0, times, kind }
    }
}

/// The fault that meets this call.
pub(crate) fn meets(faults: &mut [Fault], action: &str) -> Option<FaultKind> {
    let mut met = None;
    for fault in faults.iter_mut().filter(|it| it.action == action || it.action == "*") {
        if fault.after > 0 {
            fault.after -= 1;
        } else if fault.times > 0 && met.is_none() {
            fault.times -= 1;
            met = Some(fault.kind.clone());
        }
    }
    met
}
