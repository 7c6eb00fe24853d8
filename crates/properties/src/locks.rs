//! The lock file of actions, whatever somebody made of it.

use actions::native::testing::lock_again;

/// An input is a lock file.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(written) = lock_again(&text) else { return };
    assert_eq!(lock_again(&written).expect("a lock file that was written"), written);
}
