//! Sealing values in envelopes: each value under a random key of its own, that key under the machine's
//! (AES-256-GCM both), each bound to what it is the value of.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use mask::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Scope;

/// Bytes of a key.
pub(super) const KEY_LEN: usize = 32;
/// Keys in the file: more than one only while values go over to another.
pub(super) const KEYS_MAX: usize = 2;
/// Bytes of a key's digest that its name has: two keys of one machine are told apart.
const ID_LEN: usize = 8;

/// Whose value is sealed: it opens under these alone.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) scope: &'a Scope,
    pub(super) name: &'a str,
}

impl About<'_> {
    /// What a value is sealed with.
    fn of_value(self) -> String {
        let Scope { repository, environment } = self.scope;
        serde_json::json!(["launchway vault", 2, "value", repository, environment, self.name])
            .to_string()
    }

    /// What its key is wrapped with.
    fn of_key(self, by: &str) -> String {
        let Scope { repository, environment } = self.scope;
        serde_json::json!(["launchway vault", 2, "key", by, repository, environment, self.name])
            .to_string()
    }

    /// What a value was sealed with before there were envelopes.
    fn of_bare_value(self) -> String {
        let Scope { repository, environment } = self.scope;
        serde_json::json!(["launchway vault", 1, repository, environment, self.name]).to_string()
    }
}

/// A sealed value with the key that opens it, which is wrapped.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope {
    /// Which of the machine's keys wraps the value's own.
    key: String,
    /// The value's own key: nonce and sealed bytes, in hex.
    wrapped: String,
    /// The value: nonce and sealed bytes, in hex.
    sealed: String,
}

/// The system gives no random numbers.
#[derive(Debug)]
pub(super) struct NotSealed;

/// Keys of the machine. The first seals, the others open what it does not yet.
pub(super) struct Keys(Vec<Key>);

#[derive(Clone)]
struct Key([u8; KEY_LEN]);

impl Keys {
    /// One that nobody else has.
    pub(super) fn random() -> Result<Keys, NotSealed> {
        Ok(Keys(vec![Key::random()?]))
    }

    /// What a file holds; none where that are no keys.
    pub(super) fn read(bytes: &[u8]) -> Option<Keys> {
        let (keys, rest) = bytes.as_chunks::<KEY_LEN>();
        let is_whole = rest.is_empty() && (1..=KEYS_MAX).contains(&keys.len());
        is_whole.then(|| Keys(keys.iter().copied().map(Key).collect()))
    }

    /// What the file is to hold.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|it| it.0).collect()
    }

    /// Whether values still go over to the first.
    pub(super) fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// The one that seals, alone.
    pub(super) fn first(&self) -> Keys {
        Keys(vec![self.sealing().clone()])
    }

    /// With a new one that seals from now on.
    pub(super) fn before_them_another(&self) -> Result<Keys, NotSealed> {
        let mut keys = vec![Key::random()?];
        keys.extend(self.0.iter().cloned());
        assert!(keys.len() <= KEYS_MAX, "one change of the key is ended before the next");
        Ok(Keys(keys))
    }

    /// Puts a value into an envelope.
    pub(super) fn seal(&self, about: About<'_>, secret: &Secret) -> Result<Envelope, NotSealed> {
        let own = Key::random()?;
        let sealed = own.seal(about.of_value(), secret.expose().as_bytes())?;
        let (key, wrapped) = self.wrap(about, &own)?;
        Ok(Envelope { key, wrapped, sealed })
    }

    /// The value in an envelope; none where nobody put this one in here for that name.
    pub(super) fn open(&self, about: About<'_>, envelope: &Envelope) -> Option<Secret> {
        let bytes = self.unwrap(about, envelope)?.open(about.of_value(), &envelope.sealed)?;
        Some(Secret::new(std::str::from_utf8(&bytes).ok()?))
    }

    /// The same value, whose key the first of these wraps; none where it cannot be opened.
    pub(super) fn rewrap(
        &self,
        about: About<'_>,
        envelope: &Envelope,
    ) -> Option<Result<Envelope, NotSealed>> {
        let own = self.unwrap(about, envelope)?;
        let sealed = envelope.sealed.clone();
        Some(self.wrap(about, &own).map(|(key, wrapped)| Envelope { key, wrapped, sealed }))
    }

    /// A value that is sealed by the machine's key itself, as before there were envelopes.
    pub(super) fn open_bare(&self, about: About<'_>, sealed: &str) -> Option<Secret> {
        let bytes = self.0.iter().find_map(|key| key.open(about.of_bare_value(), sealed))?;
        Some(Secret::new(std::str::from_utf8(&bytes).ok()?))
    }

    #[cfg(test)]
    pub(super) fn seal_bare(&self, about: About<'_>, value: &str) -> String {
        self.sealing().seal(about.of_bare_value(), value.as_bytes()).expect("it is short")
    }

    fn sealing(&self) -> &Key {
        self.0.first().expect("there is one")
    }

    fn wrap(&self, about: About<'_>, own: &Key) -> Result<(String, String), NotSealed> {
        let id = self.sealing().id();
        let wrapped = self.sealing().seal(about.of_key(&id), &own.0)?;
        Ok((id, wrapped))
    }

    fn unwrap(&self, about: About<'_>, envelope: &Envelope) -> Option<Key> {
        let by = self.0.iter().find(|it| it.id() == envelope.key)?;
        let own = by.open(about.of_key(&envelope.key), &envelope.wrapped)?;
        Some(Key(own.try_into().ok()?))
    }
}

impl Key {
    fn random() -> Result<Key, NotSealed> {
        let mut bytes = [0; KEY_LEN];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NotSealed)?;
        Ok(Key(bytes))
    }

    /// Its name, which tells nothing of it.
    fn id(&self) -> String {
        let digest = Sha256::new().chain_update(b"launchway vault key\0").chain_update(self.0);
        hex(&digest.finalize()[..ID_LEN])
    }

    fn cipher(&self) -> RandomizedNonceKey {
        RandomizedNonceKey::new(&AES_256_GCM, &self.0).expect("it is as long as its keys are")
    }

    /// Nonce and sealed bytes, in hex.
    fn seal(&self, about: String, bytes: &[u8]) -> Result<String, NotSealed> {
        let mut bytes = bytes.to_vec();
        let nonce = self.cipher().seal_in_place_append_tag(Aad::from(about), &mut bytes);
        let nonce = nonce.map_err(|_| NotSealed)?;
        Ok(hex(nonce.as_ref()) + &hex(&bytes))
    }

    fn open(&self, about: String, sealed: &str) -> Option<Vec<u8>> {
        let mut bytes = unhex(sealed)?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let open = self.cipher().open_in_place(nonce, Aad::from(about), sealed).ok()?;
        Some(open.to_vec())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let is_even = digits.len().is_multiple_of(2);
    is_even.then(|| digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>())?
}
