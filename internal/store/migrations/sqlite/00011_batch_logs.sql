-- +goose Up
CREATE TABLE job_history (
    ord      INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    account  TEXT NOT NULL,
    resource TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    seq      BIGINT UNIQUE,
    doc      TEXT NOT NULL
);
CREATE INDEX job_history_resource ON job_history (resource, at, ord);
CREATE INDEX job_history_account ON job_history (account, at, ord);
CREATE INDEX job_history_unsealed ON job_history (ord) WHERE seq IS NULL;
CREATE TABLE job_output (
    ord      INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    account  TEXT NOT NULL,
    resource TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    seq      BIGINT UNIQUE,
    doc      TEXT NOT NULL
);
CREATE INDEX job_output_resource ON job_output (resource, at, ord);
CREATE INDEX job_output_account ON job_output (account, at, ord);
CREATE INDEX job_output_unsealed ON job_output (ord) WHERE seq IS NULL;
CREATE TABLE job_messages (
    ord      INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    account  TEXT NOT NULL,
    resource TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    seq      BIGINT UNIQUE,
    doc      TEXT NOT NULL
);
CREATE INDEX job_messages_resource ON job_messages (resource, at, ord);
CREATE INDEX job_messages_account ON job_messages (account, at, ord);
CREATE INDEX job_messages_unsealed ON job_messages (ord) WHERE seq IS NULL;
