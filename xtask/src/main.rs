//! The project's own chores: `cargo xtask test | lint | tidy | bench | fuzz`.
//!
//! Automation is Rust and lives here, so that it is read, tested and linted like the rest.

mod bench;
mod conformance;
mod fuzz;
mod image;
mod lint;
mod machine;
mod mutants;
mod pictures;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  test [--install] [--only TIER]   every test this machine can run; names what it skips, and why
                                   --install: install what is missing first (needs root on Debian)
  real-actions --from DIR          unmodified actions of others beside ours; DIR has their repositories
  lint                             formatting, clippy, arrows, documentation
  tidy                             the house rules alone: arrows, module docs, sizes
  conformance [--check]            writes docs/conformance.md from the tests' own `proves:` lines
  bench [--quick] [--in FOLDER] [CHAPTER..]
                                   what Launchway costs beside the bare minimum, as a table of ratios
                                   CHAPTER: steps, jobs, check, output, act
  fuzz [--seconds N] [--keep] [TARGET..]
                                   each fuzz target for ten minutes, or as long as is said
                                   --keep: what reaches new code joins the corpus that tests replay
  image [--tag NAME] [--binary FILE] [--parts]
                                   a container image of the server, from Debian's packages and the binary
                                   --parts: what it is built of alone, in target/image
  machine                          tests of limits on a machine of their own: QEMU calculates it, systemd runs it
  pictures                         the README's pictures, from what the binary prints
  mutants [--draw SEED | --item N | --deployment]
                                   breaks forty items on purpose, one by one: do the tests notice?
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.split_first() {
        Some((&"test", rest)) => test::run(rest),
        Some((&"real-actions", ["--from", folder])) => test::real_actions(folder),
        Some((&"bench", rest)) => bench::run(rest),
        Some((&"fuzz", rest)) => fuzz::run(rest),
        Some((&"lint", [])) => lint::run(),
        Some((&"tidy", [])) => tidy::run(),
        Some((&"image", rest)) => image::make(rest),
        Some((&"machine", [])) => machine::run(),
        Some((&"pictures", [])) => pictures::make(),
        Some((&"mutants", rest)) => mutants::run(rest),
        Some((&"conformance", [])) => conformance::write(),
        Some((&"conformance", ["--check"])) => conformance::check(),
        _ => {
            shell::say(USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
