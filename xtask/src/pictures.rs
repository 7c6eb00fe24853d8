//! `cargo xtask pictures`: what people see on a terminal, as pictures for the README.
//!
//! Each is the real binary's real output, on the demo's small repository. Times in it are those of
//! the day it was made.

use std::fs;
use std::path::PathBuf;
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
    let shipped = place.ship();
    place.take_down()?;
    shipped?;
    pages()
}

/// Pages of the server, as a browser shows them: the tier `browser` makes a server with something of
/// everything.
fn pages() -> Result<()> {
    crate::test::ready_browser()?;
    let tests = ["test", "--quiet", "-p", "launchway", "--features", "browser", "--test", "e2e"];
    let mut cargo = command("cargo", &[&tests[..], &["browser::every_page"]].concat());
    cargo.env("LAUNCHWAY_PICTURES", root().join(FOLDER));
    cargo.env("LAUNCHWAY_PICTURES_ONLY", "approval");
    ensure!(cargo.status()?.success(), "the browser found something wrong");
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
        place.commit("A greeter in three languages")?;
        Ok(place)
    }

    /// A version that goes to this machine, and one that comes back.
    fn ship(&self) -> Result<()> {
        let settings = fs::read_to_string(root().join("crates/launchway/demo/launchway.yml"))?;
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?.to_string();
        drop(listener);
        let settings = settings.replace("ADDRESS", &address).replace("PROGRAM", "launchway");
        self.write("launchway.yml", &settings)?;
        self.write("site/greeting.txt", "Hello, world!\n")?;
        self.write("site/version.txt", "1.0\n")?;
        self.commit("The page says 1.0")?;
        self.output(&["deploy", "local", "--version", "1.0", "--yes"])?;
        fs::remove_file(self.repository.join("site/greeting.txt"))?;
        self.write("site/version.txt", "1.1\n")?;
        self.commit("The page says 1.1")?;
        let broken = ["deploy", "local", "--version", "1.1", "--yes"];
        self.picture("deploy", &[&broken])
    }

    /// A supervisor ends what nobody wants any more, and then itself.
    fn take_down(&self) -> Result<()> {
        let host = self.state.join("host/greeter/local");
        for file in ["routes/greeter.json", "wanted/greeter.json"] {
            let path = host.join(file);
            if path.exists() {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.repository.join(path);
        fs::create_dir_all(path.parent().expect("it lies in a folder"))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn commit(&self, message: &str) -> Result<()> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", message])
    }

    fn git(&self, args: &[&str]) -> Result<()> {
        let mut git = command("git", &["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]);
        let status = git.args(args).current_dir(&self.repository).status()?;
        ensure!(status.success(), "git {} ended with {status}", args.join(" "));
        Ok(())
    }

    /// Commands with what they print.
    fn picture(&self, name: &str, commands: &[&[&str]]) -> Result<()> {
        let mut shown = String::new();
        for args in commands {
            shown += &format!("\x1b[1m$ launchway {}\x1b[0m\n", args.join(" "));
            shown += &self.output(args)?;
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

    fn output(&self, args: &[&str]) -> Result<String> {
        let program = target().join("debug/launchway");
        // What is shipped calls it by its name.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(target().join("debug")).chain(std::env::split_paths(&path));
        // A deployment is told on standard error: its plan, and each step as it ends.
        let shown = if args.first() == Some(&"deploy") { "2>&1" } else { "" };
        let output = Command::new("sh")
            .args(["-c", &format!("exec \"$0\" \"$@\" {shown}")])
            .arg(&program)
            .args(args)
            .env("PATH", std::env::join_paths(folders)?)
            .env("USER", "ada")
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
