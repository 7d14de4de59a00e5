package store

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/neap-cloud/neap/internal/fault"
)

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// migrate brings the tables to this release's form. Replicas that start together take turns.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, log *slog.Logger) error {
	folder := "migrations/sqlite"
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithSlog(log)}
	if dialect == goose.DialectPostgres {
		folder = "migrations/postgres"
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120), lock.WithUnlockTimeout(1, 10))
		if err != nil {
			return failure(err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return failure(err)
	}
	provider, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return failure(err)
	}
	done, err := provider.Up(ctx)
	if err != nil {
		return fault.Of(fault.Unavailable, "store", "The database cannot be brought to this release's form; the log has the details.").With(err)
	}
	if len(done) > 0 {
		log.Info("the database has this release's form", "migrations", len(done), "newest", done[len(done)-1].Source.Path)
	}
	return nil
}
