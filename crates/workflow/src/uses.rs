//! `uses`: which action a step runs, or which workflow a job calls (conformance 117, 142).

use std::fmt;

/// What a `uses` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uses {
    /// `./path`: in the workspace for a step, in the caller's repository for a workflow.
    Local {
        /// The path as written, with its `./`.
        path: String,
    },
    /// `owner/repo[/path]@ref`
    Remote {
        /// Who owns the repository.
        owner: String,
        /// The repository's name.
        repo: String,
        /// The folder, or the workflow file, inside it.
        path: Option<String>,
        /// A commit, a tag or a branch.
        reference: String,
    },
    /// `docker://image`
    Docker {
        /// The image, without the scheme.
        image: String,
    },
    /// `$/path`: in the repository, at the commit, of the file it is written in.
    SelfForm {
        /// The path behind `$/`.
        path: String,
    },
}

/// Why a `uses` names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsesError {
    /// Not one of the forms.
    #[error("Expected format {{org}}/{{repo}}[/path]@ref")]
    Form,
    /// `docker://` without more.
    #[error("an image is missing behind docker://")]
    NoImage,
    /// A workflow that does not lie where workflows lie.
    #[error("a reusable workflow lies directly in .github/workflows and ends in .yml or .yaml")]
    WorkflowPath,
    /// A ref behind a workflow of the same repository.
    #[error("a workflow of the same repository is called without `@ref`: it is of the same commit")]
    LocalReference,
    /// An image where a workflow was wanted.
    #[error("a job calls a workflow, not an image")]
    WorkflowImage,
}

impl Uses {
    /// What a step's `uses` names.
    pub fn parse_action(text: &str) -> Result<Uses, UsesError> {
        if let Some(image) = strip_scheme(text, "docker://") {
            if image.is_empty() {
                return Err(UsesError::NoImage);
            }
            return Ok(Uses::Docker { image: image.to_owned() });
        }
        if text.starts_with("./") || text.starts_with(".\\") {
            return Ok(Uses::Local { path: text.to_owned() });
        }
        if let Some(path) = text.strip_prefix("$/") {
            return Ok(Uses::SelfForm { path: path.to_owned() });
        }
        parse_remote(text)
    }

    /// What a job's `uses` names.
    pub fn parse_workflow(text: &str) -> Result<Uses, UsesError> {
        if strip_scheme(text, "docker://").is_some() {
            return Err(UsesError::WorkflowImage);
        }
        if let Some(path) = text.strip_prefix("./").or_else(|| text.strip_prefix("$/")) {
            if path.contains('@') {
                return Err(UsesError::LocalReference);
            }
            check_workflow_path(path)?;
            return Ok(if text.starts_with('$') {
                Uses::SelfForm { path: path.to_owned() }
            } else {
                Uses::Local { path: text.to_owned() }
            });
        }
        let uses = parse_remote(text)?;
        match &uses {
            Uses::Remote { path: Some(path), .. } => check_workflow_path(path)?,
            _ => return Err(UsesError::WorkflowPath),
        }
        Ok(uses)
    }
}

/// As a person would write it.
impl fmt::Display for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uses::Local { path } => f.write_str(path),
            Uses::Remote { owner, repo, path: None, reference } => {
                write!(f, "{owner}/{repo}@{reference}")
            }
            Uses::Remote { owner, repo, path: Some(path), reference } => {
                write!(f, "{owner}/{repo}/{path}@{reference}")
            }
            Uses::Docker { image } => write!(f, "docker://{image}"),
            Uses::SelfForm { path } => write!(f, "$/{path}"),
        }
    }
}

fn strip_scheme<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let head = text.get(..scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
}

fn parse_remote(text: &str) -> Result<Uses, UsesError> {
    let (name, reference) = text.split_once('@').ok_or(UsesError::Form)?;
    if reference.is_empty() || reference.contains('@') {
        return Err(UsesError::Form);
    }
    let mut parts = name.split(['/', '\\']);
    let (owner, repo) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    if owner.is_empty() || repo.is_empty() {
        return Err(UsesError::Form);
    }
    let path = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    Ok(Uses::Remote {
        owner: owner.to_owned(),
        repo: repo.to_owned(),
        path: (!path.is_empty()).then_some(path),
        reference: reference.to_owned(),
    })
}

fn check_workflow_path(path: &str) -> Result<(), UsesError> {
    let file = path.strip_prefix(".github/workflows/").ok_or(UsesError::WorkflowPath)?;
    let named = |end: &str| file.len() > end.len() && file.ends_with(end);
    if file.contains('/') || !(named(".yml") || named(".yaml")) {
        return Err(UsesError::WorkflowPath);
    }
    Ok(())
}
