//! What the file says: typed workflows and action.yml, with places and diagnostics
