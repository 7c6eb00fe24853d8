//! `launchway init`: settings and mended workflows for what is in a repository. A file that is there
//! is overwritten only when somebody has seen the difference and agreed.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

use serde_json::json;
use syntax::{Severity, Source};

use crate::cli::{Format, InitArgs, InitTarget};
use crate::exit::{Exit, Failure, Outcome};
use crate::init::cloud::Cloud;
use crate::init::compose::Seen;
use crate::init::difference;
use crate::init::look::{self, SeenService, plain_name};
use crate::init::propose::{self, Proposed};
use crate::running::files;
use crate::terminal::style::{Style, out, talk};

pub(crate) fn run(args: &InitArgs) -> Outcome {
    let given = args.path.clone().unwrap_or_else(|| PathBuf::from("."));
    let root = std::path::absolute(&given).unwrap_or(given);
    if !root.is_dir() {
        let message = format!("there is no folder {}", root.display());
        return Err(Failure::new(Exit::Usage, message));
    }
    let (services, passed) = look::services(&root);
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    let seen = seen(args, &root, plain_name(&name), services)?;
    let (proposed, left) = propose::files(&root, &seen)?;
    prove(&proposed)?;
    let teller = Teller { format: args.format };
    teller.seen(&seen, &passed);
    let mut kept = false;
    for file in &proposed {
        let became = settle(args, &root, file)?;
        kept |= became == Became::Kept;
        teller.file(file, became);
    }
    left.iter().for_each(|it| teller.left(it));
    teller.next(&seen);
    Ok(if kept { Exit::Forbidden } else { Exit::Done })
}

/// What there is, and what somebody says beside it.
fn seen(
    args: &InitArgs,
    root: &Path,
    project: String,
    services: Vec<SeenService>,
) -> Result<Seen, Failure> {
    let folder = root.join(files::WORKFLOWS);
    let has_some = folder.is_dir() && !files::workflow_files(&folder)?.is_empty();
    let (variables, terraform) = (look::variables(root), look::terraform(root));
    let has_workflows = args.workflows || !has_some;
    let cloud = Cloud::read(root);
    let mut seen = Seen { project, services, cloud, variables, terraform, has_workflows };
    match args.target {
        Some(InitTarget::Ecs) if !seen.cloud.has_ecs() => {
            if seen.services.iter().all(|it| it.dockerfile.is_none()) {
                let message = "ECS runs images, and no service has a Dockerfile";
                return Err(Failure::new(Exit::Refused, message).hint("--target host"));
            }
            let environments = seen.environments();
            seen.cloud.guess(&seen.project, &environments);
        }
        Some(InitTarget::Host) => seen.cloud.environments.clear(),
        Some(InitTarget::Ecs) | None => {}
    }
    Ok(seen)
}

/// What is written must be good: nobody shall mend our own file first.
fn prove(proposed: &[Proposed]) -> Result<(), Failure> {
    let Some(file) = proposed.iter().find(|it| it.path == ::settings::FILE) else { return Ok(()) };
    let source = Source::new(file.path.clone(), file.text.clone());
    let (_, found) = ::settings::read(&source);
    match found.iter().find(|it| it.severity > Severity::Note) {
        None => Ok(()),
        Some(finding) => {
            let message = format!("the settings would have a mistake: {}", finding.message);
            Err(Failure::new(Exit::Fault, message))
        }
    }
}

/// What became of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Became {
    Written,
    Overwritten,
    Same,
    Kept,
    OnlyShown,
}

impl Became {
    fn word(self) -> &'static str {
        match self {
            Became::Written => "written",
            Became::Overwritten => "overwritten",
            Became::Same => "same",
            Became::Kept => "kept",
            Became::OnlyShown => "only_shown",
        }
    }
}

fn settle(args: &InitArgs, root: &Path, file: &Proposed) -> Result<Became, Failure> {
    let path = root.join(&file.path);
    let there = std::fs::read_to_string(&path).ok();
    if there.as_deref() == Some(&*file.text) {
        return Ok(Became::Same);
    }
    let is_human = args.format != Format::Json;
    if is_human && (there.is_some() || args.dry_run) {
        talk(&format!("{}:", file.path));
        let before = there.as_deref().unwrap_or_default();
        talk(difference::between(before, &file.text, Style::stderr()).trim_end());
    }
    if args.dry_run {
        return Ok(Became::OnlyShown);
    }
    if there.is_some() && !args.yes && !(is_human && agreed(&file.path)) {
        return Ok(Became::Kept);
    }
    write(&path, &file.text)?;
    Ok(if there.is_some() { Became::Overwritten } else { Became::Written })
}

/// Asks, where there is somebody to ask.
fn agreed(path: &str) -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    talk(&format!("Overwrite {path}? Type yes; anything else keeps it:"));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).is_ok() && line.trim() == "yes"
}

/// Beside and renamed: nobody sees half of it.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        let error = anyhow::Error::new(error).context(format!("cannot write {}", path.display()));
        Failure::caused(Exit::Missing, error)
    };
    std::fs::create_dir_all(path.parent().expect("it lies in a folder")).map_err(failed)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    std::fs::write(&beside, text).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}

/// Says what was found, guessed and done.
struct Teller {
    format: Format,
}

impl Teller {
    fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    fn seen(&self, seen: &Seen, passed: &[String]) {
        if self.is_json() {
            return;
        }
        for service in &seen.services {
            let run = service.run.as_ref();
            let how = match (&service.dockerfile, run) {
                (Some(file), _) if seen.is_on_ecs() => format!("an image, by {file}"),
                (_, Some(run)) if run.guessed => format!("a guess: {}", run.because),
                (_, Some(run)) => run.because.clone(),
                (Some(file), None) => format!("an image, by {file}"),
                (None, None) => "nothing says how it starts".to_owned(),
            };
            out(&format!("found    {}: {how}", service.name));
        }
        for environment in seen.environments() {
            let place = environment.cluster.map_or_else(
                || "this machine; no workflow names a place".to_owned(),
                |cluster| format!("ECS, cluster {cluster}"),
            );
            out(&format!("found    {}: {place}", environment.name));
        }
        passed.iter().for_each(|it| out(&format!("passed   {it}")));
    }

    fn file(&self, file: &Proposed, became: Became) {
        if self.is_json() {
            let line = json!({
                "type": "file", "path": file.path, "became": became.word(), "why": file.why,
            });
            return out(&line.to_string());
        }
        let style = Style::stdout();
        let word = match became {
            Became::Written | Became::Overwritten => style.green("wrote   "),
            Became::Same => "as it is".to_owned(),
            Became::Kept => style.yellow("kept    "),
            Became::OnlyShown => "would be".to_owned(),
        };
        out(&format!("{word} {}", file.path));
        if became != Became::Same {
            file.why.iter().for_each(|it| out(&format!("           {it}")));
        }
        if became == Became::Kept {
            talk(&format!("hint: {} was not overwritten; --yes does that", file.path));
        }
    }

    fn left(&self, what: &str) {
        if self.is_json() {
            return out(&json!({ "type": "left", "what": what }).to_string());
        }
        out(&format!("left     {what}"));
    }

    fn next(&self, seen: &Seen) {
        if self.is_json() || seen.services.is_empty() {
            return;
        }
        if seen.is_on_ecs() {
            for environment in seen.environments() {
                let name = environment.name;
                talk(&format!("its role: launchway environments iam {name} --as terraform"));
            }
        }
        let first = seen.environments().first().map_or(String::new(), |it| it.name.clone());
        talk(&format!("next: launchway check, then launchway deploy {first} --plan"));
    }
}
