-- Version 6: what jobs shipped is counted anew, as far as the journal still has it; what it has not stays.

UPDATE cursor SET position = 0;
