//! `launchway demo`: a small repository, and what a person would type in it, one command after the
//! other, done for real: from the check before the push to a broken version that comes back by itself.
//!
//! Every command is this very binary in a process of its own, shown before it runs: what the demo
//! shows is what a person gets. It needs `sh` and `git`, and touches nothing but its own folder. On a
//! terminal it ends by becoming the server of what it made.

pub(crate) mod page;
mod prober;
mod scene;
mod shipping;

use std::io::IsTerminal as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use serde_json::json;

use self::prober::Counts;
use self::scene::{GREETER, Scene, WORKFLOW_FILE};
use crate::cli::{DemoArgs, Format};
use crate::exit::{Exit, Failure, Outcome};
use crate::random;
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};

/// Where `serve` listens unless it is told otherwise.
const USUAL: &str = "127.0.0.1:7878";

/// The secret that the pipeline lacks at first.
const SECRET: &str = "SIGNING_KEY";

pub(crate) fn run(args: &DemoArgs, state: &StateFolder) -> Outcome {
    let began = Instant::now();
    needed_programs()?;
    let scene = Scene::set(state.demo(), args.format)?;
    let teller = Teller { style: Style::stderr() };

    teller.chapter("A small repository: two scripts, a workflow, and a place to push to");
    scene.write_workflow(&scene::with_a_mistake())?;
    scene.commit("A greeter in three languages")?;
    teller.files(&scene);

    teller.chapter("Before the push: is the workflow right?");
    expect(&scene, &["check"], Exit::Refused)?;

    teller.chapter("It is not. Mended as the hint says, it can be pushed");
    scene.write_workflow(scene::WORKFLOW)?;
    scene.commit("A job has timeout-minutes")?;
    expect(&scene, &["check"], Exit::Done)?;
    scene.push()?;

    teller.chapter("What the push starts: lint, tests in a matrix, a scan, a build, a signature");
    expect(&scene, &["run", "push", "--committed"], Exit::Failed)?;

    teller.chapter("Signing failed for want of a secret. With it, only what failed runs again");
    let key = random::hex::<16>()?;
    scene.give(SECRET, &key);
    expect(&scene, &["runs", "rerun", "--failed", "--secret", SECRET], Exit::Done)?;

    teller
        .chapter("The step printed its key. Nobody can read it: it was masked before it was kept");
    expect_json_less(&scene, &["runs", "logs", "--job", "sign"])?;
    scene.never_kept(&key)?;

    let counts = shipping::play(&scene, &teller);
    // Whatever the story came to, nothing of it is left running.
    scene.take_down(shipping::ENVIRONMENT)?;
    let counts = counts?;
    the_end(args.format, &scene, began, counts);
    if counts.failed > 0 {
        let message = format!("{} of {} requests failed", counts.failed, counts.requests);
        return Err(Failure::new(Exit::Failed, message));
    }
    let is_watched = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
    if args.no_open || args.format != Format::Human || !is_watched {
        return Ok(Exit::Done);
    }
    serve(&scene, &teller)
}

/// Becomes the server of what the demo made, which ends with Ctrl-C: a person may look at it on pages,
/// push to it, deploy again.
fn serve(scene: &Scene, teller: &Teller) -> Outcome {
    teller.chapter("The same on pages: who did what, and why. Ctrl-C ends it");
    let state = scene.state().display().to_string();
    let remote = scene.remote().display().to_string();
    expect(
        scene,
        &["repositories", "add", &remote, "--name", "demo/greeter", "--data", &state],
        Exit::Done,
    )?;
    // Where somebody serves already, this one takes any other port.
    let is_free = TcpListener::bind(USUAL).is_ok();
    let elsewhere = ["--listen", "127.0.0.1:0"];
    let mut args = vec!["serve", "--data", &state];
    args.extend(if is_free { &[][..] } else { &elsewhere[..] });
    talk(&teller.style.cyan(&format!("$ launchway {}", args.join(" "))));
    let error = Command::new(program()?).args(&args).current_dir(scene.repository()).exec();
    Err(Failure::caused(Exit::Missing, error))
}

