//! The rules as the remote said them last. An environment that wants nobody and nothing is held to
//! them while the remote is away; one that is protected is not deployed to without asking.
//!
//! What the clone thinks of `origin/main` is not looked at: whoever has the clone writes that.

use std::path::PathBuf;

use event::{Digest, Rules, Timestamp};
use mask::MaskedText;
use repository::Repository;
use serde::{Deserialize, Serialize};
use settings::Environment;

use super::{Read, Ruling, Texts, Where};
use crate::exit::Failure;
use crate::state::StateFolder;

/// Rules older than this may have become others: the remote has to be asked again.
const AGE_MAX_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// Hex digits of a file's name.
const NAME_DIGITS: usize = 16;

/// The file, of this format alone: another one's is as good as none.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    source: String,
    branch: String,
    commit: String,
    at_ms: u64,
    texts: Texts,
}

const FORMAT: u32 = 1;

impl Where {
    /// Keeps what the remote said. That it cannot be kept is no reason not to deploy: the next
    /// deployment without the remote is refused then.
    pub(crate) fn remember(&self, ruling: Ruling, state: &StateFolder, now: Timestamp) -> Ruling {
        if !ruling.is_remote {
            return ruling;
        }
        let source = ruling.rules.source.as_str();
        let Ruling { rules, texts, .. } = &ruling;
        let kept = serde_json::json!({
            "format": FORMAT,
            "source": source,
            "branch": rules.branch,
            "commit": rules.commit,
            "at_ms": now.0,
            "texts": texts,
        });
        let at = self.kept_at(source, state);
        let _ = crate::running::files::write_beside(&at, kept.to_string().as_bytes());
        ruling
    }

    /// What the remote said last, and when, where that is enough to deploy to this
    /// environment: it was not long ago, and neither there nor in the settings that ship anything
    /// protects it.
    pub(crate) fn remembered(
        &self,
        own: &Environment,
        state: &StateFolder,
        now: Timestamp,
    ) -> Result<Option<(Ruling, Timestamp)>, Failure> {
        let Some(kept) = self.kept(state) else { return Ok(None) };
        // A clock that was put back makes them new, not old.
        if now.0.saturating_sub(kept.at_ms) > AGE_MAX_MS {
            return Ok(None);
        }
        let read_at = Timestamp(kept.at_ms);
        let place = format!("{} of {}, as read last", kept.branch, kept.source);
        let read = Read::new(&place, kept.texts.settings, kept.texts.signers)?;
        let rules = Rules {
            source: MaskedText::without_secrets(kept.source),
            branch: kept.branch.into(),
            commit: kept.commit.into(),
            digest: Digest::ZERO,
        };
        let ruling = self.rule_of(read, rules, (&place, true))?;
        let is_free = ruling.environment().protect.is_empty() && own.protect.is_empty();
        Ok(is_free.then_some((ruling, read_at)))
    }

    fn kept(&self, state: &StateFolder) -> Option<Kept> {
        let repository = Repository::discover(&crate::settings_file::folder(&self.file)).ok()?;
        let source = repository.tip_source().ok()??;
        let text = std::fs::read_to_string(self.kept_at(&source, state)).ok()?;
        let kept: Kept = serde_json::from_str(&text).ok()?;
        (kept.format == FORMAT && kept.source == source).then_some(kept)
    }

    /// Where they are kept: by the remote's address and the settings' file.
    fn kept_at(&self, source: &str, state: &StateFolder) -> PathBuf {
        let file = std::path::absolute(&self.file).unwrap_or_else(|_| self.file.clone());
        let name = Digest::of(format!("{source}\n{}", file.display()).as_bytes()).to_string();
        state.rules().join(format!("{}.json", &name[..NAME_DIGITS]))
    }
}
