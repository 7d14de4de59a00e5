-- +goose Up
CREATE TABLE alerts (
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
CREATE INDEX alerts_account ON alerts (account, at, id);
CREATE INDEX alerts_parent ON alerts (parent, at, id);
CREATE INDEX alerts_name ON alerts (account, name);
CREATE INDEX alerts_state ON alerts (state, at, id);
CREATE TABLE webhooks (
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
CREATE INDEX webhooks_account ON webhooks (account, at, id);
CREATE INDEX webhooks_parent ON webhooks (parent, at, id);
CREATE INDEX webhooks_name ON webhooks (account, name);
CREATE INDEX webhooks_state ON webhooks (state, at, id);
CREATE TABLE deliveries (
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
CREATE INDEX deliveries_account ON deliveries (account, at, id);
CREATE INDEX deliveries_parent ON deliveries (parent, at, id);
CREATE INDEX deliveries_name ON deliveries (account, name);
CREATE INDEX deliveries_state ON deliveries (state, at, id);
