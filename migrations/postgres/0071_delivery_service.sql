-- The service that a delivery was sent to: as migrations/sqlite/0071_delivery_service.sql.
ALTER TABLE delivery ADD COLUMN service uuid;
