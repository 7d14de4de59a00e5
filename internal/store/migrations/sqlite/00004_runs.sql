-- +goose Up
CREATE TABLE runs (
    id      TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    parent  TEXT NOT NULL,
    name    TEXT NOT NULL,
    state   TEXT NOT NULL,
    at      BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    doc     TEXT NOT NULL
);
CREATE INDEX runs_account ON runs (account, at, id);
CREATE INDEX runs_parent ON runs (parent, at, id);
CREATE INDEX runs_name ON runs (account, name);
CREATE INDEX runs_state ON runs (state, at, id);
