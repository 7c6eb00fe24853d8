//! GitHub on a local port, to try a server against by hand.
//!
//!     cargo run -p model-github --example github -- FOLDER
//!
//! It has the repository octo/app, the person mona (token `ghp_mona`), and an app, 12, whose key is
//! FOLDER/key.pem. Lines on its input are done one by one: `hook URL SECRET` says where webhooks go,
//! `checks`, `comments`, `statuses` and `deployments` show what was told.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for a person at a terminal, around the pure model"
)]

use std::io::BufRead as _;
use std::path::PathBuf;

use model_github::{Front, GitHub, Hook};
use serde_json::Value as Json;

const REPOSITORY: &str = "octo/app";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("which folder?")?);
    std::fs::create_dir_all(&folder)?;
    let key = model_github::new_key();
    std::fs::write(folder.join("key.pem"), &key)?;
    let mut github = GitHub::default();
    github.app = Some(("12".to_owned(), key));
    github.tokens.insert("ghp_mona".to_owned(), "mona".to_owned());
    github.add(REPOSITORY);
    let front = Front::serve(github, &folder)?;
    println!("{}", front.url());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["hook", url, secret] => {
                let hook = Hook { url: (*url).to_owned(), secret: (*secret).to_owned() };
                front.with(|github| github.hook = Some(hook));
            }
            [what] => told(&front, what).iter().for_each(|line| println!("{line}")),
            _ => println!("hook URL SECRET, checks, comments, statuses, or deployments"),
        }
    }
    Ok(())
}

/// What the repository was told, a line each.
fn told(front: &Front, what: &str) -> Vec<String> {
    front.with(|github| {
        let repository = &github.repositories[REPOSITORY];
        let (all, keys): (&[Json], &[&str]) = match what {
            "checks" => (&repository.checks, &["name", "status", "conclusion"]),
            "comments" => (&repository.comments, &["body"]),
            "statuses" => (&repository.statuses, &["context", "state"]),
            "deployments" => (&repository.deployment_statuses, &["environment", "state"]),
            _ => return vec![format!("there are no {what}")],
        };
        let line =
            |it: &Json| keys.iter().map(|key| it[*key].to_string()).collect::<Vec<_>>().join(" ");
        all.iter().map(line).collect()
    })
}
