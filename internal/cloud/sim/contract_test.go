package sim

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/cloudtest"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// nasty is a world in which every read may be old and every notice comes late and twice.
func nasty() Tuning {
	t := Usual()
	t.StaleReads, t.NoticesTwice, t.NoticesLate = 0.7, 1, 1
	return t
}

func TestTheSimulatedCloudKeepsTheProviderContract(t *testing.T) {
	for name, c := range map[string]struct {
		tuning Tuning
		path   string
		shared bool
	}{
		"tame":          {tuning: Tame()},
		"usual":         {tuning: Usual()},
		"nasty":         {tuning: nasty()},
		"on disk":       {tuning: nasty(), path: "sim.db"},
		"in PostgreSQL": {tuning: nasty(), shared: true},
	} {
		t.Run(name, func(t *testing.T) {
			config := Config{Tuning: &c.tuning, Memory: c.path == "" && !c.shared}
			if c.shared {
				config.URL = postgres(t)
			}
			cloudtest.Run(t, func(t *testing.T) cloudtest.Fixture {
				if c.path != "" {
					config.Path = filepath.Join(t.TempDir(), c.path)
				}
				return fixture(t, config)
			})
		})
	}
}

func TestAReplicaJoinsAWorldThatIsBeingWrittenTo(t *testing.T) {
	config := Config{URL: postgres(t), Clock: clock.NewManual(began), Seed: 7}
	first, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = first.db.write(ctx, func(ctx context.Context, tx runner) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM instance"); err != nil {
			return err
		}
		// The write is not over before the second has joined: if that waited for it, neither would end.
		second, err := openDatabase(ctx, config)
		if err != nil {
			return err
		}
		return second.close()
	})
	if err := errors.Join(err, first.Close()); err != nil {
		t.Error(err)
	}
}

// postgres is the URL of an empty database; its world is dropped after the test.
func postgres(t *testing.T) string {
	address := storetest.Postgres(t).Config.URL
	t.Cleanup(func() {
		db, err := openPostgres(address)
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.writes.Exec("DROP SCHEMA " + schemaOf(t, address) + "_sim CASCADE")
		if err := errors.Join(err, db.close()); err != nil {
			t.Error(err)
		}
	})
	return address
}

func schemaOf(t *testing.T, address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Query().Get("search_path")
}

// fixture opens a world whose fixture market stays open for long.
func fixture(t *testing.T, config Config) cloudtest.Fixture {
	hands := clock.NewManual(began)
	config.Clock = hands
	config.Seed = 7
	c, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	spot, onDemand := market("m5.large", "us-east-1a", cloud.Spot), market("m5.large", "us-east-1a", cloud.OnDemand)
	later := began.Add(24 * time.Hour)
	full := template
	full.KeyPair, full.PlacementGroup = "cloudtest", "cloudtest"
	c.Room(spot, 100, later)
	c.Room(onDemand, 100, later)
	return cloudtest.Fixture{
		Provider: c.Account(t.Name()), Market: spot, Template: full, Now: hands.Now, Advance: hands.Advance,
		Claims:   []cloudtest.Ability{cloudtest.Interrupts, cloudtest.Notifies, cloudtest.Prices, cloudtest.Tags, cloudtest.Powers, cloudtest.Modifies, cloudtest.Consoles},
		Room:     func(m cloud.Market, count int) { c.Room(m, count, later) },
		Throttle: func() { c.tuning.Rates = map[Call]Rate{LaunchCall: {Burst: 0.5}} },
	}
}
