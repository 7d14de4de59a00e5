-- +goose Up
CREATE TABLE remote_tasks (
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
CREATE INDEX remote_tasks_account ON remote_tasks (account, at, id);
CREATE INDEX remote_tasks_parent ON remote_tasks (parent, at, id);
CREATE INDEX remote_tasks_name ON remote_tasks (account, name);
CREATE INDEX remote_tasks_state ON remote_tasks (state, at, id);
