// Package cloudtest is the provider contract as a test that every cloud passes.
//
// It owns what callers may rely on, in executable form. It must not know any particular cloud: a fixture says what to buy and how time
// passes. Abilities are tested where the fixture lists them, and the list has to be what the provider claims. Start reading at Run.
package cloudtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/ident"
)

// Ability names an optional part of the contract that this suite has cases for.
type Ability string

// The abilities, by the names of their interfaces in package cloud.
const (
	Interrupts Ability = "Interrupter"
	Notifies   Ability = "Notifier"
	Prices     Ability = "Pricer"
	Tags       Ability = "Tagger"
	Powers     Ability = "Powerer"
	Modifies   Ability = "Modifier"
	Consoles   Ability = "Consoler"
)

// claims tells for each ability whether a provider has it.
func claims() map[Ability]func(cloud.Provider) bool {
	return map[Ability]func(cloud.Provider) bool{
		Interrupts: has[cloud.Interrupter], Notifies: has[cloud.Notifier], Prices: has[cloud.Pricer], Tags: has[cloud.Tagger], Powers: has[cloud.Powerer],
		Modifies: has[cloud.Modifier], Consoles: has[cloud.Consoler],
	}
}

func has[T any](p cloud.Provider) bool {
	_, ok := cloud.As[T](p)
	return ok
}

// Fixture is one fresh cloud account and what the suite needs to work with it.
type Fixture struct {
	Provider cloud.Provider
	Market   cloud.Market // a spot market that will start ten instances; the same on demand will too
	Template cloud.Template
	Now      func() time.Time
	Advance  func(time.Duration) // lets time pass; where nothing ever has to settle it may return sooner
	// Claims are the abilities that the provider is to have, no more and no fewer: none gets lost, and none goes untested.
	Claims []Ability
	// Room makes the market's pool grant at most count instances from now on; nil when the cloud cannot be made to.
	Room func(m cloud.Market, count int)
	// Throttle makes the next Launch exceed the request limit; nil when the cloud cannot be made to.
	Throttle func()
	// Coarse says that what stands behind the provider is coarser than the cloud: it does what rules of states refuse, and keeps the time of the first start.
	Coarse bool
	// MostPatience is how long a state may take to come about; 0 means ten minutes.
	MostPatience time.Duration
}

// Run holds a provider to the contract. fresh makes an account for each case; it may hold instances, none of which carry a tag "cloudtest". A case for what the
// fixture does not claim, or cannot bring about, is not run at all.
func Run(t *testing.T, fresh func(t *testing.T) Fixture) {
	able := func(abilities ...Ability) func(Fixture) bool {
		return func(f Fixture) bool {
			return !slices.ContainsFunc(abilities, func(a Ability) bool { return !slices.Contains(f.Claims, a) })
		}
	}
	limits, throttles := func(f Fixture) bool { return f.Room != nil }, func(f Fixture) bool { return f.Throttle != nil }
	cases := []struct {
		name string
		run  func(*suite)
		when func(Fixture) bool
	}{
		{"it claims the abilities that it is to have", (*suite).claims, able()},
		{"a launch starts what was asked for, tagged", (*suite).launches, able()},
		{"the same token starts nothing twice", (*suite).repeatsTokens, able()},
		{"a token with other parameters is refused", (*suite).guardsTokens, able()},
		{"a pool with too little room starts what it can and refuses the rest", (*suite).launchesPartly, limits},
		{"a dry pool refuses by type and starts nothing", (*suite).refusesWhenDry, limits},
		{"a request that can never work is refused for good", (*suite).refusesNonsense, able()},
		{"too many requests are refused as throttling", (*suite).throttles, throttles},
		{"an instance is found by id and by tags once settled", (*suite).describes, able()},
		{"an instance runs and its status becomes ok", (*suite).boots, able()},
		{"a terminated instance ends, however often it is told to", (*suite).terminates, able()},
		{"an unknown instance cannot be terminated", (*suite).refusesUnknown, able()},
		{"a template is checked before anything is launched", (*suite).checks, able()},
		{"a cancelled call fails", (*suite).honoursContext, able()},
		{"an interruption is announced, repeated until acknowledged, and carried out", (*suite).interrupts, able(Interrupts, Notifies)},
		{"only living spot instances are interrupted", (*suite).refusesInterruptions, able(Interrupts)},
		{"prices are told for the market", (*suite).prices, able(Prices)},
		{"tags of a living instance are changed and removed", (*suite).tags, able(Tags)},
		{"an on-demand instance stops, starts and reboots in place", (*suite).powers, able(Powers)},
		{"a launch starts at least what was asked for, or none", (*suite).launchesLeast, limits},
		{"instances come in the order of their start", (*suite).keepsOrder, able()},
		{"an instance shows its key pair, its placement group and its names", (*suite).showsItself, able()},
		{"a start renews the time of launch", (*suite).renewsLaunch, able(Powers)},
		{"an instance stops by force", (*suite).stopsByForce, able(Powers)},
		{"attributes change as far as the instance's state allows", (*suite).modifies, able(Powers, Modifies)},
		{"a protected instance cannot be terminated", (*suite).protects, able(Modifies)},
		{"a running instance's console shows something, and goes on from there", (*suite).consoles, able(Consoles)},
	}
	first := fresh(t)
	for _, c := range cases {
		if !c.when(first) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			f := fresh(t)
			c.run(&suite{T: t, Fixture: f, region: f.Market.Region, mark: ident.Hex(6)})
		})
	}
}

