-- +goose Up
CREATE TABLE log_lines (
    ord      BIGINT GENERATED ALWAYS AS IDENTITY,
    id       TEXT NOT NULL,
    account  TEXT NOT NULL,
    resource TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    seq      BIGINT,
    doc      JSON NOT NULL,
    PRIMARY KEY (ord, at),
    UNIQUE (id, at),
    UNIQUE (seq, at)
) PARTITION BY RANGE (at);
CREATE TABLE log_lines_rest PARTITION OF log_lines DEFAULT;
CREATE INDEX log_lines_rest_at ON log_lines_rest (at);
CREATE INDEX log_lines_resource ON log_lines (resource, at, ord);
CREATE INDEX log_lines_account ON log_lines (account, at, ord);
CREATE INDEX log_lines_unsealed ON log_lines (ord) WHERE seq IS NULL;
CREATE TABLE events (
    ord      BIGINT GENERATED ALWAYS AS IDENTITY,
    id       TEXT NOT NULL,
    account  TEXT NOT NULL,
    resource TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    seq      BIGINT,
    doc      JSON NOT NULL,
    PRIMARY KEY (ord, at),
    UNIQUE (id, at),
    UNIQUE (seq, at)
) PARTITION BY RANGE (at);
CREATE TABLE events_rest PARTITION OF events DEFAULT;
CREATE INDEX events_rest_at ON events_rest (at);
CREATE INDEX events_resource ON events (resource, at, ord);
CREATE INDEX events_account ON events (account, at, ord);
CREATE INDEX events_unsealed ON events (ord) WHERE seq IS NULL;
CREATE TABLE audit (
    ord      BIGINT GENERATED ALWAYS AS IDENTITY,
    id       TEXT NOT NULL,
    account  TEXT NOT NULL,
    resource TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    seq      BIGINT,
    doc      JSON NOT NULL,
    PRIMARY KEY (ord, at),
    UNIQUE (id, at),
    UNIQUE (seq, at)
) PARTITION BY RANGE (at);
CREATE TABLE audit_rest PARTITION OF audit DEFAULT;
CREATE INDEX audit_rest_at ON audit_rest (at);
CREATE INDEX audit_resource ON audit (resource, at, ord);
CREATE INDEX audit_account ON audit (account, at, ord);
CREATE INDEX audit_unsealed ON audit (ord) WHERE seq IS NULL;
