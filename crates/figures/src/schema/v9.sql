-- Version 9: the newest that jobs shipped anywhere are found without looking at the others.

CREATE INDEX shipment_last ON shipment (finished_at, position, stream, environment, service)
    WHERE is_by_jobs = 1;
