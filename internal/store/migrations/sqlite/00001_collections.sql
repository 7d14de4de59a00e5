-- +goose Up
CREATE TABLE groups (
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
CREATE INDEX groups_account ON groups (account, at, id);
CREATE INDEX groups_parent ON groups (parent, at, id);
CREATE INDEX groups_name ON groups (account, name);
CREATE INDEX groups_state ON groups (state, at, id);
CREATE TABLE revisions (
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
CREATE INDEX revisions_account ON revisions (account, at, id);
CREATE INDEX revisions_parent ON revisions (parent, at, id);
CREATE INDEX revisions_name ON revisions (account, name);
CREATE INDEX revisions_state ON revisions (state, at, id);
CREATE TABLE instances (
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
CREATE INDEX instances_account ON instances (account, at, id);
CREATE INDEX instances_parent ON instances (parent, state, at, id);
CREATE INDEX instances_name ON instances (account, name);
CREATE INDEX instances_state ON instances (state, at, id);
CREATE TABLE actions (
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
CREATE INDEX actions_account ON actions (account, at, id);
CREATE INDEX actions_parent ON actions (parent, state, at, id);
CREATE INDEX actions_name ON actions (account, name);
CREATE INDEX actions_state ON actions (state, at, id);
CREATE TABLE places (
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
CREATE INDEX places_account ON places (account, at, id);
CREATE INDEX places_parent ON places (parent, at, id);
CREATE INDEX places_name ON places (account, name);
CREATE INDEX places_state ON places (state, at, id);
CREATE TABLE accounts (
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
CREATE INDEX accounts_account ON accounts (account, at, id);
CREATE INDEX accounts_parent ON accounts (parent, at, id);
CREATE INDEX accounts_name ON accounts (account, name);
CREATE INDEX accounts_state ON accounts (state, at, id);
CREATE TABLE organisations (
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
CREATE INDEX organisations_account ON organisations (account, at, id);
CREATE INDEX organisations_parent ON organisations (parent, at, id);
CREATE INDEX organisations_name ON organisations (account, name);
CREATE INDEX organisations_state ON organisations (state, at, id);
CREATE TABLE tokens (
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
CREATE INDEX tokens_account ON tokens (account, at, id);
CREATE INDEX tokens_parent ON tokens (parent, at, id);
CREATE INDEX tokens_name ON tokens (account, name);
CREATE INDEX tokens_state ON tokens (state, at, id);
CREATE TABLE installation (
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
CREATE INDEX installation_account ON installation (account, at, id);
CREATE INDEX installation_parent ON installation (parent, at, id);
CREATE INDEX installation_name ON installation (account, name);
CREATE INDEX installation_state ON installation (state, at, id);
CREATE TABLE decisions (
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
CREATE INDEX decisions_account ON decisions (account, at, id);
CREATE INDEX decisions_parent ON decisions (parent, at, id);
CREATE INDEX decisions_name ON decisions (account, name);
CREATE INDEX decisions_state ON decisions (state, at, id);
CREATE TABLE market_snapshots (
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
CREATE INDEX market_snapshots_account ON market_snapshots (account, at, id);
CREATE INDEX market_snapshots_parent ON market_snapshots (parent, at, id);
CREATE INDEX market_snapshots_name ON market_snapshots (account, name);
CREATE INDEX market_snapshots_state ON market_snapshots (state, at, id);
CREATE TABLE meters (
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
CREATE INDEX meters_account ON meters (account, at, id);
CREATE INDEX meters_parent ON meters (parent, at, id);
CREATE INDEX meters_name ON meters (account, name);
CREATE INDEX meters_state ON meters (state, at, id);
CREATE TABLE ledger_lines (
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
CREATE INDEX ledger_lines_account ON ledger_lines (account, at, id);
CREATE INDEX ledger_lines_parent ON ledger_lines (parent, at, id);
CREATE INDEX ledger_lines_name ON ledger_lines (account, name);
CREATE INDEX ledger_lines_state ON ledger_lines (state, at, id);
CREATE TABLE pools (
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
CREATE INDEX pools_account ON pools (account, at, id);
CREATE INDEX pools_parent ON pools (parent, at, id);
CREATE INDEX pools_name ON pools (account, name);
CREATE INDEX pools_state ON pools (state, at, id);
CREATE TABLE prices (
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
CREATE INDEX prices_account ON prices (account, at, id);
CREATE INDEX prices_parent ON prices (parent, at, id);
CREATE INDEX prices_name ON prices (account, name);
CREATE INDEX prices_state ON prices (state, at, id);
CREATE TABLE settings (
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
CREATE INDEX settings_account ON settings (account, at, id);
CREATE INDEX settings_parent ON settings (parent, at, id);
CREATE INDEX settings_name ON settings (account, name);
CREATE INDEX settings_state ON settings (state, at, id);
