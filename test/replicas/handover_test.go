package replicas

import (
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	lease = 5 * time.Second
	// smallFleet is enough to keep several replicas busy for a moment.
	smallFleet = 60
	// sealedWithin is the promise while the sealer is replaced: its lease has to run out, and the next one has to notice.
	sealedWithin = lease + time.Second
)

func TestEventsKeepTheirGapFreeOrderWhenTheSealerIsKilled(t *testing.T) {
	t.Parallel()
	in := install(t)
	sealer := in.start("--no-demo", "--log-level", "warn") // alone, it takes all periodic work
	other := in.start("--no-demo", "--log-level", "warn")
	l := startLoad(t, newBalancer(t, other))
	first := in.ownerOf("journal.seal")
	eventually(t, "events flow", limit, func() bool { return l.sent.Load() > 50 })
	sealer.kill()
	killed, slowest := time.Now(), time.Duration(0)
	eventually(t, "another replica seals", limit, func() bool {
		slowest = max(slowest, in.sealerLag())
		return in.ownerOf("journal.seal") != first && in.sealerLag() < time.Second
	})
	took := time.Since(killed)
	l.end()
	eventually(t, "all is sealed", limit, func() bool { return in.sealerLag() == 0 })
	t.Logf("sealed again %s after the kill; the oldest waiting record was %s old", took.Round(time.Millisecond), slowest.Round(time.Millisecond))
	if slowest > sealedWithin*slack() {
		t.Errorf("a record waited %s for its place, more than %s", slowest, sealedWithin*slack())
	}
	for _, log := range []string{"log_lines", "events", "audit"} {
		// The other replica goes on writing: what it wrote a moment ago may still wait for its place.
		eventually(t, log+" is sealed", limit, func() bool {
			var waiting int64
			in.rows("SELECT count(*) FROM "+log+" WHERE seq IS NULL", func(row pgx.Rows) error { return row.Scan(&waiting) })
			return waiting == 0
		})
		var count, distinct, lowest, highest int64
		in.rows("SELECT count(seq), count(DISTINCT seq), coalesce(min(seq), 1), coalesce(max(seq), 0) FROM "+log, func(row pgx.Rows) error {
			return row.Scan(&count, &distinct, &lowest, &highest)
		})
		if count != distinct || lowest != 1 || highest != count {
			t.Errorf("%s has %d records with %d numbers from %d to %d", log, count, distinct, lowest, highest)
		}
	}
}

// ownerOf is the replica that holds a named lease.
func (in *installation) ownerOf(name string) (owner string) {
	in.t.Helper()
	in.rows("SELECT owner FROM leases WHERE name = $1", func(row pgx.Rows) error { return row.Scan(&owner) }, name)
	return owner
}

// sealerLag is the age of the oldest record that waits for its place; 0 when none does.
func (in *installation) sealerLag() time.Duration {
	in.t.Helper()
	var micros int64
	in.rows("SELECT coalesce((extract(epoch FROM clock_timestamp()) * 1000000)::bigint - min(at), 0) FROM audit WHERE seq IS NULL", func(row pgx.Rows) error {
		return row.Scan(&micros)
	})
	return time.Duration(micros) * time.Microsecond
}

func TestAReplicaThatIsAskedToStopHandsItsWorkOverAtOnce(t *testing.T) {
	in := install(t)
	const drain = 3 * time.Second
	leaving := in.start("--no-demo", "--log-level", "warn", "--drain", drain.String()) // alone, it takes all periodic work
	staying := in.start("--no-demo", "--log-level", "warn")
	fleet := foundFleet(t, smallFleet, []*replica{leaving, staying}, rand.New(rand.NewPCG(2, 0)))
	first := in.ownerOf("journal.seal")
	reached := make(chan struct{})
	scaled := make(chan struct{})
	go func() {
		defer close(scaled)
		fleet.scale([]*replica{leaving, staying}, staying, func(answers int) {
			if answers == smallFleet/2 {
				close(reached)
			}
		})
	}()
	<-reached
	leaving.signal(syscall.SIGTERM)
	asked := time.Now()
	eventually(t, "/readyz says no", time.Second*slack(), func() bool { return leaving.readiness() == http.StatusServiceUnavailable })
	said := time.Since(asked)
	leaving.must(http.MethodGet, "/aws/ec2/group/"+fleet.ids[0], nil) // it still serves
	eventually(t, "periodic work goes on elsewhere", lease, func() bool {
		owner := in.ownerOf("journal.seal")
		return owner != first && owner != ""
	})
	handed := time.Since(asked)
	leaving.awaitEnd()
	<-scaled
	cloud := in.world()
	eventually(t, "every group has what was asked for", goesOnWithin*slack(), func() bool { return maps.Equal(aliveByGroup(in.record(cloud)), fleet.alive()) })
	t.Logf("/readyz said no after %s, periodic work was handed over after %s, all was done after %s", said.Round(time.Millisecond), handed.Round(time.Millisecond),
		time.Since(asked).Round(time.Millisecond))
	judge(t, in, in.record(cloud), fleet.alive(), fleet.ever())
}