type suite struct {
	*testing.T
	Fixture
	region string
	mark   string // the value of the tag "cloudtest" on what this case starts, which nobody else uses
	tokens int
}

// onDemand is the fixture's market without spot.
func (s *suite) onDemand() cloud.Market {
	m := s.Market
	m.Lifecycle = cloud.OnDemand
	return m
}

// request is a launch with a token of its own.
func (s *suite) request(m cloud.Market, count int) cloud.Launch {
	s.tokens++
	return cloud.Launch{
		Token: fmt.Sprintf("cloudtest-%s-%s-%d", s.Name(), s.mark, s.tokens), Market: m, Count: count, Template: s.Template,
		Tags: map[string]string{"cloudtest": s.mark, "cloudtest:launch": fmt.Sprint(s.tokens)},
	}
}

func (s *suite) start(m cloud.Market, count int) []cloud.Instance {
	s.Helper()
	started, err := s.Provider.Launch(s.Context(), s.request(m, count))
	if err != nil || len(started) != count {
		s.Fatalf("Launch started %d of %d: %v", len(started), count, err)
	}
	return started
}

func (s *suite) describe(q cloud.Query) []cloud.Instance {
	s.Helper()
	q.Region = s.region
	found, err := s.Provider.Describe(s.Context(), q)
	if err != nil {
		s.Fatalf("Describe: %v", err)
	}
	return found
}

func (s *suite) one(id string) (cloud.Instance, bool) {
	s.Helper()
	found := s.describe(cloud.Query{IDs: []string{id}})
	if len(found) == 0 {
		return cloud.Instance{}, false
	}
	return found[0], true
}

// eventually lets time pass until done.
func (s *suite) eventually(what string, done func() bool) {
	s.Helper()
	patience := s.MostPatience
	if patience == 0 {
		patience = 10 * time.Minute
	}
	for deadline := s.Now().Add(patience); ; {
		if done() {
			return
		}
		if s.Now().After(deadline) {
			s.Fatalf("not within %v: %s", patience, what)
		}
		s.Advance(time.Second)
	}
}

func (s *suite) eventuallyIn(id string, state cloud.State) cloud.Instance {
	s.Helper()
	var last cloud.Instance
	s.eventually(fmt.Sprintf("%s is %s", id, state), func() bool {
		found, ok := s.one(id)
		last = found
		return ok && found.State == state
	})
	return last
}

// settle waits until an absence proves something.
func (s *suite) settle() { s.Advance(s.Provider.Info().Settle + time.Millisecond) }

// refused fails the test unless err is a refusal of the kind.
func (s *suite) refused(what string, err error, kind cloud.RefusalKind) *cloud.Refusal {
	s.Helper()
	var refusal *cloud.Refusal
	if !errors.As(err, &refusal) {
		s.Fatalf("%s: got %v, want a refusal of kind %s", what, err, kind)
	}
	if refusal.Kind != kind || refusal.Code == "" || refusal.Message == "" {
		s.Fatalf("%s: got %+v, want kind %s with a code and a message", what, refusal, kind)
	}
	return refusal
}

// countAll is how many instances there are once settled.
func (s *suite) countAll() int {
	s.Helper()
	s.settle()
	return len(s.describe(cloud.Query{Tags: map[string]string{"cloudtest": s.mark}}))
}

func idsOf(instances []cloud.Instance) []string {
	var ids []string
	for _, i := range instances {
		ids = append(ids, i.ID)
	}
	slices.Sort(ids)
	return ids
}

// ability is an ability that the fixture lists.
func ability[T any](s *suite) T {
	s.Helper()
	found, ok := cloud.As[T](s.Provider)
	if !ok {
		s.Fatalf("%s does not claim %T", s.Provider.Info().Name, *new(*T))
	}
	return found
}
