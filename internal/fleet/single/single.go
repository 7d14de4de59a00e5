// Package single works on instances one by one, by name: it launches them, shows them, stops, starts, reboots, changes and ends them, as somebody asks.
//
// It owns the words in which a cloud's refusal is told, and keeps nothing: all state is in the cloud. It must not know groups, nor any wire format. Start reading at
// Single; refusal.go says what becomes of failures.
package single

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/budget"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/call"
	"github.com/neap-cloud/neap/internal/fleet/tags"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/store"
)

// DefaultRegion is where instances are unless the configuration says otherwise.
const DefaultRegion = "us-east-1"

// patience is how long a cloud has for the answer to one call.
const patience = 30 * time.Second

// Clouds finds the cloud behind an account of ours.
type Clouds interface {
	For(ctx context.Context, account string) (cloud.Provider, error)
}

// Config is what the room needs.
type Config struct {
	Clouds Clouds
	// Installation is this database's identity as it stands now.
	Installation func(ctx context.Context) (identity.Installation, error)
	Region       string // "" = DefaultRegion
}

// Single is the room's face. Every method takes the caller's account; an instance that the cloud does not know in it is fault.NotFound, any other failure of the cloud
// has a *Refused among its causes. Methods that change something honour store.WithDryRun: they ask the cloud whether it could be done, as far as it can say.
type Single struct {
	Config
	fresh fresh
}

// New makes the room.
func New(c Config) *Single {
	c.Region = cmp.Or(c.Region, DefaultRegion)
	return &Single{Config: c}
}

// Instance is the cloud's account of one instance.
type Instance = cloud.Instance

// Order asks for instances of one kind: as many as can be had between Least and Most, or none.
type Order struct {
	Image, Type    string
	Least, Most    int
	KeyPair        string
	SecurityGroups []string // names or ids
	UserData       string   // as the instance is to read it
	Zone           string
	PlacementGroup string
	Shutdown       string // what a shutdown from inside does: "stop" or "terminate"
	EBSOptimized   bool
	Token          string // the same order with its token starts nothing twice; "" = this is another one
}

// Launch carries out an order and returns the ids in the order of their start.
func (s *Single) Launch(ctx context.Context, account string, o Order) ([]string, error) {
	inst, err := s.Installation(ctx)
	if err != nil {
		return nil, err
	}
	launch := s.launch(o, inst)
	var started []Instance
	err = s.ask(ctx, account, func(ctx context.Context, p cloud.Provider) (err error) {
		if store.IsDryRun(ctx) {
			return check(ctx, p, s.Region, launch.Template)
		}
		if started, err = launched(ctx, p, launch); len(started) > 0 {
			err = nil // fewer than Most will do
		}
		s.fresh.put(started, p.Info().Settle)
		return err
	})
	ids := make([]string, len(started))
	for n, i := range started {
		ids[n] = i.ID
	}
	return ids, tell(err, o.values())
}

const mostLost = 2 // answers to one launch that are given up, before its caller is told

// launched asks for a launch, and again when the answer is lost: its token makes that harmless, and nobody else could tell what it has started. A refusal that the
// repetition alone has met leaves open what the first attempt did.
func launched(ctx context.Context, p cloud.Provider, l cloud.Launch) (started []Instance, err error) {
	for lost := 0; ; lost++ {
		started, err = p.Launch(ctx, l)
		refusal, isRefused := errors.AsType[*cloud.Refusal](err)
		switch isOpen := lost > 0 && isRefused && call.ProvesNothing(refusal); {
		case err == nil || isRefused && !isOpen:
			return started, err
		case lost < mostLost && ctx.Err() == nil:
		case isOpen:
			return nil, fmt.Errorf("no answer to a launch, and then %s", refusal) // no refusal: it says nothing of the launch
		default:
			return nil, err
		}
	}
}

// launch is an order as the cloud is asked for it.
func (s *Single) launch(o Order, inst identity.Installation) cloud.Launch {
	launch := cloud.Launch{
		Market: cloud.Market{Region: s.Region, Zone: o.Zone, Type: o.Type, Lifecycle: cloud.OnDemand},
		Count:  o.Most, Least: o.Least,
		Template: cloud.Template{
			Image: o.Image, KeyPair: o.KeyPair, SecurityGroups: o.SecurityGroups, UserData: encoded(o.UserData),
			PlacementGroup: o.PlacementGroup, Shutdown: o.Shutdown, EBSOptimized: o.EBSOptimized,
		},
	}
	tags.Sign(&launch, cmp.Or(o.Token, ident.UUID()), inst.ID, inst.Generation, tags.Single)
	if o.Token != "" {
		delete(launch.Tags, tags.Generation) // which another start changes: the order would be another one, and its token refused
	}
	return launch
}

