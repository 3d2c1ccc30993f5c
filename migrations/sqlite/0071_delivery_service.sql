-- The service that a delivery was sent to, so that its operators can be told of one whose node was killed. Not whose delivery it is.
ALTER TABLE delivery ADD COLUMN service TEXT;
