//! The journal and the blobs on this machine
