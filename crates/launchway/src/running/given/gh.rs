//! What somebody shows GitHub as themselves: a token of the environment, or what `gh` is signed in with.

use mask::Secret;

use crate::exit::{Exit, Failure};

/// Variables of a token for GitHub, as `gh` reads them.
const FOR_GITHUB: [&str; 2] = ["GH_TOKEN", "GITHUB_TOKEN"];
/// And for a GitHub of one's own: a token goes to nobody whom it is not for.
const FOR_OTHERS: [&str; 2] = ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];

/// The token for a GitHub at this host.
pub(crate) fn token_for(host: &str) -> Result<Secret, Failure> {
    let names = if host == "github.com" { FOR_GITHUB } else { FOR_OTHERS };
    let set = |name: &&str| std::env::var(name).ok().filter(|it| !it.trim().is_empty());
    let token = names.iter().find_map(set).or_else(|| token_of_gh(Some(host)));
    let Some(token) = token else {
        let [first, second] = names;
        return Err(Failure::new(Exit::Usage, format!("nobody is signed in to {host}"))
            .hint(format!("gh auth login --hostname {host}; or a token in {first} or {second}")));
    };
    let token = token.trim();
    if token.contains(|it: char| it.is_whitespace() || it.is_control()) {
        return Err(Failure::new(Exit::Usage, format!("what is shown to {host} is no token")));
    }
    Ok(Secret::new(token))
}

/// What the GitHub command line is signed in with.
pub(crate) fn token_of_gh(host: Option<&str>) -> Option<String> {
    let mut command = std::process::Command::new("gh");
    command.args(["auth", "token"]);
    if let Some(host) = host {
        command.args(["--hostname", host]);
    }
    let output = command.output().ok()?;
    let token = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !token.is_empty()).then_some(token)
}
