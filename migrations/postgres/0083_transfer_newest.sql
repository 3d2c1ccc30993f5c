-- The newest transfers, and of one sender those that were refused: looked for at each refusal, and by whoever looks.
CREATE INDEX transfer_newest ON transfer (received_us DESC, id);
CREATE INDEX transfer_refusals ON transfer (sender, received_us, id) WHERE state = 'AFVIST';