func TestReplicasThatStartTogetherOnAnEmptyDatabaseMakeOneInstallation(t *testing.T) {
	t.Parallel()
	in := install(t)
	var all []*replica
	for range 3 {
		all = append(all, in.launch("--log-level", "warn"))
	}
	tokens := 0
	for _, r := range all {
		r.awaitReady()
		if _, err := os.Stat(filepath.Join(r.folder, "admin-token")); err == nil {
			tokens++
		} else if !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
	if tokens != 1 {
		t.Errorf("%d replicas keep an admin token; one is the first", tokens)
	}
	for table, want := range map[string]int{"installation": 1, "organisations": 1, "tokens": 1, "accounts": 1, "groups": 1} {
		var got int
		in.rows("SELECT count(*) FROM "+table, func(row pgx.Rows) error { return row.Scan(&got) })
		if got != want {
			t.Errorf("%d rows in %s, %d expected", got, table, want)
		}
	}
	for _, r := range all {
		if groups := r.must(http.MethodGet, "/aws/ec2/group", nil).items; len(groups) != 1 {
			t.Errorf("%s shows %d groups; there is the demo group", r.name, len(groups))
		}
	}
}

func TestARevokedTokenIsRefusedByTheOtherReplicaWithinASecondOrTwo(t *testing.T) {
	t.Parallel()
	in := install(t)
	here, there := in.start("--no-demo", "--log-level", "warn"), in.start("--no-demo", "--log-level", "warn")
	made := here.must(http.MethodPost, "/neap/v1/tokens", map[string]any{"name": "passing"})
	admin, passing := in.token, made.field(t, "secret")
	status := func() int {
		in.token = passing
		defer func() { in.token = admin }()
		a, err := there.call(http.DefaultClient, http.MethodGet, "/aws/ec2/group", nil)
		if err != nil {
			t.Fatal(err)
		}
		return a.status
	}
	if got := status(); got != http.StatusOK {
		t.Fatalf("the new token does not work on the other replica: %d", got)
	}
	here.must(http.MethodDelete, "/neap/v1/tokens/"+made.field(t, "id"), nil)
	revoked := time.Now()
	eventually(t, "the other replica refuses the token", 2*time.Second*slack(), func() bool { return status() == http.StatusUnauthorized })
	t.Logf("refused %s after it was revoked elsewhere", time.Since(revoked).Round(time.Millisecond))
}

func TestReadinessTellsTheTruthAboutTheDatabase(t *testing.T) {
	t.Parallel()
	in := install(t)
	gate := openGate(t, in)
	r := in.start("--no-demo", "--log-level", "error", "--database", gate.url)
	gate.shut()
	eventually(t, "/readyz says no while the database is out of reach", 5*time.Second, func() bool { return r.readiness() == http.StatusServiceUnavailable })
	gate.open()
	eventually(t, "/readyz says yes again", limit, func() bool { return r.readiness() == http.StatusOK })
	in.exec("UPDATE schema_compat SET reader = 999999, release = 'v99'")
	eventually(t, "/readyz says no when a newer release's form is not understood", 5*time.Second, func() bool { return r.readiness() == http.StatusServiceUnavailable })
	in.exec("UPDATE schema_compat SET reader = 1, release = ''")
	eventually(t, "/readyz says yes again", 5*time.Second, func() bool { return r.readiness() == http.StatusOK })
	r.stop()
}
