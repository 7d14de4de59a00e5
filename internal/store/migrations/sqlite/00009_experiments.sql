-- +goose Up
CREATE TABLE experiments (
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
CREATE INDEX experiments_account ON experiments (account, at, id);
CREATE INDEX experiments_parent ON experiments (parent, at, id);
CREATE INDEX experiments_name ON experiments (account, name);
CREATE INDEX experiments_state ON experiments (state, at, id);
CREATE TABLE experiment_groups (
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
CREATE INDEX experiment_groups_account ON experiment_groups (account, at, id);
CREATE INDEX experiment_groups_parent ON experiment_groups (parent, at, id);
CREATE INDEX experiment_groups_name ON experiment_groups (account, name);
CREATE INDEX experiment_groups_state ON experiment_groups (state, at, id);
CREATE TABLE experiment_blocks (
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
CREATE INDEX experiment_blocks_account ON experiment_blocks (account, at, id);
CREATE INDEX experiment_blocks_parent ON experiment_blocks (parent, at, id);
CREATE INDEX experiment_blocks_name ON experiment_blocks (account, name);
CREATE INDEX experiment_blocks_state ON experiment_blocks (state, at, id);
