//! The files `~/.aws/config` and `~/.aws/credentials`: sections of keys.

use std::collections::BTreeMap;

/// The keys of each profile, of both files: those of `credentials` win.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profiles(BTreeMap<String, BTreeMap<String, String>>);

impl Profiles {
    /// Reads both files; what is not there is empty.
    pub(crate) fn read(config: &str, credentials: &str) -> Profiles {
        let mut profiles = Profiles::default();
        profiles.take(config, true);
        profiles.take(credentials, false);
        profiles
    }

    /// In `config` a profile is called `[profile NAME]`, and the default one may be `[default]`.
    fn take(&mut self, text: &str, is_config: bool) {
        let mut section: Option<String> = None;
        for line in text.lines() {
            let is_nested = line.starts_with([' ', '\t']);
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|it| it.split(']').next()) {
                let name = name.trim();
                section = match (is_config, name.strip_prefix("profile ")) {
                    (true, Some(name)) => Some(name.trim().trim_matches('"').to_owned()),
                    (true, None) if name != "default" => None,
                    _ => Some(name.to_owned()),
                };
                continue;
            }
            let (Some(section), Some((key, value))) = (&section, line.split_once('=')) else {
                continue;
            };
            if !is_nested {
                let keys = self.0.entry(section.clone()).or_default();
                // ` #` begins a comment behind a value.
                let value = value.split(" #").next().unwrap_or(value).trim();
                keys.insert(key.trim().to_ascii_lowercase(), value.to_owned());
            }
        }
    }

    pub(crate) fn get(&self, profile: &str) -> Option<&BTreeMap<String, String>> {
        self.0.get(profile)
    }
}
