package store

import (
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Name says which database a PostgreSQL URL leads to, without the user, the password or any other secret in it.
func Name(url string) string {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return "PostgreSQL"
	}
	schema := config.RuntimeParams["search_path"]
	if schema == "" {
		schema = "public"
	}
	return fmt.Sprintf("PostgreSQL, database %s, schema %s, at %s:%d", config.Database, schema, config.Host, config.Port)
}
