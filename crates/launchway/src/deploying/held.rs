//! What a request is held to: the rules of the default branch, who asked, who wrote it, what is
//! green, and what has to open.

use std::sync::Arc;

use event::{Actor, DeploymentRequest, Protection};
use mask::MaskedText;
use settings::Environment;
use views::Ledger;

use super::book::Book;
use super::checks::{Runs, must_be_green};
use super::gates::{self, Attempt, GOING_BACK};
use super::people::{self, People};
use super::places;
use super::request::{Source, on_below};
use super::rules::Ruling;
use super::wish::{What, Wish};
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;
use crate::terminal::style::talk;

/// Where there is no remote, whoever has the clone can change the rules: that is said.
fn say_where(ruling: &Ruling) {
    if ruling.is_remote || ruling.environment().protect.is_empty() {
        return;
    }
    let branch = &ruling.rules.branch;
    let place = if branch.is_empty() { "launchway.yml here" } else { branch };
    talk(&format!(
        "note: there is no remote; the rules are those of {place}, and whoever can commit there can change them"
    ));
}

/// What a request is held to.
pub(super) struct Held<'a> {
    pub(super) found: &'a Found,
    pub(super) book: &'a Book,
    pub(super) environment: &'a Environment,
    pub(super) ruling: &'a Ruling,
    pub(super) wish: &'a Wish<'a>,
    pub(super) source: &'a Source,
}

impl Held<'_> {
    /// Adds what has to open, who asked for it, and what is passed.
    pub(super) fn protect(
        &self,
        request: &mut DeploymentRequest,
        ledger: &Ledger,
    ) -> Result<(), Failure> {
        let Held { found, environment, ruling, wish, .. } = self;
        let name = &environment.name.value;
        let (restores, spared) = (wish.what.ships_nothing(), wish.what.is_spared());
        request.protection = Some(Box::new(Protection {
            rules: ruling.rules.clone(),
            proof: None,
            passed: Vec::new(),
        }));
        if ruling.guards() {
            places::must_be_as_ruled(found, ruling, name, &request.services)?;
        }
        if !self.book.is_of(found) {
            return Err(Failure::new(Exit::Forbidden, "the journal of the settings is not open"));
        }
        let wanted = people::wanted(found, environment, ruling);
        let is_asked = !wanted.is_empty() && !spared;
        let mut by = People::default();
        let mut authors = Vec::new();
        if is_asked && !wish.only_look {
            let proof = people::ask(request, ruling, wish.agreed.key)?;
            let (person, _) = ruling.signers.owner(&proof.key).expect("it was looked for");
            request.by = Actor {
                name: MaskedText::without_secrets(person.name()),
                proof: "ssh".into(),
                source: None,
                address: None,
            };
            request.protection.as_mut().expect("set above").proof = Some(proof.kept);
            by.requester = Some(person);
        }
        let may_authors =
            ruling.environment().protect.authors.value && environment.protect.authors.value;
        if is_asked && !may_authors {
            authors = people::authors(found, request, ledger)?;
        }
        by.authors = &authors;
        if !restores {
            self.must_be_proven(request)?;
        }
        let word = if matches!(wish.what, What::Restore(_)) { GOING_BACK } else { "yes" };
        let attempt = Attempt {
            hotfix: matches!(wish.what, What::Ship { hotfix: true, .. }),
            restores,
            spared,
            word,
            agreed: wish.agreed,
            branch: self.source.branch.as_deref(),
            tags: &self.source.tags,
            people: &by,
            now: jiff::Timestamp::now(),
        };
        let opening = gates::of(found, environment, ruling, &attempt)?;
        request.gates = opening.gates;
        request.protection.as_mut().expect("set above").passed = opening.passed;
        if !wish.only_look {
            say_where(ruling);
        }
        Ok(())
    }

    /// What ships ran well below, and what checks it is green.
    fn must_be_proven(&self, request: &DeploymentRequest) -> Result<(), Failure> {
        let both = [self.ruling.environment(), self.environment];
        let name = &self.environment.name.value;
        for below in both.iter().filter_map(|it| it.below.as_ref()) {
            on_below(self.book, name, &below.value, &request.services)?;
        }
        let checks = both.into_iter().flat_map(|it| &it.protect.checks);
        let mut checks: Vec<&str> = checks.map(|check| &*check.value).collect();
        checks.sort_unstable();
        checks.dedup();
        let runs = Runs::new(Arc::clone(&self.book.store));
        // Of each release its own commit: what is promoted was not made from what lies here.
        for service in &request.services {
            let commit = service.release.commit.as_deref();
            must_be_green(&runs, name, &checks, commit)?;
        }
        Ok(())
    }
}
