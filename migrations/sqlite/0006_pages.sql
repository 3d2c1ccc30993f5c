-- A page of a list, by its filters (by authority: 0011), and the history of one agreement: among however many.

CREATE INDEX agreement_of_service ON agreement (service, id);
CREATE INDEX agreement_of_system ON agreement (system, id);
CREATE INDEX agreement_in_state ON agreement (state, id);
CREATE INDEX agreement_decision_agreement ON agreement_decision (agreement);
