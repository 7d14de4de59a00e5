package replicas

import (
	"errors"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"
)

// checkEvery is how often the balancer asks for /readyz, and drainFor how long a replica goes on serving after SIGTERM: long enough for several of those questions.
const (
	checkEvery = 50 * time.Millisecond
	drainFor   = 500 * time.Millisecond
)

// balancer spreads requests over the replicas that say that they are ready. It does what a load balancer does and no more: a request is sent again only when the
// connection was refused, because then it cannot have had an effect.
type balancer struct {
	t      *testing.T
	client *http.Client

	mu      sync.Mutex
	all     []*replica
	ready   map[*replica]bool
	next    int
	refused int
}

func newBalancer(t *testing.T, replicas ...*replica) *balancer {
	t.Helper()
	b := &balancer{t: t, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}, ready: map[*replica]bool{}}
	for _, r := range replicas {
		b.add(r)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(checkEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				b.check()
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
		b.client.CloseIdleConnections()
	})
	return b
}

// add puts a replica that is ready into service.
func (b *balancer) add(r *replica) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all, b.ready[r] = append(b.all, r), true
}

// check asks every replica, each on a connection of its own.
func (b *balancer) check() {
	b.mu.Lock()
	all := append([]*replica{}, b.all...)
	b.mu.Unlock()
	for _, r := range all {
		is := r.readiness() == http.StatusOK
		b.mu.Lock()
		b.ready[r] = is
		b.mu.Unlock()
	}
}

// pick is the next replica in turn that is ready.
func (b *balancer) pick() *replica {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.all {
		r := b.all[b.next%len(b.all)]
		b.next++
		if b.ready[r] {
			return r
		}
	}
	return nil
}

// errNobody says that no replica is ready.
var errNobody = errors.New("no replica is ready")

// send hands a request to one replica, and tells which one.
func (b *balancer) send(method, path string, body any) (answered, *replica, error) {
	for range 20 {
		r := b.pick()
		if r == nil {
			return answered{}, nil, errNobody
		}
		a, err := r.call(b.client, method, path, body)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return a, r, err
		}
		b.mu.Lock()
		b.ready[r] = false
		b.refused++
		b.mu.Unlock()
	}
	return answered{}, nil, errNobody
}
