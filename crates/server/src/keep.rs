//! Secrets and variables of repositories, as pages and the API speak of them: names, never values of
//! secrets.

use event::Timestamp;

/// GitHub's limit for one secret or variable (conformance 242, 243).
pub const VALUE_BYTES_MAX: usize = 48 << 10;
/// The body that brings one. JSON writes a byte of a value with up to six letters (`\u001b`), and a form a line's end
/// with as many (`%0D%0A`); names and a day come besides.
pub(crate) const KEEP_BODY_BYTES_MAX: usize = 6 * VALUE_BYTES_MAX + (8 << 10);

/// A secret or a variable that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptName {
    /// Its name.
    pub name: String,
    /// Only for jobs of this environment; none: for all.
    pub environment: Option<String>,
    /// The value of a variable; none: it is a secret.
    pub variable: Option<String>,
    /// When it was set.
    pub set_at: Timestamp,
    /// By whom, where that is known.
    pub set_by: Option<String>,
    /// When it shall be another.
    pub rotate_by: Option<Timestamp>,
}

/// A secret or a variable that workflows or messages read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedValue {
    /// Whether it is a secret.
    pub kind: KeptKind,
    /// Its name, in upper case as GitHub keeps them; of a secret that lies elsewhere what refers to it.
    pub name: String,
    /// The environment of the jobs that read it, where the file says which.
    pub environment: Option<String>,
    /// The first place that reads it so: `FILE:LINE` of a workflow, `message RULE`, `mail`.
    pub used_at: String,
    /// Whether nobody set it, so that whoever reads it there is given nothing.
    pub is_missing: bool,
}

/// What workflows and messages of a repository read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// All that is known of.
    pub values: Vec<NamedValue>,
    /// Why it is not known what messages read: the settings of the default branch have mistakes.
    pub messages_not_known: Option<String>,
}

/// What is to be kept, or forgotten.
#[derive(Clone, PartialEq, Eq)]
pub struct KeepWish {
    /// `owner/name`
    pub repository: String,
    /// Its name.
    pub name: String,
    /// Only for jobs of this environment.
    pub environment: Option<String>,
    /// Whether it is a secret: then its value is never given back.
    pub kind: KeptKind,
    /// The value; none: it is forgotten.
    pub value: Option<String>,
    /// `2027-03-31`: when it shall be another.
    pub rotate_by: Option<String>,
    /// Who.
    pub by: String,
}

/// What never shows its value.
impl std::fmt::Debug for KeepWish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let KeepWish { repository, name, environment, kind, .. } = self;
        write!(f, "{kind:?} {name} of {repository} {environment:?}")
    }
}

/// A secret or a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptKind {
    /// Sealed, masked, never shown.
    Secret,
    /// `vars`
    Variable,
}

impl KeptKind {
    /// As it stands in addresses.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            KeptKind::Secret => "secret",
            KeptKind::Variable => "variable",
        }
    }

    /// Of what stands in addresses and answers.
    #[must_use]
    pub fn of(text: &str) -> Option<KeptKind> {
        match text {
            "secret" | "secrets" => Some(KeptKind::Secret),
            "variable" | "variables" => Some(KeptKind::Variable),
            _ => None,
        }
    }
}
