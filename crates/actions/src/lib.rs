//! Actions by commit, the lock file, and the native versions