/// What tells the story, on standard error: data is the commands' own.
struct Teller {
    style: Style,
}

impl Teller {
    fn chapter(&self, title: &str) {
        talk("");
        talk(&self.style.bold(&format!("── {title}")));
        talk("");
    }

    fn files(&self, scene: &Scene) {
        talk(&format!("   {}", scene.repository().display()));
        for (path, about) in GREETER {
            talk(&format!("     {path:<26}{}", self.style.dim(about)));
        }
        talk(&format!(
            "     {WORKFLOW_FILE:<26}{}",
            self.style.dim("lint, test, scan, build, sign")
        ));
    }
}

/// Runs a command of ours, shown as it would be typed. Any other end than the one that the story
/// tells is a fault, and ends the demo.
fn expect(scene: &Scene, args: &[&str], wanted: Exit) -> Result<(), Failure> {
    talk(&Style::stderr().cyan(&format!("$ launchway {}", args.join(" "))));
    let ended = scene.launchway(args, scene.format())?;
    if ended == Some(wanted as i32) {
        return Ok(());
    }
    let shown = ended.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
    if ended == Some(Exit::Cancelled as i32) {
        return Err(Failure::new(Exit::Cancelled, "the demo was stopped"));
    }
    let message = format!("launchway {} ended with {shown}, not {}", args.join(" "), wanted as i32);
    Err(Failure::new(Exit::Failed, message).hint(format!(
        "what was made is kept: cd {} && launchway --state {} runs show",
        scene.repository().display(),
        scene.state().display()
    )))
}

/// A command that writes text for people alone: shown to people only.
fn expect_json_less(scene: &Scene, args: &[&str]) -> Result<(), Failure> {
    match scene.format() {
        Format::Human => expect(scene, args, Exit::Done),
        Format::Json | Format::Github => Ok(()),
    }
}

fn the_end(format: Format, scene: &Scene, began: Instant, counts: Counts) {
    let seconds = began.elapsed().as_secs_f64();
    if format == Format::Json {
        let rounded = (seconds * 10.0).round() / 10.0;
        let line = json!({
            "type": "demo_completed", "requests": counts.requests,
            "requests_failed": counts.failed, "rolled_back": true, "seconds": rounded,
        });
        out(&line.to_string());
    }
    let style = Style::stderr();
    talk("");
    talk(&format!(
        "{} requests were made while versions came and went; {} failed.",
        counts.requests, counts.failed
    ));
    talk(&style.green(&format!("✓ the demo is over, after {seconds:.1} s")));
    talk("");
    talk("Look around in it:");
    talk(&format!("  cd {}", scene.repository().display()));
    talk(&format!("  export LAUNCHWAY_STATE={}", scene.state().display()));
    let launchway = as_typed();
    talk(&format!("  {launchway} runs list"));
    talk(&format!("  {launchway} runs show 1 --attempt 1"));
    talk(&format!("  {launchway} deployments show 2"));
    talk(&format!("Or in a repository of your own:  {launchway} check && {launchway} run"));
}

/// What a person types to call this binary: its name where the PATH has one, else where it lies.
fn as_typed() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_on_path = std::env::split_paths(&path).any(|it| it.join("launchway").is_file());
    match program() {
        Ok(program) if !is_on_path => program.display().to_string(),
        _ => "launchway".to_owned(),
    }
}

fn needed_programs() -> Result<(), Failure> {
    for (program, args) in [("git", ["--version"].as_slice()), ("sh", &["-c", ":"])] {
        let answers = Command::new(program).args(args).output().is_ok_and(|it| it.status.success());
        if !answers {
            let message = format!("the demo needs {program}, which does not answer here");
            return Err(Failure::new(Exit::Missing, message)
                .hint(format!("install {program}, and see that it is on the PATH")));
        }
    }
    Ok(())
}

/// This binary.
fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| Failure::caused(Exit::Missing, error))
}
