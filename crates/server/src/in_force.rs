//! What is in force on a server: what it was started with, what it is connected to, which rules it keeps. Words of
//! its administrator for its administrator; never a value that lets anybody in.

/// One thing that was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// What it is about, in a few words.
    pub name: &'static str,
    /// What is in force, a line each; none where nothing is.
    pub values: Vec<String>,
    /// The command that says otherwise.
    pub command: String,
}

/// Rules of environments that a server keeps of a repository itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRules {
    /// `owner/name`
    pub repository: String,
    /// Environments and groups, each with what is said of it.
    pub parts: Vec<(String, Vec<String>)>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// The server's folder, as commands name it.
    pub folder: String,
    /// What it is connected to.
    pub connections: Vec<Setting>,
    /// What it was started with.
    pub server: Vec<Setting>,
    /// What no push changes.
    pub rules: Vec<KeptRules>,
}
