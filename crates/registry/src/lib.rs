//! Registries of images, by the API that all of them speak (OCI distribution, Docker's v2).
//!
//! ```text
//!   tag ──▶ Registry::manifest ──▶ Manifest (its bytes, its digest, what it names)
//!                                      │
//!             Registry::tag ◀──────────┼──▶ copy(from, to): blobs first, then manifests
//! ```
//!
//! A digest is what a deployment ships, so it is never taken on trust: the bytes of a manifest are
//! hashed here, and they must be what was asked for. Nothing is built and nothing is changed: a copy
//! is the same bytes under the same digest elsewhere.
//!
//! Where docker has a sign-in ([`docker_login`]), that is used; ECR's is `aws`'s business. Calls are
//! made one at a time and never repeated here. Not here: deleting, and listing what there is.

mod access;
mod copy;
mod docker;
mod manifest;
mod registry;

pub use access::Login;
pub use copy::{Copied, copy};
pub use docker::{docker_folder, docker_login};
pub use manifest::{Blob, Manifest, NoManifest};
pub use registry::{Registry, RegistryError};
