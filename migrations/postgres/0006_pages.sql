-- A page of a list, by each of the filters that there are: among however many.

CREATE INDEX agreement_of_authority ON agreement (authority, id);
CREATE INDEX agreement_of_service ON agreement (service, id);
CREATE INDEX agreement_of_system ON agreement (system, id);
CREATE INDEX agreement_in_state ON agreement (state, id);
