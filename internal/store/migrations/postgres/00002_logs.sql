-- +goose Up
CREATE TABLE log_lines (
    ord      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    account  TEXT NOT NULL,
    resource TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    seq      BIGINT UNIQUE,
    doc      JSON NOT NULL
);
CREATE INDEX log_lines_resource ON log_lines (resource, at, ord);
CREATE INDEX log_lines_account ON log_lines (account, at, ord);
CREATE INDEX log_lines_unsealed ON log_lines (ord) WHERE seq IS NULL;
CREATE TABLE events (
    ord      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    account  TEXT NOT NULL,
    resource TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    seq      BIGINT UNIQUE,
    doc      JSON NOT NULL
);
CREATE INDEX events_resource ON events (resource, at, ord);
CREATE INDEX events_account ON events (account, at, ord);
CREATE INDEX events_unsealed ON events (ord) WHERE seq IS NULL;
CREATE TABLE audit (
    ord      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    account  TEXT NOT NULL,
    resource TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    seq      BIGINT UNIQUE,
    doc      JSON NOT NULL
);
CREATE INDEX audit_resource ON audit (resource, at, ord);
CREATE INDEX audit_account ON audit (account, at, ord);
CREATE INDEX audit_unsealed ON audit (ord) WHERE seq IS NULL;
