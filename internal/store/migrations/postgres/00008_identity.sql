-- +goose Up
CREATE TABLE users (
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
CREATE INDEX users_account ON users (account, at, id);
CREATE INDEX users_parent ON users (parent, at, id);
CREATE INDEX users_name ON users (account, name);
CREATE INDEX users_state ON users (state, at, id);
CREATE TABLE user_groups (
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
CREATE INDEX user_groups_account ON user_groups (account, at, id);
CREATE INDEX user_groups_parent ON user_groups (parent, at, id);
CREATE INDEX user_groups_name ON user_groups (account, name);
CREATE INDEX user_groups_state ON user_groups (state, at, id);
CREATE TABLE policies (
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
CREATE INDEX policies_account ON policies (account, at, id);
CREATE INDEX policies_parent ON policies (parent, at, id);
CREATE INDEX policies_name ON policies (account, name);
CREATE INDEX policies_state ON policies (state, at, id);
CREATE TABLE credentials (
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
CREATE INDEX credentials_account ON credentials (account, at, id);
CREATE INDEX credentials_parent ON credentials (parent, at, id);
CREATE INDEX credentials_name ON credentials (account, name);
CREATE INDEX credentials_state ON credentials (state, at, id);
CREATE TABLE nonces (
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
CREATE INDEX nonces_account ON nonces (account, at, id);
CREATE INDEX nonces_parent ON nonces (parent, at, id);
CREATE INDEX nonces_name ON nonces (account, name);
CREATE INDEX nonces_state ON nonces (state, at, id);
