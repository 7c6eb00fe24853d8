//! `cargo xtask pictures`: what people see on a terminal, as pictures for the README.
//!
//! Each is the real binary's real output, on the demo's small repository. Times in it are those of
//! the day it was made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anstyle_svg::{Term, WIN10_CONSOLE};
use anyhow::{Context, Result, ensure};

use crate::shell::{self, command, root, say, target};

/// Where pictures lie, from the repository's root.
const FOLDER: &str = "docs/pictures";
/// As wide as a README's column.
const WIDTH_PX: usize = 820;
const WORKFLOW: &str = ".github/workflows/ci.yml";

/// Makes every picture anew.
pub(crate) fn make() -> Result<()> {
    shell::run("cargo", &["build", "--quiet", "-p", "launchway"])?;
    let place = Place::new()?;
    let workflow = fs::read_to_string(place.repository.join(WORKFLOW))?;
    place.write(WORKFLOW, &workflow.replacen("timeout-minutes", "timeout-minute", 1))?;
    place.picture("check", &[&["check"]])?;
    place.write(WORKFLOW, &workflow)?;
    place.picture("plan", &[&["plan"]])?;
    place.picture("run", &[&["run", "--committed"]])?;
    Ok(())
}

/// The demo's repository in a folder of ours.
struct Place {
    repository: PathBuf,
    state: PathBuf,
}

impl Place {
    fn new() -> Result<Place> {
        let folder = target().join("pictures");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let place = Place { repository: folder.join("greeter"), state: folder.join("state") };
        let demo = root().join("crates/launchway/demo");
        for (from, to) in
            [("greet.sh", "greet.sh"), ("test.sh", "test.sh"), ("workflows/ci.yml", WORKFLOW)]
        {
            place.write(to, &fs::read_to_string(demo.join(from))?)?;
        }
        place.git(&["init", "--quiet", "--initial-branch", "main"])?;
        place.git(&["add", "--all"])?;
        place.git(&["commit", "--quiet", "--message", "A greeter in three languages"])?;
        Ok(place)
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.repository.join(path);
        fs::create_dir_all(path.parent().expect("it lies in a folder"))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn git(&self, args: &[&str]) -> Result<()> {
        let mut git = command("git", &["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]);
        let status = git.args(args).current_dir(&self.repository).status()?;
        ensure!(status.success(), "git {} ended with {status}", args.join(" "));
        Ok(())
    }

    /// Commands with what they print to standard output.
    fn picture(&self, name: &str, commands: &[&[&str]]) -> Result<()> {
        let program = target().join("debug/launchway");
        let mut shown = String::new();
        for args in commands {
            shown += &format!("\x1b[1m$ launchway {}\x1b[0m\n", args.join(" "));
            shown += &self.output(&program, args)?;
        }
        let svg = Term::new().palette(WIN10_CONSOLE).min_width_px(WIDTH_PX).render_svg(&shown);
        // Dim as terminals show it.
        let svg = svg.replace("opacity: 0.4;", "opacity: 0.65;");
        let path = root().join(FOLDER).join(format!("{name}.svg"));
        fs::create_dir_all(path.parent().expect("it lies in a folder"))?;
        fs::write(&path, svg)?;
        say(&format!("{}", path.display()));
        Ok(())
    }

    fn output(&self, program: &Path, args: &[&str]) -> Result<String> {
        let output = Command::new(program)
            .args(args)
            .current_dir(&self.repository)
            .env("CLICOLOR_FORCE", "1")
            .env("LAUNCHWAY_STATE", &self.state)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let text = String::from_utf8(output.stdout).context("it is text")?;
        // Plain lines tell of a run while it goes on where there is no terminal.
        let page = text.find("\n\x1b[1mrun ").map_or(&*text, |at| &text[at..]);
        Ok(page.to_owned())
    }
}
