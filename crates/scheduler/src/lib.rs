//! Runs and jobs: which may start, which are skipped, when a run is done
