package store

import (
	"context"
	"database/sql"
	bad "database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/neap-cloud/neap/internal/fault"
)

// failure gives a database's error its kind. Faults and the end of a context pass as they are.
func failure(err error) error {
	var known *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case full(err):
		return fault.Of(fault.Unavailable, "store", "The disk of the database is full, so nothing was changed; make room, and try again: no restart is needed.").With(err)
	case damaged(err):
		return fault.Of(fault.Unavailable, "store", "The database is damaged; stop Neap and restore a backup.").With(err)
	case unavailable(err):
		return fault.Of(fault.Unavailable, "store", "The database does not answer just now; try again.").With(err)
	}
	return fault.Of(fault.Internal, "store", "The database refused a statement; the log has the details.").With(err)
}

// retryable reports whether the same unit of work may succeed when it is run again.
func retryable(err error) bool {
	var lite *driver.Error
	if errors.As(err, &lite) && (lite.Code()&0xff == codes.SQLITE_BUSY || lite.Code()&0xff == codes.SQLITE_LOCKED) {
		return true
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "40001", "40P01", "55P03": // serialisation failure, deadlock, lock not available
			return true
		case "23514":
			// A check without a name is that of a partition. A row on its way to the rest while its week's partition was attached is refused there; run again, it finds the week.
			return pg.ConstraintName == ""
		}
	}
	return errors.Is(err, errGroupLost)
}

func unavailable(err error) bool {
	var lite *driver.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case codes.SQLITE_BUSY, codes.SQLITE_LOCKED, codes.SQLITE_FULL, codes.SQLITE_IOERR, codes.SQLITE_NOMEM, codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY:
			return true
		}
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && len(pg.Code) == 5 {
		if pg.Code == "25P03" { // the server gave up waiting for our next statement
			return true
		}
		switch pg.Code[:2] {
		case "08", "40", "53", "55", "57": // connection, rollback, resources, state, operator
			return true
		}
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || severed(err) || errors.Is(err, errGroupLost) || errors.Is(err, errClosed) || errors.Is(err, sql.ErrConnDone)
}

// severed reports whether a connection ended under a statement, or before it.
func severed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, bad.ErrBadConn) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}
