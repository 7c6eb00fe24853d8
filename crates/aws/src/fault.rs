//! Why a call did not do what it should.

use event::{Cause, CauseCode, EvidenceKind};
use mask::MaskedText;

/// Why a call did not do what it should.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{action}: {}{message}", code.as_ref().map_or(String::new(), |it| format!("{it}: ")))]
pub struct Fault {
    /// Of which kind it is.
    pub kind: FaultKind,
    /// The call: `ecs:UpdateService`.
    pub action: String,
    /// AWS's word for it.
    pub code: Option<String>,
    /// What was said.
    pub message: String,
    /// AWS's id of the request.
    pub request_id: Option<String>,
    /// What it is about, where AWS says so.
    pub resources: Box<[String]>,
}

/// Of which kind a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Too many calls; nothing was done.
    Throttled,
    /// AWS failed; whether it was done is not known.
    Server,
    /// No answer; whether it was done is not known.
    Unanswered,
    /// We may not.
    Denied,
    /// It cannot be done so.
    Refused,
    /// There are no credentials, or they do not hold.
    SignIn,
    /// The answer is not what AWS says that it is.
    Unreadable,
}

/// Words for "too many calls" over all services.
const THROTTLED: &[&str] = &[
    "LimitExceededException",
    "RequestLimitExceeded",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];
const DENIED: &[&str] = &["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"];
const SIGN_IN: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidIdentityToken",
    "InvalidSignatureException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

impl FaultKind {
    pub(crate) fn of(status: u16, code: &str) -> FaultKind {
        if THROTTLED.contains(&code) || status == 429 {
            FaultKind::Throttled
        } else if DENIED.contains(&code) {
            FaultKind::Denied
        } else if SIGN_IN.contains(&code) {
            FaultKind::SignIn
        } else if status >= 500 {
            FaultKind::Server
        } else {
            FaultKind::Refused
        }
    }
}

impl Fault {
    /// Whether the same call may go well later.
    pub fn may_pass(&self) -> bool {
        matches!(self.kind, FaultKind::Throttled | FaultKind::Server | FaultKind::Unanswered)
    }

    /// Whether AWS said this.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// As a cause, with AWS's words as evidence.
    pub fn cause(&self) -> Cause {
        let (code, said) = match self.kind {
            FaultKind::Throttled => (CauseCode::Unavailable, "AWS wants fewer calls of"),
            FaultKind::Server => (CauseCode::Unavailable, "AWS failed at"),
            FaultKind::Unanswered => (CauseCode::Unavailable, "AWS did not answer"),
            FaultKind::SignIn => (CauseCode::Unavailable, "AWS does not take the credentials of"),
            FaultKind::Unreadable => (CauseCode::Fault, "AWS's answer is not understood:"),
            FaultKind::Denied => (CauseCode::TargetRefused, "these credentials may not"),
            FaultKind::Refused => (CauseCode::TargetRefused, "AWS refused"),
        };
        let text = |text: String| MaskedText::without_secrets(text);
        let id = self.request_id.as_ref().map_or(String::new(), |it| format!(" (request {it})"));
        let cause = Cause::new(code, text(format!("{said} {}: {}", self.action, self.message)));
        cause.with_evidence(EvidenceKind::Platform, text(format!("{self}{id}")))
    }
}
