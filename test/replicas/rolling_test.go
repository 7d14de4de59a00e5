package replicas

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// clients is how many send requests at the same time.
const clients = 6

// load keeps sending requests until it is stopped, and remembers what was acknowledged.
type load struct {
	t    *testing.T
	to   *balancer
	stop chan struct{}
	all  sync.WaitGroup
	sent atomic.Int64

	mu     sync.Mutex
	names  map[string]string // group → the name that was acknowledged last
	doubt  map[string]string // group → a name that was sent to a replica which was killed before it answered
	cut    int               // requests that were in flight on a replica that was killed
	killed map[*replica]bool
}

func startLoad(t *testing.T, to *balancer) *load {
	t.Helper()
	l := &load{t: t, to: to, stop: make(chan struct{}), names: map[string]string{}, doubt: map[string]string{}, killed: map[*replica]bool{}}
	for n := range clients {
		l.all.Go(func() { l.live(n) })
	}
	return l
}

// end stops the clients and waits for the answers that they still expect.
func (l *load) end() {
	close(l.stop)
	l.all.Wait()
}

// live is one client: it creates a group, renames it a few times, reads it, and begins again.
func (l *load) live(client int) {
	for round := 0; ; round++ {
		id := ""
		for step := range 6 {
			select {
			case <-l.stop:
				return
			default:
			}
			name := fmt.Sprintf("client %d group %d name %d", client, round, step)
			switch {
			case id == "":
				id = l.create(name, regions()[round%len(regions())])
			case step%2 == 1:
				l.rename(id, name)
			default:
				l.read(id)
			}
		}
	}
}

// mayFail forgives a connection that broke because its replica was killed, and nothing else.
func (l *load) mayFail(what string, a answered, r *replica, err error) (failed bool) {
	l.sent.Add(1)
	if err == nil && a.status == http.StatusOK {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(err, errCut) && l.killed[r] {
		l.cut++
		return true
	}
	name := "nobody"
	if r != nil {
		name = r.name
	}
	l.t.Errorf("%s failed at %s: %d %v %.300s", what, name, a.status, err, a.raw)
	return true
}

func (l *load) create(name string, at region) string {
	a, r, err := l.to.send(http.MethodPost, "/aws/ec2/group", document(name, at, 0, 100))
	if l.mayFail("create", a, r, err) {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	id := a.items[0]["id"].(string)
	l.names[id] = name
	return id
}

func (l *load) rename(id, name string) {
	a, r, err := l.to.send(http.MethodPut, "/aws/ec2/group/"+id, map[string]any{"group": map[string]any{"name": name}})
	failed := l.mayFail("update", a, r, err)
	l.mu.Lock()
	defer l.mu.Unlock()
	if failed {
		l.doubt[id] = name
		return
	}
	l.names[id] = name
	delete(l.doubt, id)
}

func (l *load) read(id string) {
	a, r, err := l.to.send(http.MethodGet, "/aws/ec2/group/"+id, nil)
	l.mayFail("read", a, r, err)
}

// judge looks for everything that was acknowledged.
func (l *load) judge(r *replica) {
	l.t.Helper()
	kept := map[string]string{}
	for _, group := range r.must(http.MethodGet, "/aws/ec2/group", nil).items {
		kept[group["id"].(string)] = group["name"].(string)
	}
	for id, name := range l.names {
		if got, there := kept[id]; !there || got != name && got != l.doubt[id] {
			l.t.Errorf("lost: the group %s was acknowledged as %q and is %q (there: %v)", id, name, got, there)
		}
	}
	if len(l.names) == 0 {
		l.t.Error("no group was acknowledged at all")
	}
}

func TestARollingRestartFailsNoRequestAndLosesNothingAcknowledged(t *testing.T) {
	in := install(t)
	flags := []string{"--no-demo", "--log-level", "warn", "--drain", drainFor.String()}
	serving := []*replica{in.start(flags...), in.start(flags...), in.start(flags...)}
	to := newBalancer(t, serving...)
	l := startLoad(t, to)
	for n := range serving {
		serving[n].stop()
		serving[n] = in.start(flags...)
		to.add(serving[n])
	}
	l.end()
	if l.cut > 0 {
		t.Errorf("%d requests were cut though nobody was killed", l.cut)
	}
	l.judge(serving[0])
	t.Logf("%d requests, %d groups; %d connections were refused and tried elsewhere", l.sent.Load(), len(l.names), to.refused)
}

func TestAKilledReplicaFailsOnlyTheRequestsInFlightAndLosesNothingAcknowledged(t *testing.T) {
	in := install(t)
	flags := []string{"--no-demo", "--log-level", "warn", "--drain", drainFor.String()}
	serving := []*replica{in.start(flags...), in.start(flags...)}
	to := newBalancer(t, serving...)
	l := startLoad(t, to)
	eventually(t, "requests flow", limit, func() bool { return l.sent.Load() > 100 })
	l.mu.Lock()
	l.killed[serving[0]] = true
	l.mu.Unlock()
	serving[0].kill()
	before := l.sent.Load()
	eventually(t, "requests flow again", limit, func() bool { return l.sent.Load() > before+100 })
	l.end()
	if l.cut > 2*clients {
		t.Errorf("%d requests were cut; at most %d were in flight", l.cut, clients)
	}
	l.judge(serving[1])
	t.Logf("%d requests, %d groups; %d were in flight on the killed replica, %d connections were refused and tried elsewhere", l.sent.Load(), len(l.names), l.cut, to.refused)
}
