-- Version 18: tests that take time are found without those that take none.

-- As slow_tests.rs asks.
CREATE INDEX result_slow ON result (run, attempt, test, time_ms)
    WHERE outcome = 'passed' AND time_ms >= 100;
