-- +goose Up
-- Who waits in a line, oldest first, and how many wait in each line.
CREATE INDEX jobs_waiting ON jobs (state, parent, name, at, id);
