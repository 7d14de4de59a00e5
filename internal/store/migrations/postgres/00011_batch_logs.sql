-- +goose Up
CREATE TABLE job_history (
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
CREATE TABLE job_history_rest PARTITION OF job_history DEFAULT;
CREATE INDEX job_history_rest_at ON job_history_rest (at);
CREATE INDEX job_history_resource ON job_history (resource, at, ord);
CREATE INDEX job_history_account ON job_history (account, at, ord);
CREATE INDEX job_history_unsealed ON job_history (ord) WHERE seq IS NULL;
CREATE TABLE job_output (
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
CREATE TABLE job_output_rest PARTITION OF job_output DEFAULT;
CREATE INDEX job_output_rest_at ON job_output_rest (at);
CREATE INDEX job_output_resource ON job_output (resource, at, ord);
CREATE INDEX job_output_account ON job_output (account, at, ord);
CREATE INDEX job_output_unsealed ON job_output (ord) WHERE seq IS NULL;
CREATE TABLE job_messages (
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
CREATE TABLE job_messages_rest PARTITION OF job_messages DEFAULT;
CREATE INDEX job_messages_rest_at ON job_messages_rest (at);
CREATE INDEX job_messages_resource ON job_messages (resource, at, ord);
CREATE INDEX job_messages_account ON job_messages (account, at, ord);
CREATE INDEX job_messages_unsealed ON job_messages (ord) WHERE seq IS NULL;
