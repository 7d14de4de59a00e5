package sim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// notice is a warning that will be shown from visible on, until it is acknowledged.
type notice struct {
	cloud.Notice
	account                   string
	issued, visible, deadline physics.Instant
}

// foretell writes the notices of a fate: one for the interruption and one for each signal, some of them late, some twice.
func (c *Cloud) foretell(own physics.Dice, i *instance, f physics.Fate) []notice {
	d := own.On("notice").At(int64(f.Notice))
	var all []notice
	add := func(kind cloud.NoticeKind, issued, deadline physics.Instant) {
		visible := issued
		if d.Chance(c.tuning.NoticesLate) {
			visible += d.Between(5*physics.Second, 20*physics.Second)
		}
		n := notice{Notice: cloud.Notice{ID: "notice-" + hexDigits(&d, 17), Kind: kind, Region: i.market.Region, Instance: i.id},
			account: i.account, issued: issued, visible: visible, deadline: deadline}
		all = append(all, n)
		if d.Chance(c.tuning.NoticesTwice) {
			n.ID = "notice-" + hexDigits(&d, 17)
			n.visible += d.Between(0, 30*physics.Second)
			all = append(all, n)
		}
	}
	for _, signal := range f.Signals {
		add(cloud.Rebalance, signal, physics.Never)
	}
	if f.Notice != physics.Never {
		add(cloud.Interruption, f.Notice, f.Ends)
	}
	return all
}

func insertNotices(ctx context.Context, db *database, tx runner, notices []notice) error {
	query := db.sql("INSERT INTO notice (id, account, region, instance, kind, issued_at, visible_at, deadline) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
	for _, n := range notices {
		if _, err := tx.ExecContext(ctx, query, n.ID, n.account, n.Region, n.Instance, string(n.Kind), int64(n.issued), int64(n.visible), int64(n.deadline)); err != nil {
			return err
		}
	}
	return nil
}

// silence withdraws what has not been issued about an instance yet.
func (c *Cloud) silence(ctx context.Context, tx runner, i *instance, now physics.Instant) error {
	_, err := tx.ExecContext(ctx, c.db.sql("DELETE FROM notice WHERE instance = ? AND issued_at > ?"), i.id, int64(now))
	return err
}

// boardAge is how old a board may be: those who ask at about the same time share one.
const boardAge = 50 * time.Millisecond

// board remembers which places have notices to show, because most have none, and everybody asks all the time.
type board struct {
	mu      sync.Mutex
	readAt  time.Time // by the wall
	now     physics.Instant
	written int64 // how much this process had written
	places  map[boardKey]bool
}

type boardKey struct{ account, region string }

// hasNotices reports whether a place may have notices to show. Those that another process wrote may be missed for boardAge.
func (c *Cloud) hasNotices(ctx context.Context, account, region string) (bool, error) {
	b := &c.board
	b.mu.Lock()
	defer b.mu.Unlock()
	now, written := c.now(), c.db.written.Load()
	if fresh := time.Since(b.readAt) < boardAge && now >= b.now && now-b.now < physics.Lasting(boardAge) && written == b.written; fresh {
		return b.places[boardKey{account, region}], nil
	}
	rows, err := c.db.reads.QueryContext(context.WithoutCancel(ctx), c.db.sql("SELECT DISTINCT account, region FROM notice WHERE visible_at <= ?"), int64(now))
	if err != nil {
		return false, err
	}
	defer rows.Close()
	places := map[boardKey]bool{}
	for rows.Next() {
		var at boardKey
		if err := rows.Scan(&at.account, &at.region); err != nil {
			return false, err
		}
		places[at] = true
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	b.readAt, b.now, b.written, b.places = time.Now(), now, written, places
	return places[boardKey{account, region}], nil
}

// Notices lists what has not been acknowledged, oldest first, at most a thousand.
func (a *Account) Notices(ctx context.Context, region string) ([]cloud.Notice, error) {
	return do(ctx, a, NoticesCall, region, func() ([]cloud.Notice, error) {
		a.cloud.reads.add(NoticesCall)
		if has, err := a.cloud.hasNotices(ctx, a.id, region); err != nil {
			return nil, fmt.Errorf("simulated cloud: %w", err)
		} else if !has {
			return nil, nil
		}
		rows, err := a.cloud.db.reads.QueryContext(ctx, a.cloud.db.sql(`SELECT id, kind, instance, issued_at, deadline FROM notice
			WHERE account = ? AND region = ? AND visible_at <= ? ORDER BY visible_at, id LIMIT 1000`), a.id, region, int64(a.cloud.now()))
		if err != nil {
			return nil, fmt.Errorf("simulated cloud: %w", err)
		}
		defer rows.Close()
		var found []cloud.Notice
		for rows.Next() {
			n := notice{Notice: cloud.Notice{Region: region}}
			if err := rows.Scan(&n.ID, &n.Kind, &n.Instance, &n.issued, &n.deadline); err != nil {
				return nil, fmt.Errorf("simulated cloud: %w", err)
			}
			n.IssuedAt, n.Deadline = n.issued.Time(), n.deadline.Time()
			found = append(found, n.Notice)
		}
		return found, rows.Err()
	})
}

// Acknowledge drops notices; unknown ids are ignored.
func (a *Account) Acknowledge(ctx context.Context, region string, ids []string) error {
	_, err := do(ctx, a, AcknowledgeCall, region, func() (none struct{}, err error) {
		if len(ids) == 0 {
			return none, nil
		}
		return none, a.cloud.db.write(ctx, func(ctx context.Context, tx runner) error {
			query := a.cloud.db.sql("DELETE FROM notice WHERE id = ? AND account = ? AND region = ?")
			for _, id := range ids {
				if _, err := tx.ExecContext(ctx, query, id, a.id, region); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return err
}
