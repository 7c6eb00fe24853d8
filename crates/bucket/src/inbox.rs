//! Approvals on their way from one machine to whoever drives a deployment on another.

use event::{DeploymentId, Digest};

use crate::error::BucketError;
use crate::journal::Shared;
use crate::objects::OnlyAbsent;

/// The most that somebody may hand in: what is longer is none of ours.
const HANDED_BYTES_MAX: u64 = 64 << 10;
/// What is looked at of one deployment; whoever may write there could write any number.
const HANDED_MAX: usize = 200;

/// Something that was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedIn {
    /// By what it is known.
    pub digest: Digest,
    /// What it says. Nothing of it was judged.
    pub text: String,
}

impl Shared {
    /// Hands something in for a deployment.
    ///
    /// # Errors
    /// When the bucket does not take it.
    pub fn hand_in(
        &self,
        deployment: DeploymentId,
        digest: &Digest,
        text: &str,
    ) -> Result<(), BucketError> {
        // What is there already under that digest is the same.
        self.objects.put(&name(deployment, digest), text.as_bytes(), OnlyAbsent::Yes).map(|_| ())
    }

    /// What was handed in for a deployment, but for what is known already.
    ///
    /// # Errors
    /// When the bucket does not say.
    pub fn handed_in(
        &self,
        deployment: DeploymentId,
        is_known: &dyn Fn(&Digest) -> bool,
    ) -> Result<Vec<HandedIn>, BucketError> {
        let page = self.objects.list(&format!("inbox/{deployment}/"), "")?;
        let digest = |name: &str| name.rsplit('/').next()?.parse::<Digest>().ok();
        let mut handed = Vec::new();
        for object in page.objects.iter().filter(|it| it.length <= HANDED_BYTES_MAX) {
            let Some(digest) = digest(&object.key).filter(|it| !is_known(it)) else { continue };
            if handed.len() == HANDED_MAX {
                break;
            }
            let Some(read) = self.objects.get(&object.key)? else { continue };
            handed.extend(String::from_utf8(read.bytes).ok().map(|text| HandedIn { digest, text }));
        }
        Ok(handed)
    }

    /// Takes it away again: it was answered.
    ///
    /// # Errors
    /// When the bucket does not do it. Nothing hangs on that: what is known is passed over.
    pub fn clear(&self, deployment: DeploymentId, digest: &Digest) -> Result<(), BucketError> {
        self.objects.remove(&name(deployment, digest))
    }
}

fn name(deployment: DeploymentId, digest: &Digest) -> String {
    format!("inbox/{deployment}/{digest}")
}