// encoded is user data as they travel.
func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// check is the first thing that the cloud finds wrong with a template.
func check(ctx context.Context, p cloud.Provider, region string, t cloud.Template) error {
	faults, err := p.Check(ctx, region, t)
	if err == nil && len(faults) > 0 {
		err = faults[0]
	}
	return err
}

// Describe shows an instance. One that ended is shown for a while.
func (s *Single) Describe(ctx context.Context, account, id string) (found Instance, err error) {
	err = s.ask(ctx, account, func(ctx context.Context, p cloud.Provider) (err error) {
		found, err = s.find(ctx, p, id)
		return err
	})
	return found, tell(err, nil)
}

func (s *Single) find(ctx context.Context, p cloud.Provider, id string) (Instance, error) {
	all, err := p.Describe(ctx, cloud.Query{Region: s.Region, IDs: []string{id}})
	if err != nil {
		return Instance{}, err
	}
	if len(all) == 0 {
		if new, is := s.fresh.get(id); is {
			return new, nil
		}
		return Instance{}, fault.Missing("instance", id)
	}
	return all[0], nil
}

// Start starts a stopped instance; one that runs already stays as it is.
func (s *Single) Start(ctx context.Context, account, id string) error {
	return act(ctx, s, account, id, func(ctx context.Context, p cloud.Powerer) error { return p.Start(ctx, s.Region, []string{id}) })
}

// Stop stops an instance in place. By force it does not wait for the instance's own shutdown.
func (s *Single) Stop(ctx context.Context, account, id string, force bool) error {
	return act(ctx, s, account, id, func(ctx context.Context, p cloud.Powerer) error { return p.Stop(ctx, s.Region, []string{id}, force) })
}

// Reboot restarts a running instance.
func (s *Single) Reboot(ctx context.Context, account, id string) error {
	return act(ctx, s, account, id, func(ctx context.Context, p cloud.Powerer) error { return p.Reboot(ctx, s.Region, []string{id}) })
}

// Modify changes one attribute, in EC2's words: "instanceType", "m1.small". User data are given as the instance is to read them.
func (s *Single) Modify(ctx context.Context, account, id, attribute, value string) error {
	if attribute == "userData" {
		value = encoded(value)
	}
	return act(ctx, s, account, id, func(ctx context.Context, p cloud.Modifier) error {
		return p.Modify(ctx, s.Region, id, attribute, value)
	})
}

// Terminate ends an instance; one that has ended stays so. By force it takes its protection off first.
func (s *Single) Terminate(ctx context.Context, account, id string, force bool) error {
	if force {
		err := s.Modify(ctx, account, id, "disableApiTermination", "false")
		if err != nil && !fault.Is(err, fault.Conflict) { // what has ended is protected no more
			return err
		}
	}
	return act(ctx, s, account, id, func(ctx context.Context, p cloud.Provider) error { return p.Terminate(ctx, s.Region, []string{id}) })
}

// act does something to an instance with an ability of the cloud. A rehearsal only looks whether the instance is there.
func act[T any](ctx context.Context, s *Single, account, id string, do func(ctx context.Context, with T) error) error {
	return tell(s.ask(ctx, account, func(ctx context.Context, p cloud.Provider) error {
		with, able := cloud.As[T](p)
		if !able {
			return &cloud.Refusal{Kind: cloud.BadRequest, Code: "UnsupportedOperation", Message: "The account's cloud cannot do this to an instance."}
		}
		if store.IsDryRun(ctx) {
			_, err := s.find(ctx, p, id)
			return err
		}
		return do(ctx, with)
	}), nil)
}

// ask makes one call to the account's cloud.
func (s *Single) ask(ctx context.Context, account string, call func(ctx context.Context, p cloud.Provider) error) error {
	p, err := s.Clouds.For(ctx, account)
	if err != nil {
		return fault.Of(fault.Unavailable, "cloud", "The cloud of account %s can't be reached; check its credentials.", account).With(err)
	}
	limited, cancel := context.WithTimeout(budget.Attended(ctx, patience), patience)
	defer cancel()
	return call(limited, p)
}
