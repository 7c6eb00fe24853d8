//! Manifests of images, whatever a registry gives.

use registry::Manifest;

/// An input is a manifest's bytes.
pub fn check(input: &[u8]) {
    let Ok(manifest) = Manifest::read(input.to_vec(), Some("application/json")) else { return };
    assert_eq!(manifest.bytes, input, "its digest is over exactly these");
    let blobs = manifest.blobs();
    let named = blobs.iter().map(|it| it.digest.clone()).chain(manifest.children());
    for digest in named {
        // It becomes a part of an address.
        let hex = digest.strip_prefix("sha256:").expect("a digest of SHA-256");
        assert!(hex.len() == 64 && hex.bytes().all(|it| it.is_ascii_hexdigit()), "{digest}");
    }
    let sum: u128 = blobs.iter().map(|it| u128::from(it.size_bytes)).sum();
    assert_eq!(u128::from(manifest.size_bytes()), sum);
    if let Some(config) = manifest.config() {
        assert!(blobs.contains(&config), "what describes an image is a part of it");
    }
}
