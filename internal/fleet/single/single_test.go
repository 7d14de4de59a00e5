package single_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/single"
	"github.com/neap-cloud/neap/internal/identity"
)

// far is an account of a simulated cloud, some of whose calls go otherwise.
type far struct {
	cloud.Provider
	launch   func(l cloud.Launch) ([]cloud.Instance, error) // nil = as the cloud does
	describe func() ([]cloud.Instance, error)
	deadline time.Duration // that the last call had
}

// For is single.Clouds'.
func (f *far) For(context.Context, string) (cloud.Provider, error) { return f, nil }

// Unwrap leads to the other abilities.
func (f *far) Unwrap() cloud.Provider { return f.Provider }

// Launch is cloud.Provider's.
func (f *far) Launch(ctx context.Context, l cloud.Launch) ([]cloud.Instance, error) {
	if at, is := ctx.Deadline(); is {
		f.deadline = time.Until(at)
	}
	if f.launch == nil {
		return f.Provider.Launch(ctx, l)
	}
	return f.launch(l)
}

// Describe is cloud.Provider's.
func (f *far) Describe(ctx context.Context, q cloud.Query) ([]cloud.Instance, error) {
	if f.describe == nil {
		return f.Provider.Describe(ctx, q)
	}
	return f.describe()
}

const account = "act-1"

var order = single.Order{Image: "ami-0a1b2c3d", Type: "t1.micro", Least: 1, Most: 1, Zone: "us-east-1b"}

func start(t *testing.T, tuning sim.Tuning) (*single.Single, *far) {
	t.Helper()
	c, err := sim.Open(t.Context(), sim.Config{Memory: true, Clock: clock.NewManual(time.Date(2026, 5, 12, 9, 0, 0, 0, time.UTC)), Seed: 1, Tuning: &tuning})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &far{Provider: c.Account(account)}
	return single.New(single.Config{Clouds: f, Installation: func(context.Context) (identity.Installation, error) {
		return identity.Installation{ID: "inst", Generation: 7}, nil
	}}), f
}

