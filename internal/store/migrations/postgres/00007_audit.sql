-- +goose Up
-- What a release that does not know of hashes seals has none.
ALTER TABLE audit ADD COLUMN hash TEXT;
CREATE TABLE audit_marks (
    id      TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    parent  TEXT NOT NULL,
    name    TEXT NOT NULL,
    state   TEXT NOT NULL,
    at      BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    doc     JSON NOT NULL
);
CREATE INDEX audit_marks_account ON audit_marks (account, at, id);
CREATE INDEX audit_marks_parent ON audit_marks (parent, at, id);
CREATE INDEX audit_marks_name ON audit_marks (account, name);
CREATE INDEX audit_marks_state ON audit_marks (state, at, id);
