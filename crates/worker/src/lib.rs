//! Runs one job: processes, actions, workflow commands, log bytes
