//! Which repository at which GitHub, and who asks there.

use std::sync::Arc;

use forge::{Credentials, GitHub};

use super::super::named::Here;
use crate::cli::SyncArgs;
use crate::commands::github::checked;
use crate::exit::{Exit, Failure};
use crate::running::given;
use crate::serving::data::DataFolder;
use crate::serving::github::{Links, Place as Address};
use crate::serving::repositories::{checked_name, keeping};

const GITHUB: &str = "https://github.com";

/// Where values go.
pub(super) struct Place {
    pub(super) github: Arc<GitHub>,
    /// `https://github.com`
    pub(super) url: String,
    /// `octo/app`
    pub(super) repository: String,
    /// The number of the one that was connected, where nobody says which is meant.
    pub(super) number: Option<u64>,
}

impl Place {
    /// A server's repository goes where it comes from, as the server, unless somebody says that they ask themselves.
    pub(super) fn of(here: &Here, args: &SyncArgs) -> Result<Place, Failure> {
        let to = args.to.as_deref().map(checked_name).transpose()?;
        let Ok((state, true)) = here.keeper() else {
            return Place::of_person(&here.owner, to, args);
        };
        let data = DataFolder { state: state.clone() };
        let mirror = keeping::connected(&data, &here.owner)?.github;
        let numbers = mirror.filter(|_| to.is_none()).and_then(|it| it.numbers);
        let number = numbers.map(|it| it.repository);
        let to = to.or_else(|| mirror.map(|_| here.owner.clone()));
        let link = if args.url.is_none() { Links::of(data).get()? } else { None };
        let (Some(link), Some(repository)) = (link, to.clone()) else {
            return Ok(Place { number, ..Place::of_person(&here.owner, to, args)? });
        };
        Ok(Place { github: link.github, url: link.place.url, repository, number })
    }

    /// A clone goes where it comes from, if that is this GitHub: a token goes nowhere else.
    fn of_person(owner: &str, to: Option<String>, args: &SyncArgs) -> Result<Place, Failure> {
        let url = checked(args.url.as_deref().unwrap_or(GITHUB))?;
        let api = args.api.as_deref().map(checked).transpose()?;
        let api = api.unwrap_or_else(|| Address::api_of(&url));
        let host = url.split_once("://").map_or(url.as_str(), |(_, host)| host);
        let own = owner.strip_prefix(host).and_then(|it| it.strip_prefix('/'));
        let own = own.and_then(|it| checked_name(it).ok());
        let Some(repository) = to.or(own) else {
            let message = format!("{owner} is no repository at {url}");
            return Err(Failure::new(Exit::Usage, message).hint(
                "--to OWNER/NAME says which is meant; --url, at which GitHub that is not github.com",
            ));
        };
        let credentials = Credentials::Token(given::token_for(host)?);
        let github = Arc::new(GitHub::new(&api, credentials));
        Ok(Place { github, url, repository, number: None })
    }
}
