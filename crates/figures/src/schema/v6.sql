-- Version 6: what jobs shipped is counted anew, as far as the journal still has it; what it has not stays.

-- 1: a further job of it was planned and is not over. Then it is in no figure.
ALTER TABLE shipment ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0;

UPDATE cursor SET position = 0;
