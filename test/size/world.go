package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	_ "modernc.org/sqlite"             // driver "sqlite"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/dialect/spot/elastigroup"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
)

// regions are where groups are put: the types below are sold in all of them, in at least two zones.
func regions() []string {
	return []string{"us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "us-east-2", "ap-southeast-2", "ap-northeast-1", "eu-west-2"}
}

const groupDocument = `{"name":"size","region":"%s","capacity":{"target":%d,"minimum":0,"maximum":%d,"unit":"instance"},
"strategy":{"risk":100,"availabilityVsCost":"balanced","fallbackToOd":true,"drainingTimeout":15},
"compute":{"product":"Linux/UNIX","instanceTypes":{"ondemand":"m5.large","spot":[%s]},
"availabilityZones":[{"name":"%s","subnetIds":["%s"]},{"name":"%s","subnetIds":["%s"]}],
"launchSpecification":{"imageId":"ami-0de30000000000001","securityGroupIds":["sg-0de30000000000001"],"monitoring":false,
"healthCheckType":"EC2","healthCheckGracePeriod":60}}}`

// kinds are the spot types of different groups: had all the same, a hundred thousand instances would not fit into the pools of the simulated cloud.
func kinds() []string {
	return []string{
		`"m5.large","c5.large","r5.large"`,
		`"m6i.large","c6i.large","r6i.large"`,
		`"m5.xlarge","c5.xlarge","r5.xlarge"`,
		`"m6i.xlarge","c6i.xlarge","m5a.large"`,
	}
}

func config(o options) app.Config {
	return app.Config{
		Version: "size", Data: o.Data, Database: o.Database, Seed: 1, Unusual: app.Unusual{World: o.world()},
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

// build makes an installation of o.Groups groups that are all at rest. drop removes what is left outside of the folder.
func build(ctx context.Context, o *options) (drop func(), err error) {
	drop = func() {}
	if o.Database != "" {
		if drop, err = ownDatabase(ctx, o); err != nil {
			return drop, err
		}
	}
	accounts, err := buildAccounts(ctx, *o)
	if err != nil {
		return drop, err
	}
	patterns, err := buildPatterns(ctx, *o, accounts)
	if err != nil {
		return drop, err
	}
	each := (o.Groups + len(patterns) - 1) / len(patterns)
	left := o.Groups
	for _, p := range patterns {
		count := min(each, left)
		left -= count
		if count < 2 {
			continue
		}
		if err := copies(ctx, *o, p, left, count-1); err != nil {
			return drop, fmt.Errorf("copy %s: %w", p.group, err)
		}
	}
	return drop, os.WriteFile(filepath.Join(o.Data, "built"), nil, 0o600)
}

// ownDatabase makes a database beside the given one.
func ownDatabase(ctx context.Context, o *options) (func(), error) {
	server, err := sql.Open("pgx", o.Database)
	if err != nil {
		return func() {}, err
	}
	name := fmt.Sprintf("neap_size_%d", time.Now().UnixNano())
	if _, err := server.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return func() {}, errors.Join(err, server.Close())
	}
	address, err := url.Parse(o.Database)
	if err != nil {
		return func() {}, err
	}
	address.Path = "/" + name
	o.Database = address.String()
	return func() {
		if _, err := server.ExecContext(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			fmt.Fprintln(os.Stderr, "size:", err)
		}
		server.Close()
	}, nil
}

// with runs work on a started app and stops it again.
func with(ctx context.Context, o options, work func(*app.App) error) error {
	a, err := app.Build(ctx, config(o))
	if err != nil {
		return err
	}
	err = a.Start(context.WithoutCancel(ctx))
	if err == nil {
		err = work(a)
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return errors.Join(err, a.Stop(patience))
}

// buildAccounts makes the installation, and copies of its first account.
func buildAccounts(ctx context.Context, o options) (accounts []string, err error) {
	if err := with(ctx, o, func(a *app.App) error { accounts = []string{a.Account.ID}; return nil }); err != nil {
		return nil, err
	}
	own, _, err := databases(o)
	if err != nil {
		return nil, err
	}
	defer own.db.Close()
	err = own.tx(ctx, func(tx *sql.Tx) error {
		pattern, err := own.read(ctx, tx, "accounts", "id = '"+accounts[0]+"'")
		if err != nil {
			return err
		}
		for len(accounts) < o.Accounts {
			fresh := "act-" + hex(8)
			if err := own.insert(ctx, tx, pattern, strings.NewReplacer(accounts[0], fresh), nil); err != nil {
				return err
			}
			accounts = append(accounts, fresh)
		}
		return nil
	})
	return accounts, err
}

// pattern is a living group that is copied.
type pattern struct {
	group     string
	instances []string
}

// buildPatterns lets the engine bring one group of each kind in each place to its target.
func buildPatterns(ctx context.Context, o options, accounts []string) (patterns []pattern, err error) {
	type where struct{ account, group string }
	var made []where
	err = with(ctx, o, func(a *app.App) error {
		for _, account := range accounts {
			for n, region := range regions()[:o.Regions] {
				zones := catalog.AWS().Zones(region)
				for _, kind := range kinds() {
					if len(made) == o.Groups {
						break
					}
					document := fmt.Sprintf(groupDocument, region, o.Members, o.Members*3, kind, zones[0], subnet(account, n, zones[0]), zones[1], subnet(account, n, zones[1]))
					group, err := a.Fleet.Create(ctx, account, "size", elastigroup.FormName, []byte(document))
					if err != nil {
						return err
					}
					made = append(made, where{account, group.ID})
				}
			}
		}
		for _, w := range made {
			var members []fleet.Instance
			_, err := until(ctx, 2*time.Minute, func() (bool, error) {
				var err error
				members, err = a.Fleet.Instances(ctx, w.account, w.group)
				return isAtRest(members, o.Members), err
			})
			if err != nil {
				return fmt.Errorf("bring %s to its target: %w", w.group, err)
			}
			p := pattern{group: w.group}
			for _, m := range members {
				p.instances = append(p.instances, m.ID)
			}
			patterns = append(patterns, p)
		}
		return nil
	})
	return patterns, err
}

func subnet(account string, region int, zone string) string {
	return fmt.Sprintf("subnet-%s%02x%02x", account[len(account)-6:], region, zone[len(zone)-1])
}

func isAtRest(members []fleet.Instance, target int) bool {
	for _, m := range members {
		if m.ID == "" || m.Phase != plan.Running || m.Condition != plan.Healthy {
			return false
		}
	}
	return len(members) == target
}

// until asks every 50 ms, and returns how long it took.
func until(ctx context.Context, limit time.Duration, ask func() (bool, error)) (time.Duration, error) {
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := ask(); err != nil || yes {
			return time.Since(began), err
		}
		if time.Since(began) > limit {
			return 0, fmt.Errorf("not within %s", limit)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
}

// copies adds copies of a pattern: all its rows under new ids, numbered from first on. Copied instances live until somebody ends them.
func copies(ctx context.Context, o options, p pattern, first, count int) error {
	own, world, err := databases(o)
	if err != nil {
		return err
	}
	defer own.db.Close()
	defer world.db.Close()
	names := make([]*strings.Replacer, count)
	for n := range names {
		pairs := []string{p.group, fmt.Sprintf("sig-%08x", uint32(first+n)*2654435761)}
		for _, id := range p.instances {
			pairs = append(pairs, id, "i-"+hex(17))
		}
		names[n] = strings.NewReplacer(pairs...)
	}
	err = own.tx(ctx, func(tx *sql.Tx) error {
		for table, where := range map[string]string{
			"groups": "id = '%s'", "revisions": "parent = '%s'", "instances": "parent = '%s'", "meters": "parent = '%s'", "loops": "key = '%s'",
		} {
			rows, err := own.read(ctx, tx, table, fmt.Sprintf(where, p.group))
			if err != nil {
				return err
			}
			for _, name := range names {
				if err := own.insert(ctx, tx, rows, name, spread); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return world.tx(ctx, func(tx *sql.Tx) error {
		rows, err := world.read(ctx, tx, "instance", "id IN ('"+strings.Join(p.instances, "','")+"')")
		if err != nil {
			return err
		}
		var next int64
		if err := tx.QueryRowContext(ctx, "SELECT next FROM world").Scan(&next); err != nil {
			return err
		}
		for _, name := range names {
			err := world.insert(ctx, tx, rows, name, func(column string, value any) any {
				switch column {
				case "seq":
					next++
					return next
				case "notice_at", "ends_at", "gone_at", "impaired_at":
					return int64(math.MaxInt64)
				case "ended":
					return ""
				}
				return value
			})
			if err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, fmt.Sprintf("UPDATE world SET next = %d", next+1))
		return err
	})
}

// spread gives copied loop rows sweeps of their own, as groups that were made one after the other have them.
func spread(column string, value any) any {
	if due, is := value.(int64); is && column == "due" && due < math.MaxInt64 {
		return time.Now().Add(time.Minute + rand.N(18*time.Minute)).UnixMicro()
	}
	return value
}

func hex(digits int) string {
	return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())[:digits]
}
