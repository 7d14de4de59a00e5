-- +goose Up
-- Times called due and since are the engine's, until is the database's; all are microseconds. since is when what is wanted began to wait.
CREATE TABLE loops (
    loop     TEXT NOT NULL,
    key      TEXT NOT NULL,
    wanted   BIGINT NOT NULL,
    done     BIGINT NOT NULL,
    due      BIGINT NOT NULL,
    since    BIGINT NOT NULL,
    owner    TEXT NOT NULL,
    epoch    BIGINT NOT NULL,
    until    BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    PRIMARY KEY (loop, key)
);
CREATE INDEX loops_due ON loops (loop, due);
CREATE INDEX loops_raised ON loops (loop, since) WHERE wanted > done;
CREATE TABLE leases (
    name  TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    until BIGINT NOT NULL
);
