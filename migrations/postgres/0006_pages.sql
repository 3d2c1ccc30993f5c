-- A page of a list, by its filters (by authority: 0011): among however many.

CREATE INDEX agreement_of_service ON agreement (service, id);
CREATE INDEX agreement_of_system ON agreement (system, id);
CREATE INDEX agreement_in_state ON agreement (state, id);
