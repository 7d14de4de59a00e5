package replicas

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A process that is stopped for longer than its leases, and goes on, believes for a moment that all it held is still its own.
func TestAReplicaThatWasPausedForLongerThanItsLeasesWritesNothing(t *testing.T) {
	t.Parallel()
	in := install(t)
	paused := in.start("--no-demo", "--log-level", "info")
	other := in.start("--no-demo", "--log-level", "info")
	cloud := in.world()
	dice := rand.New(rand.NewPCG(1, 0))
	fleet := foundFleet(t, smallFleet, []*replica{paused, other}, dice)

	// Only the one that will be paused is asked, so that it has turns in progress.
	ctx, giveUp := context.WithCancel(t.Context())
	client := &http.Client{Transport: abandonable{ctx}}
	reached := make(chan struct{})
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		fleet.scaleThrough(paused, client, other, func(answers int) {
			if answers == smallFleet/3 {
				close(reached)
			}
		})
	}()
	<-reached
	paused.signal(syscall.SIGSTOP)
	stopped := time.Now()
	<-time.After(200 * time.Millisecond) // those that ask have filled the socket of the paused process; now they turn to the other one
	giveUp()
	<-asked
	in.judgeProgress(t, "every group has what was asked for", func() bool { return maps.Equal(aliveByGroup(in.record(cloud)), fleet.alive()) })
	away := in.heldByNobodyAlive()
	t.Logf("paused with %d groups and periodic works in its hands; the other had finished %s later", away, time.Since(stopped).Round(time.Millisecond))

	paused.signal(syscall.SIGCONT)
	eventually(t, "the paused replica is ready again", limit, func() bool { return paused.readiness() == http.StatusOK })
	fleet.add(paused, "a group made after the pause", 1)
	in.judgeProgress(t, "it works again", func() bool { return maps.Equal(aliveByGroup(in.record(cloud)), fleet.alive()) })
	eventually(t, "the engine knows what the cloud runs", limit, func() bool { return fleet.isKnownTo(other) })
	judge(t, in, in.record(cloud), fleet.alive(), fleet.ever())
	t.Logf("the paused replica noticed %d losses", strings.Count(paused.printed.text(), "lost a key to another replica"))
	other.stop()
	paused.stop()
}

// abandonable lets all requests go at once.
type abandonable struct{ ctx context.Context }

// RoundTrip is http.RoundTripper's.
func (a abandonable) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(request.Context())
	stop := context.AfterFunc(a.ctx, cancel)
	response, err := http.DefaultTransport.RoundTrip(request.WithContext(ctx))
	if err != nil {
		stop()
		cancel()
	}
	return response, err
}

// judgeProgress waits twice as long as a killed replica may take: the other one waits for the leases, and the database for the paused one's transactions.
func (in *installation) judgeProgress(t *testing.T, what string, done func() bool) {
	t.Helper()
	eventually(t, what, 2*goesOnWithin*slack(), done)
}

// heldByNobodyAlive counts the leases that have run out in somebody's hands.
func (in *installation) heldByNobodyAlive() (count int) {
	in.t.Helper()
	in.rows("SELECT count(*) FROM loops WHERE owner <> '' AND until < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", func(row pgx.Rows) error {
		return row.Scan(&count)
	})
	return count
}

// scaleThrough asks one replica for the new targets; what it does not answer is asked of the other one.
func (f *fleet) scaleThrough(first *replica, client *http.Client, other *replica, answered func(count int)) {
	f.each(func(id string) {
		a, err := first.call(client, http.MethodPut, "/aws/ec2/group/"+id+"/capacity", f.wish(id))
		if errors.Is(err, errCut) {
			a, err = other.call(http.DefaultClient, http.MethodPut, "/aws/ec2/group/"+id+"/capacity", f.wish(id))
		}
		f.expect(id, a, err)
	}, answered)
}

// add makes one more group.
func (f *fleet) add(through *replica, name string, target int) {
	f.t.Helper()
	id := through.must(http.MethodPost, "/aws/ec2/group", document(name, regions()[0], target, 100)).items[0]["id"].(string)
	f.ids, f.targets[id] = append(f.ids, id), [2]int{0, target}
}
