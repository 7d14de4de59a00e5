-- +goose Up
CREATE TABLE jobs (
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
CREATE INDEX jobs_account ON jobs (account, at, id);
CREATE INDEX jobs_parent ON jobs (parent, at, id);
CREATE INDEX jobs_name ON jobs (account, name);
CREATE INDEX jobs_state ON jobs (state, at, id);
CREATE TABLE job_queues (
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
CREATE INDEX job_queues_account ON job_queues (account, at, id);
CREATE INDEX job_queues_parent ON job_queues (parent, at, id);
CREATE INDEX job_queues_name ON job_queues (account, name);
CREATE INDEX job_queues_state ON job_queues (state, at, id);
CREATE TABLE job_lanes (
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
CREATE INDEX job_lanes_account ON job_lanes (account, at, id);
CREATE INDEX job_lanes_parent ON job_lanes (parent, at, id);
CREATE INDEX job_lanes_name ON job_lanes (account, name);
CREATE INDEX job_lanes_state ON job_lanes (state, at, id);
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
    doc     JSON NOT NULL
);
CREATE INDEX remote_tasks_account ON remote_tasks (account, at, id);
CREATE INDEX remote_tasks_parent ON remote_tasks (parent, at, id);
CREATE INDEX remote_tasks_name ON remote_tasks (account, name);
CREATE INDEX remote_tasks_state ON remote_tasks (state, at, id);
