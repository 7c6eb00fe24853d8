-- Version 16: what is known of a version is found by its tag, and by its commit.

CREATE INDEX attempt_of_push ON attempt (repository, git_ref) WHERE event = 'push';
CREATE INDEX shipment_of_commit ON shipment (made_from) WHERE made_from IS NOT NULL;
