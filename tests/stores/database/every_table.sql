-- A row of each table, in SQLite's dialect, with what a move has to keep: texts of any letters, all bytes, the largest numbers,
-- instants to the microsecond, and nothing at all. A row of a table that is not there is passed over.
INSERT INTO authority (cvr, name, role)
VALUES ('99999981', 'Ærøskøbing "By" 😀', 'municipality');
INSERT INTO agreement (id, side, system, service, authority, environment, valid_from, valid_to, state, legal_basis, purpose, decided_by, decided_at, reason, scope)
VALUES ('00000000-0000-4000-8000-000000000001', 'front', '00000000-0000-4000-8000-000000000002',
    '00000000-0000-4000-8000-000000000003', '99999981', 'exttest', '2026-01-01T00:00:00.123456Z', NULL, 'GODKENDT', 'LUD § 8',
    'linje 1' || char(10) || 'linje 2', 'A. Jensen', '2026-01-02T03:04:05Z', 'sag 7', '{"kle":["32.03.04"]}');
INSERT INTO agreement_certificate (agreement, thumbprint)
VALUES ('00000000-0000-4000-8000-000000000001', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
INSERT INTO agreement_decision (sequence, agreement, from_state, to_state, decided_by, at, reason, decided_at)
VALUES (41, '00000000-0000-4000-8000-000000000001', NULL, 'GODKENDT', NULL, '2026-01-02T03:04:05.000001Z', NULL, NULL);
INSERT INTO api_user (id, name, kind, party, roles, services, valid_from, valid_to, person)
VALUES ('00000000-0000-4000-8000-000000000011', 'U. Underskriver', 'person', '99999981', '["signatory"]', '[]',
    '2026-01-01T00:00:00Z', NULL, '00000000-0000-4000-8000-000000000012');
INSERT INTO api_user_certificate (thumbprint, api_user, certificate, ended_at)
VALUES ('aa11', '00000000-0000-4000-8000-000000000011', 'MIIB', '2026-06-01T00:00:00Z');
INSERT INTO decision (id, subject, subject_id, from_state, to_state, api_user, party, role, certificate, signature, shown, reason, decided_at, claimed_by, claimed_at, recorded_at)
VALUES ('00000000-0000-4000-8000-000000000013', 'agreement', '00000000-0000-4000-8000-000000000001', 'ANMODET', 'GODKENDT',
    '00000000-0000-4000-8000-000000000011', '99999981', 'signatory', 'aa11', NULL, 'bb22', 'sag 7', '2026-01-02T03:04:05Z', NULL, NULL, NULL);
INSERT INTO api_user (id, name, kind, party, roles, services, valid_from, valid_to, person)
VALUES ('00000000-0000-4000-8000-000000000014', 'S. Stedfortræder', 'person', '99999981', '["system-owner"]', '[]',
    '2026-01-01T00:00:00Z', NULL, NULL);
INSERT INTO delegation (id, principal, substitute, role, services, valid_from, valid_to, given_at, ended_at)
VALUES ('00000000-0000-4000-8000-000000000015', '00000000-0000-4000-8000-000000000011', '00000000-0000-4000-8000-000000000014', 'signatory',
    '["00000000-0000-4000-8000-000000000003"]', '2026-01-01T00:00:00.000001Z', '2026-02-01T00:00:00Z', '2026-01-01T00:00:00Z', NULL);
INSERT INTO user_distinct (person, other)
VALUES ('00000000-0000-4000-8000-000000000012', '00000000-0000-4000-8000-000000000014');
INSERT INTO idempotency (api_user, key, digest, answer, at)
VALUES ('00000000-0000-4000-8000-000000000011', 'en-gang', 'cc33', '{"b":1,"a":"æ"}', '2026-01-02T03:04:05Z');
INSERT INTO route (id, service, environment, sender, receiver, valid_from, valid_to, system, address, entity_id, security, roots, signing_certificates)
VALUES ('00000000-0000-4000-8000-000000000021', '00000000-0000-4000-8000-000000000003', 'exttest', NULL, '99999981',
    '2026-01-01', '2026-12-31', '00000000-0000-4000-8000-000000000002', 'https://192.0.2.7/modtag', 'urn:example:a', 'token', 'rødder', 'certifikat');
INSERT INTO route_change (sequence, route, change, valid_to, changed_by, at, reason)
VALUES (7, '00000000-0000-4000-8000-000000000021', 'ended', '2026-12-31', 'A. Jensen', '2026-01-02T03:04:05Z', 'slut');
INSERT INTO store_restored (at, decided_to, by)
VALUES ('2026-01-03T00:00:00Z', NULL, 'B. Hansen');
INSERT INTO store_seen (node, mark, seen_at)
VALUES ('00000000-0000-4000-8000-000000000031', 3, '2026-01-03T00:00:00Z');
INSERT INTO replay_message (key, until_us)
VALUES (zeroblob(32), 9223372036854775807);
INSERT OR REPLACE INTO replay_memory (one, memory, since_us)
VALUES (1, 'hukommelse', -1);
INSERT INTO job (id, kind, in_order, payload, state, attempts, lease, problem, added_us, due_us)
VALUES (9, 'prøve', NULL, x'00ff7f80', 'dead', 3, '00000000-0000-4000-8000-000000000032', 'fejl', 1, 9223372036854775807);
INSERT INTO delivery (mark, content, state, holder, call, tries, held_until_us, changed_us, receipt, until_us, service)
VALUES (zeroblob(32), x'01', 'answered', '00000000-0000-4000-8000-000000000033', '00000000-0000-4000-8000-000000000034', 2, 1, 2, x'00', 3,
    '00000000-0000-4000-8000-000000000003');
INSERT INTO delivery_item (mark, delivery, accepted_us, until_us)
VALUES (x'02', zeroblob(32), NULL, 4);
INSERT INTO sortiment (id, service, list, name, version, authority, valid_from, valid_to, sha256, imported_at, published_at)
VALUES ('00000000-0000-4000-8000-000000000041', '00000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-000000000042',
    'Artskonti', '1', NULL, '2026-01-01', NULL, 'dd44', '2026-01-02T03:04:05Z', '2026-01-02T03:04:06Z');
INSERT INTO sortiment_part (sortiment, part, supplemented, party_demanded)
VALUES ('00000000-0000-4000-8000-000000000041', 'konto', 1, 0);
INSERT INTO sortiment_code (sortiment, part, code, name, class, sensitivity, valid_from, valid_to)
VALUES ('00000000-0000-4000-8000-000000000041', 'konto', '05.32', 'Hjælp', NULL, -9223372036854775808, '2026-01-01', NULL);
INSERT INTO sortiment_subscription (id, service, authority, system, list, structure, subscribed_at, ended_at)
VALUES ('00000000-0000-4000-8000-000000000043', '00000000-0000-4000-8000-000000000003', '99999981',
    '00000000-0000-4000-8000-000000000002', NULL, 2, '2026-01-02T03:04:05Z', NULL);
INSERT INTO trial (id, service, authority, opens_at, closes_at, opened_at, ended_at)
VALUES ('00000000-0000-4000-8000-000000000044', '00000000-0000-4000-8000-000000000003', '99999981', '2026-01-01T00:00:00Z',
    '2026-01-02T00:00:00Z', '2026-01-01T00:00:00.5Z', NULL);
INSERT INTO sftp_user (id, name, environment, system, authority, older_root, bytes_limit, disabled, valid_to_us, added_us, seen_us, refused_us, bytes_used, files_used, newest_us)
VALUES ('00000000-0000-4000-8000-000000000051', 'opus', 'exttest', '00000000-0000-4000-8000-000000000002', '99999981', 0, 1000, 1,
    NULL, 5, NULL, 9, 6, 7, 8);
INSERT INTO sftp_key (sftp_user, fingerprint, label, public_key, disabled, valid_to_us, added_us, seen_us)
VALUES ('00000000-0000-4000-8000-000000000051', 'SHA256:abc', 'nøgle', 'ssh-ed25519 AAAA', 0, NULL, 5, 6);
INSERT INTO file_order (id, state, sender, recipient, sender_authority, recipient_authority, inf_ref, pattern, legal_basis, purpose, valid_from, valid_to, largest_bytes, keep_days, alarm_hours, delete_days)
VALUES ('00000000-0000-4000-8000-000000000052', 'GODKENDT', '00000000-0000-4000-8000-000000000051',
    '00000000-0000-4000-8000-000000000051', '99999981', '99999981', 'INF1', NULL, 'LUD § 8', 'prøve', '2026-01-01', NULL, 1000, 30, 24, 60);
INSERT INTO file_content (id, in_use, sealed_key, length, sha256, since_us)
VALUES ('00000000-0000-4000-8000-000000000053', 1, x'00ff', 17, zeroblob(32), 9);
INSERT INTO transfer (id, sender, fingerprint, state, name, name_key, trigger_xml, transaction_id, content, sha256, codes, job, received_us, wait_until_us, ended_us, keep_until_us, repeats)
VALUES ('00000000-0000-4000-8000-000000000054', '00000000-0000-4000-8000-000000000051', 'SHA256:abc', 'KLAR', 'Fil.xml', 'fil.xml',
    x'3c612f3e', '00000000-0000-4000-8000-000000000055', '00000000-0000-4000-8000-000000000053', zeroblob(32), '', 9, 1, NULL, NULL, 2, NULL);
INSERT INTO file_delivery (transfer, recipient, file_order, state, delivered_us, alarm_us, delete_us, fetched_us, ended_us, told_us)
VALUES ('00000000-0000-4000-8000-000000000054', '00000000-0000-4000-8000-000000000051', '00000000-0000-4000-8000-000000000052',
    'HENTET', 1, 2, 3, 4, NULL, 5);
INSERT INTO file_answer (transfer, mark, subject, things, state, due_us, last_us, answered_us, answer)
VALUES ('00000000-0000-4000-8000-000000000054', x'01', '00000000-0000-4000-8000-000000000056', 2, 'AFVENTER', 3, NULL, NULL,
    '00000000-0000-4000-8000-000000000054');
INSERT INTO file_monitoring (id, sftp_user, inf_ref, pattern, rhythm_hours, alarm_hours, delete_days, told, since_us, last_us, silent_us, ended_us)
VALUES ('00000000-0000-4000-8000-000000000057', '00000000-0000-4000-8000-000000000051', NULL, '*.xml', 24, 24, 11,
    'drift@example.dk', 1, NULL, NULL, NULL);
INSERT INTO home_file (id, owner, folder, name, name_key, kind, transfer, held, size, modified_us, content, body, read_us)
VALUES ('00000000-0000-4000-8000-000000000058', '00000000-0000-4000-8000-000000000051', 'IN', 'Fil.xml', 'fil.xml', 'data',
    '00000000-0000-4000-8000-000000000054', 1, 17, 1, '00000000-0000-4000-8000-000000000053', NULL, NULL);
INSERT INTO audit_anchor (log, segment, covers, signed_checkpoint, anchored_at)
VALUES ('00000000-0000-4000-8000-000000000061', 1, 2, '{"segment":1}', '2026-01-02T03:04:05Z');
INSERT INTO audit_archived (log, segment, sha256, archived_at)
VALUES ('00000000-0000-4000-8000-000000000061', 1, 'ee55', '2026-01-02T03:04:05Z');
INSERT INTO audit_question_anchor (log, covers, signed_checkpoint, anchored_at)
VALUES ('00000000-0000-4000-8000-000000000061', 2, '{}', '2026-01-02T03:04:05Z');
INSERT INTO mailbox (id, number, environment, owner, state, legal_basis, purpose, email, phone, since_us, newest, sent, quota_bytes, bytes_lying, files_lying)
VALUES ('00000000-0000-4000-8000-000000000071', 'P-1', 'exttest', '99999981', 'AKTIV', 'LUD § 8', 'prøve', 'a@example.dk', '+4500000000', 1, 2, 3, 1000, 34, 2);
INSERT INTO mailbox_alias (mailbox, kind, code, valid_from, valid_to)
VALUES ('00000000-0000-4000-8000-000000000071', 'institution', '101', '2026-01-01', NULL);
INSERT INTO mailbox_stream (mailbox, code, direction, counterpart, validator, largest_bytes, rhythm_hours, keep_days, since_us)
VALUES ('00000000-0000-4000-8000-000000000071', 'S1', 'UD', NULL, 'ingen', 1000, NULL, 30, 1);
INSERT INTO mailbox_user (id, name, environment, authority, state, valid_to_us, added_us, seen_us, refused_us, fetched_us)
VALUES ('00000000-0000-4000-8000-000000000072', 'system-1', 'exttest', '99999981', 'SPAERRET', NULL, 1, NULL, 2, NULL);
INSERT INTO mailbox_user_certificate (thumbprint, mailbox_user, added_us, ended_us)
VALUES ('ff66', '00000000-0000-4000-8000-000000000072', 1, NULL);
INSERT INTO mailbox_user_key (fingerprint, mailbox_user, added_us, ended_us)
VALUES ('SHA256:77', '00000000-0000-4000-8000-000000000072', 1, NULL);
INSERT INTO mailbox_upload (id, mailbox_user, mailbox, stream, alias_kind, alias_code, name, name_key, content, size, modified_us)
VALUES ('00000000-0000-4000-8000-000000000076', '00000000-0000-4000-8000-000000000072', '00000000-0000-4000-8000-000000000071', 'S1', 'institution',
    '101', 'fil.xml.part', 'fil.xml.part', '00000000-0000-4000-8000-000000000053', 17, 1);
INSERT INTO mailbox_part (mailbox, delivery, at, size, content, announced, since_us)
VALUES ('00000000-0000-4000-8000-000000000071', '00000000-0000-4000-8000-000000000079', 0, 17, '00000000-0000-4000-8000-000000000053', 'ab12', 1);
INSERT INTO mailbox_joining (mailbox, delivery, claim, until_us)
VALUES ('00000000-0000-4000-8000-000000000071', '00000000-0000-4000-8000-000000000079', '00000000-0000-4000-8000-00000000007a', 1);
INSERT INTO mailbox_receipt (id, mailbox, file, name, name_key, body, written_us)
VALUES ('00000000-0000-4000-8000-000000000077', '00000000-0000-4000-8000-000000000071', NULL, 'fil.xml.sftpreceipt', 'fil.xml.sftpreceipt', X'3c', 1);
INSERT INTO mailbox_right (mailbox_user, mailbox, fetches, delivers)
VALUES ('00000000-0000-4000-8000-000000000072', '00000000-0000-4000-8000-000000000071', 1, 0);
INSERT INTO mailbox_request (id, authority, state, content, requested_us)
VALUES ('00000000-0000-4000-8000-000000000073', '99999981', 'ANMODET', '{"number":"P-1"}', 1);
INSERT INTO mailbox_file (id, delivery, sender, recipient, stream, alias_kind, alias_code, name, size, sha256, content, validation, remarks, excepted, excepted_by, transport, received_us, delivered_by, fetched_us, fetched_by, confirmed_us, delete_us, keep_days, number, sent, job)
VALUES ('00000000-0000-4000-8000-000000000074', '00000000-0000-4000-8000-000000000075', '00000000-0000-4000-8000-000000000071',
    '00000000-0000-4000-8000-000000000071', 'S1', 'institution', '101', 'fil.xml', 17, 'ab12', '00000000-0000-4000-8000-000000000053', 'GODKENDT', '[]',
    NULL, NULL, 'AFHENTET', 1, '00000000-0000-4000-8000-000000000072', 2, '00000000-0000-4000-8000-000000000072', NULL, 3, 30, NULL, 1, 9);
INSERT INTO mailbox_past (sender, delivery, validation, transport, received_us)
VALUES ('00000000-0000-4000-8000-000000000071', '00000000-0000-4000-8000-000000000078', 'AFVIST', 'KLAR', 1);
INSERT INTO person_counter (id, key_id, last)
VALUES (1, 'nøgle-1', 9223372036854775807);
INSERT INTO person_institution (home, erase_after_months, erased_us)
VALUES ('99999981/101', NULL, 9223372036854775807);
INSERT INTO person_number (pseudonym, number)
VALUES (zeroblob(32), 1);
INSERT INTO person (number, staff, home, user_key, email_key, inactive_from, manager, manager_waits, content)
VALUES (1, 'M1', '99999981/101', 'abcd', NULL, '2026-06-30', NULL, x'00', 'indhold');
INSERT INTO person_replayed (node, restored, read_to, told_to, told_head)
VALUES ('00000000-0000-4000-8000-000000000031', '2026-01-03T00:00:00Z', 9223372036854775807, 7, 'ab91');
INSERT INTO person_outbox (id, number, what, content, state, attempts, lease, problem, added_us, due_us, told_us)
VALUES (5, 1, 'SLET', x'7b7d', 'OPGIVET', 9, NULL, 'fejl', 1, 2, 3);
INSERT INTO person_campus (number, user_id, wakes)
VALUES (1, 'bruger-1', '2026-07-01');
INSERT INTO person_handed (number, authority, institution, staff_number, manager, manager_missing)
VALUES (1, '99999981', '101', 'M1', NULL, 0);
INSERT INTO console_session (id, secret, api_user, means, roles, subject, session_index, began_at, seen_at, ends_at, ended_at)
VALUES ('00000000-0000-4000-8000-000000000081', 'ab34', '00000000-0000-4000-8000-000000000011', 'saml', '["signatory"]', NULL, NULL,
    '2026-01-02T03:04:05Z', '2026-01-02T03:05:05Z', '2026-01-02T11:04:05Z', NULL);
INSERT INTO console_link (secret, api_user, made_at, ends_at, used_at)
VALUES ('cd56', '00000000-0000-4000-8000-000000000011', '2026-01-02T03:04:05Z', '2026-01-02T03:14:05Z', NULL);
INSERT INTO agreement_request (id, state, edition, party, made_by, content, made_at, changed_at)
VALUES ('00000000-0000-4000-8000-000000000082', 'KLADDE', 1, NULL, '00000000-0000-4000-8000-000000000011', '{"b":1,"a":"æ"}', '2026-01-02T03:04:05Z',
    '2026-01-02T03:04:06Z');
INSERT INTO client_system (id, party, name, contact, made_at, changed_at)
VALUES ('00000000-0000-4000-8000-000000000002', '99999991', 'Fagsystem', 'vagt@example.dk', '2026-01-02T03:04:05Z', '2026-01-02T03:04:06Z');
INSERT INTO client_system_certificate (thumbprint, system, certificate, not_before, not_after, added_at, ended_at)
VALUES ('ef78', '00000000-0000-4000-8000-000000000002', 'MIIB', '2026-01-01T00:00:00Z', '2028-01-01T00:00:00Z', '2026-01-02T03:04:05Z', NULL);
INSERT INTO client_system_certificate_before (thumbprint, system, until)
VALUES ('ef78', '00000000-0000-4000-8000-000000000002', '2026-01-02T03:04:05Z');
INSERT INTO notice_address (api_user, address, language, changed_at)
VALUES ('00000000-0000-4000-8000-000000000011', 'u@example.dk', 'da', '2026-01-02T03:04:05Z');
INSERT INTO notice_given (mark, at) VALUES ('expires 00000000-0000-4000-8000-000000000001 60', '2026-01-02T03:04:05Z');
INSERT INTO person_key (system, authority, key, digest, answer, at_us)
VALUES ('00000000-0000-4000-8000-000000000002', '99999981', 'en-gang', 'ab90', NULL, 1);
INSERT INTO connection (id, graph, service, environment, authority, client, client_supplier, receiver, receiver_authority, receiver_supplier, options,
    added_at, ended_at)
VALUES ('00000000-0000-4000-8000-000000000091', 'finans', '00000000-0000-4000-8000-000000000003', 'exttest', '99999981',
    '00000000-0000-4000-8000-000000000002', NULL, NULL, '99999981', NULL, '', '2026-01-02T03:04:05Z', NULL);
INSERT INTO connection_statement (id, place, task, party, reference, stated_by, stated_at, withdrawn_at)
VALUES ('00000000-0000-4000-8000-000000000092', '99999981', 'opgave', '99999981', 'sag 7', '00000000-0000-4000-8000-000000000011',
    '2026-01-02T03:04:05Z', NULL);
INSERT INTO connection_task (connection, task, person, due, wave)
VALUES ('00000000-0000-4000-8000-000000000091', 'opgave', NULL, '2026-06-30', 999);
INSERT INTO connection_task_given (connection, task, party, person, due, wave)
VALUES ('00000000-0000-4000-8000-000000000091', 'opgave', '99999981', NULL, '2026-06-30', 999);
INSERT INTO connection_seen (place, what, since, lost_at) VALUES ('00000000-0000-4000-8000-000000000091', 'answers', '2026-01-02T03:04:05Z', NULL);
INSERT INTO agreement_basis (digest, meaning, seen_at) VALUES ('aa', '{}', '2026-01-02T03:04:05Z');
INSERT INTO agreement_closing (id, agreement, kind, thing, part, closes_at, closed_at)
VALUES ('00000000-0000-4000-8000-0000000000a1', (SELECT id FROM agreement LIMIT 1), 'order', '00000000-0000-4000-8000-000000000053', '',
    '2026-01-02T03:04:05Z', NULL);
INSERT INTO agreement_taken_along (id, agreement, kind, thing, former, given, taken_at, undone_at)
VALUES ('00000000-0000-4000-8000-0000000000a2', (SELECT id FROM agreement LIMIT 1), 'route', '00000000-0000-4000-8000-000000000053', '', '2026-02-03',
    '2026-01-02T03:04:05Z', NULL);
