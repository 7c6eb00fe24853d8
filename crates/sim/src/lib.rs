//! The world, seeded and hostile: real machines behind fake doors
