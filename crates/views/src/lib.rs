//! Folds for reading: run list, run page
