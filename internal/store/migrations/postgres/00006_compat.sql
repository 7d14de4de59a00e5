-- +goose Up
-- Releases that know migration number `reader` can work on these tables. A migration that only adds (tables, columns with a default, indexes) leaves it alone; one
-- that takes something away, or gives it another meaning, raises it to the number of the migration from which on releases can do without.
CREATE TABLE schema_compat (
    one     INTEGER PRIMARY KEY,
    reader  BIGINT NOT NULL,
    release TEXT NOT NULL
);
INSERT INTO schema_compat (one, reader, release) VALUES (1, 1, '');
