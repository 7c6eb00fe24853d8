//! The steps inside one job: order, conditions, outputs, timeouts, pre and post
