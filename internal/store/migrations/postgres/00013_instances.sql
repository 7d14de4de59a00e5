-- +goose Up
CREATE TABLE instance_tasks (
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
CREATE INDEX instance_tasks_account ON instance_tasks (account, at, id);
CREATE INDEX instance_tasks_parent ON instance_tasks (parent, at, id);
CREATE INDEX instance_tasks_name ON instance_tasks (account, name);
CREATE INDEX instance_tasks_state ON instance_tasks (state, at, id);
