-- Version 15: findings of scans are kept as long as one is compared with them.

-- 0: what it found is not kept any more. The row says that the tool looked.
ALTER TABLE scan ADD COLUMN is_kept INTEGER NOT NULL DEFAULT 1;

-- Of other branches, and of parts of a workflow, nobody is told.
DELETE FROM finding WHERE NOT EXISTS (
    SELECT 1 FROM attempt WHERE attempt.run = finding.run AND attempt.attempt = finding.attempt
    AND is_default_branch = 1 AND is_partial = 0);
DELETE FROM scan WHERE NOT EXISTS (
    SELECT 1 FROM attempt WHERE attempt.run = scan.run AND attempt.attempt = scan.attempt
    AND is_default_branch = 1 AND is_partial = 0);
-- As many as scans.rs keeps.
UPDATE scan SET is_kept = 0 WHERE (run, attempt, tool) IN (
    SELECT run, attempt, tool FROM (
        SELECT scan.run, scan.attempt, tool, row_number() OVER (
            PARTITION BY repository, workflow, tool
            ORDER BY completed_at DESC, scan.run DESC, scan.attempt DESC) AS place
        FROM scan JOIN attempt ON attempt.run = scan.run AND attempt.attempt = scan.attempt)
    WHERE place > 20);
DELETE FROM finding WHERE EXISTS (
    SELECT 1 FROM scan WHERE scan.run = finding.run AND scan.attempt = finding.attempt
    AND scan.tool = finding.tool AND is_kept = 0);

CREATE INDEX scan_kept ON scan (tool, run, attempt) WHERE is_kept = 1;
