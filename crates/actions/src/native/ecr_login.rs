//! `aws-actions/amazon-ecr-login`: docker is signed in to registries of AWS by what the job is signed
//! in with.

use super::cloud::{self, Who};
use super::docker::login::{login, logout};
use super::step::{Failure, Step};
use super::{Native, NativeAction, Stage};

/// The registration.
pub(super) const ECR_LOGIN: Native = Native {
    action: NativeAction {
        name: "amazon-ecr-login",
        manifest: include_str!("ecr_login.yml"),
        stages: &[Stage::Main, Stage::Post],
    },
    of: "aws-actions/amazon-ecr-login",
    majors: &[1, 2],
    refs: &["main"],
    commits: &[
        ("062b18b96a7aff071d4dc91bc00c4c1a7945b076", 2),
        ("fa648b43de3d4d023bcb3f89ed6940096949c419", 2),
        ("d539f0932e70871a027e9d5a9d8fc38589180a64", 2),
        ("03f1aad4c6c7ffd436567f42f9384779290529bd", 2),
    ],
    run,
};

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    match stage {
        Stage::Pre => Ok(()),
        Stage::Main => sign_in(step),
        Stage::Post => {
            let registries = step.state("registries").unwrap_or_default();
            let mut registries = registries.split(',').filter(|it| !it.is_empty());
            registries.try_for_each(|registry| logout(step, registry, None))
        }
    }
}

fn sign_in(step: &mut Step) -> Result<(), Failure> {
    // The first major hides it only where it is asked to.
    let said = step.input("mask-password").to_lowercase();
    let hidden = if step.major(2) == 1 { said == "true" } else { said != "false" };
    if !hidden {
        step.warning("Your docker password is not masked. See https://github.com/aws-actions/amazon-ecr-login#docker-credentials for more information.");
    }
    let words = "Amazon ECR gave no authorization token";
    let proxy = step.given("http-proxy");
    let logins = match step.input("registry-type").to_lowercase().as_str() {
        "" | "private" => {
            let accounts = step.input("registries");
            let accounts: Vec<String> = accounts
                .split(',')
                .map(|it| it.trim().to_owned())
                .filter(|it| !it.is_empty())
                .collect();
            let region = cloud::region(step)?;
            let mut client = cloud::client_as(step, &region, Who::Step, None, proxy.as_deref())?;
            client.registry_logins(&accounts).map_err(|fault| cloud::failed(&fault, words))?
        }
        "public" => {
            let mut client =
                cloud::client_as(step, "us-east-1", Who::Step, None, proxy.as_deref())?;
            vec![client.public_registry_login().map_err(|fault| cloud::failed(&fault, words))?]
        }
        _ => {
            return Err(Failure::new(
                "Invalid input for 'registry-type', possible options are [private, public]",
            ));
        }
    };
    let mut done = Vec::new();
    for found in &logins {
        let registry = found.registry.split_once("://").map_or(&*found.registry, |(_, it)| it);
        if hidden {
            step.mask(found.password.expose());
        }
        if logins.len() == 1 {
            step.output("registry", registry);
        }
        login(step, &found.registry, &found.username, found.password.expose(), None)
            .map_err(|failure| could_not(registry, failure))?;
        let suffix = suffix(registry);
        step.output(&format!("docker_username_{suffix}"), &found.username);
        step.output(&format!("docker_password_{suffix}"), found.password.expose());
        done.push(registry.to_owned());
    }
    if !step.input("skip-logout").eq_ignore_ascii_case("true") {
        step.save_state("registries", &done.join(","));
    }
    Ok(())
}

fn could_not(registry: &str, failure: Failure) -> Failure {
    let message = format!("Could not login to registry {registry}: {}", failure.message);
    Failure { message, ..failure }
}

/// A registry's name as part of an output's: `111122223333_dkr_ecr_...`.
fn suffix(registry: &str) -> String {
    let mut suffix = String::new();
    for it in registry.chars() {
        if it.is_ascii_alphanumeric() || it == '_' {
            suffix.push(it);
        } else if !suffix.ends_with('\u{0}') {
            suffix.push('\u{0}');
        }
    }
    suffix.replace('\u{0}', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_named_after_the_registry() {
        assert_eq!(
            suffix("1.dkr.ecr.eu-central-1.amazonaws.com"),
            "1_dkr_ecr_eu_central_1_amazonaws_com"
        );
        assert_eq!(suffix("a_.-b"), "a__b");
    }
}
