//! Environments of a repository: those that its rules guard, and those that only its jobs name; each with what
//! jobs did there last.

use figures::NewestByJobs;

use crate::app::App;
use crate::engine::GuardedEnvironment;
use crate::guard::Who;
use crate::numbers;
use crate::problem::Problem;

/// An environment.
pub(crate) struct KnownEnvironment {
    pub(crate) environment: GuardedEnvironment,
    /// What jobs did there last; none where none named it.
    pub(crate) jobs: Option<NewestByJobs>,
}

/// Environments of everything that somebody sees.
pub(crate) struct Surveyed {
    /// Each with its repository.
    pub(crate) known: Vec<(String, KnownEnvironment)>,
    /// What is wrong with a repository in words: that hides no other.
    pub(crate) problems: Vec<String>,
    /// Events of the journal that what jobs did does not count yet.
    pub(crate) behind: u64,
}

/// What whoever asks sees; a turn of [`App::surveying`] is theirs.
pub(crate) fn surveyed(app: &App, who: &Who) -> Result<Surveyed, Problem> {
    let behind = numbers::behind(app)?;
    let mut surveyed = Surveyed { known: Vec::new(), problems: Vec::new(), behind };
    for repository in who.seen(app).repositories()? {
        let (known, problems) = of_repository(app, &repository.name)?;
        surveyed.problems.extend(problems);
        let known = known.into_iter().map(|it| (repository.name.clone(), it));
        surveyed.known.extend(known);
    }
    Ok(surveyed)
}

/// Those of a repository, as the figures have them, and what is wrong with it in words: that hides no other.
fn of_repository(
    app: &App,
    repository: &str,
) -> Result<(Vec<KnownEnvironment>, Vec<String>), Problem> {
    let by_jobs = app.figures.newest_by_jobs(repository)?;
    let mut problems = Vec::new();
    if by_jobs.is_cut {
        let few = by_jobs.newest.len();
        problems.push(format!(
            "{repository}: its jobs named more environments than are shown; these are the {few} that they named last."
        ));
    }
    let guarded = app.engine.environments(repository).unwrap_or_else(|refused| {
        problems.push(format!("{repository}: {}", refused.message));
        Vec::new()
    });
    let without_jobs = |environment| KnownEnvironment { environment, jobs: None };
    let mut known: Vec<KnownEnvironment> = guarded.into_iter().map(without_jobs).collect();
    by_jobs.newest.into_iter().for_each(|it| put(&mut known, it));
    Ok((known, problems))
}

/// To the environment that it is of; one that nothing but jobs names gets its own.
fn put(known: &mut Vec<KnownEnvironment>, newest: NewestByJobs) {
    let is_it =
        |it: &&mut KnownEnvironment| it.environment.name.eq_ignore_ascii_case(&newest.environment);
    if let Some(it) = known.iter_mut().find(is_it) {
        it.jobs = Some(newest);
        return;
    }
    let environment = GuardedEnvironment {
        name: newest.environment.to_string(),
        rules: vec!["Jobs name it; no rule of it is known.".to_owned()],
        ..GuardedEnvironment::default()
    };
    known.push(KnownEnvironment { environment, jobs: Some(newest) });
}