func TestWhatWasJustLaunchedIsKnownAlthoughTheCloudDoesNotShowItYet(t *testing.T) {
	s, f := start(t, sim.Usual())
	ids, err := s.Launch(t.Context(), account, order)
	if err != nil || len(ids) != 1 {
		t.Fatalf("%v, %v", ids, err)
	}
	f.describe = func() ([]cloud.Instance, error) { return nil, nil }
	if got, err := s.Describe(t.Context(), account, ids[0]); err != nil || got.ID != ids[0] || got.State != cloud.Pending {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.Describe(t.Context(), account, "i-0123abcd"); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	if other, _ := start(t, sim.Usual()); other != nil {
		if _, err := other.Describe(t.Context(), account, ids[0]); !fault.Is(err, fault.NotFound) {
			t.Errorf("another process knows it: %v", err)
		}
	}
}

func TestWhatACloudThatSettlesAtOnceDoesNotShowIsNotThere(t *testing.T) {
	s, f := start(t, sim.Tame())
	ids, err := s.Launch(t.Context(), account, order)
	if err != nil {
		t.Fatal(err)
	}
	f.describe = func() ([]cloud.Instance, error) { return nil, nil }
	if _, err := s.Describe(t.Context(), account, ids[0]); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
}

func TestAnOrderThatIsMetInPartIsMet(t *testing.T) {
	s, f := start(t, sim.Tame())
	short := &cloud.Refusal{Kind: cloud.NoCapacity, Code: "InsufficientInstanceCapacity", Message: "No more."}
	f.launch = func(cloud.Launch) ([]cloud.Instance, error) {
		return []cloud.Instance{{ID: "i-2"}, {ID: "i-1"}}, short
	}
	if ids, err := s.Launch(t.Context(), account, order); err != nil || fmt.Sprint(ids) != "[i-2 i-1]" {
		t.Errorf("%v, %v", ids, err)
	}
	f.launch = func(cloud.Launch) ([]cloud.Instance, error) { return nil, short }
	if ids, err := s.Launch(t.Context(), account, order); err == nil || ids == nil || len(ids) > 0 {
		t.Errorf("%v, %v", ids, err)
	}
	if f.deadline < 29*time.Second || f.deadline > 30*time.Second {
		t.Errorf("the cloud had %s for its answer", f.deadline)
	}
}

func TestLaunchesAreSignedAsNobodysGroup(t *testing.T) {
	s, f := start(t, sim.Tame())
	var asked []cloud.Launch
	f.launch = func(l cloud.Launch) ([]cloud.Instance, error) {
		asked = append(asked, l)
		return nil, nil
	}
	for _, token := range []string{"", "", "mine"} {
		again := order
		again.Token = token
		if _, err := s.Launch(t.Context(), account, again); err != nil {
			t.Fatal(err)
		}
	}
	if asked[0].Token == "" || asked[0].Token == asked[1].Token || asked[2].Token != "mine" {
		t.Errorf("tokens %q, %q, %q", asked[0].Token, asked[1].Token, asked[2].Token)
	}
	for n, l := range asked {
		want := map[string]string{"neap:installation": "inst", "neap:owner": "single", "neap:action": l.Token, "neap:generation": "7"}
		if n == 2 { // another start must be able to repeat it
			delete(want, "neap:generation")
		}
		if fmt.Sprint(l.Tags) != fmt.Sprint(want) {
			t.Errorf("tags %v, want %v", l.Tags, want)
		}
	}
}

func TestEachKindOfRefusalSaysWhatACallerCanDo(t *testing.T) {
	s, f := start(t, sim.Tame())
	for _, c := range []struct {
		fails *cloud.Refusal
		kind  fault.Kind
	}{
		{&cloud.Refusal{Kind: cloud.NoCapacity, Code: "InsufficientInstanceCapacity"}, fault.Unavailable},
		{&cloud.Refusal{Kind: cloud.NoQuota, Code: "VcpuLimitExceeded"}, fault.Limit},
		{&cloud.Refusal{Kind: cloud.Throttled, Code: "RequestLimitExceeded"}, fault.Limit},
		{&cloud.Refusal{Kind: cloud.Denied, Code: "UnauthorizedOperation"}, fault.Denied},
		{&cloud.Refusal{Kind: cloud.BadRequest, Code: "InvalidParameterValue"}, fault.Invalid},
		{&cloud.Refusal{Kind: cloud.BadRequest, Code: "IncorrectInstanceState"}, fault.Conflict},
		{&cloud.Refusal{Kind: cloud.Unknown, Code: "InvalidAMIID.NotFound"}, fault.Invalid},
		{&cloud.Refusal{Kind: cloud.Unknown, Code: "InvalidInstanceID.NotFound"}, fault.NotFound},
		{&cloud.Refusal{Kind: cloud.BadRequest, Code: "InvalidInstanceID.Malformed"}, fault.NotFound},
	} {
		c.fails.Message = "So it is."
		f.launch = func(cloud.Launch) ([]cloud.Instance, error) { return nil, fmt.Errorf("asked: %w", c.fails) }
		_, err := s.Launch(t.Context(), account, order)
		if !fault.Is(err, c.kind) || fault.As(err).Message == "" {
			t.Errorf("%s: %v, want %s", c.fails.Code, err, c.kind)
		}
		refused, is := errors.AsType[*single.Refused](err)
		if is != (c.kind != fault.NotFound) || is && (refused.Code != c.fails.Code || !errors.Is(err, c.fails)) {
			t.Errorf("%s: told as %+v", c.fails.Code, refused)
		}
	}
}

// bare is a cloud that can do nothing but what every cloud can.
type bare struct{ cloud.Provider }

// For is single.Clouds'.
func (b bare) For(context.Context, string) (cloud.Provider, error) { return b, nil }

func TestACloudWithoutTheAbilityRefuses(t *testing.T) {
	s, f := start(t, sim.Tame())
	s.Clouds = bare{f.Provider}
	for what, err := range map[string]error{
		"stop": s.Stop(t.Context(), account, "i-1", false), "modify": s.Modify(t.Context(), account, "i-1", "kernel", "x"),
		"terminate by force": s.Terminate(t.Context(), account, "i-1", true),
	} {
		if refused, is := errors.AsType[*single.Refused](err); !is || refused.Code != "UnsupportedOperation" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAnAnswerThatIsLostIsAskedForAgain(t *testing.T) {
	lost := errors.New("connection reset")
	slower := &cloud.Refusal{Kind: cloud.Throttled, Scope: cloud.ScopeAccount, Code: "RequestLimitExceeded", Message: "Slower."}
	dry := &cloud.Refusal{Kind: cloud.NoCapacity, Scope: cloud.ScopePool, Code: "InsufficientInstanceCapacity", Message: "None left."}
	for name, c := range map[string]struct {
		answers []error // that take the place of the cloud's, which acts nevertheless when an answer is lost
		asked   int
		code    string // of the failure; "" = there is none
	}{
		"once":                            {[]error{lost}, 2, ""},
		"twice":                           {[]error{lost, lost}, 3, ""},
		"and the repetition is throttled": {[]error{lost, slower}, 3, ""},
		"again and again":                 {[]error{lost, lost, lost, lost}, 3, "Unavailable"},
		"and all repetitions throttled":   {[]error{lost, slower, slower, slower}, 3, "Unavailable"},
		"not at all, but refused":         {[]error{dry}, 1, dry.Code},
		"not at all, but throttled":       {[]error{slower}, 1, slower.Code},
	} {
		t.Run(name, func(t *testing.T) {
			s, f := start(t, sim.Usual())
			asked := 0
			f.launch = func(l cloud.Launch) (started []cloud.Instance, err error) {
				asked++
				if asked > len(c.answers) {
					return f.Provider.Launch(t.Context(), l)
				}
				if err = c.answers[asked-1]; errors.Is(err, lost) {
					if _, failed := f.Provider.Launch(t.Context(), l); failed != nil {
						t.Fatal(failed)
					}
				}
				return nil, err
			}
			ids, err := s.Launch(t.Context(), account, order)
			code := ""
			if refused, is := errors.AsType[*single.Refused](err); is {
				code = refused.Code
			}
			if asked != c.asked || code != c.code || (err == nil) != (len(ids) == 1) {
				t.Errorf("asked %d times: %v, %v", asked, ids, err)
			}
			all, err := f.Provider.Describe(t.Context(), cloud.Query{Region: single.DefaultRegion})
			if err != nil || len(all) > 1 {
				t.Errorf("there are %d instances, %v", len(all), err)
			}
		})
	}
}
