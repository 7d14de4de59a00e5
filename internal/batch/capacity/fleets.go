package capacity

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/fleet/plan"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// Config is what Fleets needs.
type Config struct {
	DB      *store.DB
	Fleet   *fleet.Fleet // Form must be one of its forms
	Catalog *catalog.Cloud
	Clock   clock.Clock // the engine's
	// Limit is what the machines of all lanes may lend together, because jobs really run within it; zero = no limit. A member that is zero has none, but for GPUs: with a limit, there are as
	// many as it says.
	Limit runtime.Resources
	// Regions are those of a cloud in which an account may have machines; nil = all of that cloud's in the catalogue.
	Regions func(ctx context.Context, account, cloud string) ([]string, error)
	// Template is what a lane's machines are made of; nil = an image that only simulated clouds take.
	Template func(l Lane) plan.Template
	// IdleFor is how long a machine stays that nobody needs; 0 = a minute.
	IdleFor time.Duration
	Log     *slog.Logger
}

// Fleets are the machines of lanes, as groups of the fleet room: one for each lane, and another one where jobs need GPUs. It is a Capacity.
//
// Every machine is locked before it is handed out as ready, so that neither scale-in nor a move of the fleet's own ever ends one with work on it: Want alone names those that go. A
// group's target is what is needed, so what the cloud takes is replaced at once if it had work, and not at all if it was idle.
type Fleets struct {
	Config

	shelves sync.Map // shelfKey → shelf: every job that is submitted asks for one

	mu     sync.Mutex
	crews  map[string]*crew // by id of the lane's row
	stamp  string           // of the rows
	gone   map[string]departed
	quotes map[place]quotes
}

var _ Capacity = (*Fleets)(nil)

// New makes it. It reads what it needs when it is first asked.
func New(c Config) *Fleets {
	c.IdleFor = cmp.Or(c.IdleFor, time.Minute)
	return &Fleets{Config: c, crews: map[string]*crew{}, gone: map[string]departed{}, quotes: map[place]quotes{}}
}

// author is who changes the groups, for their logs.
const author = "jobs"

// standIn is the image of machines that boot in a simulated cloud.
const standIn = "ami-0a55e77a61e0001"

// lane is a group of a lane at rest. Its id is the lane's key with the class.
type lane struct {
	Lane
	Class string `json:"class,omitempty"`
	Group string `json:"group"`
}

var lanes = store.Collection[lane]{Table: "job_lanes", Noun: "lane"}

func laneID(l Lane, class string) string {
	if class == plain {
		return l.key()
	}
	return l.key() + "/" + class
}

func laneIDs(l Lane) (ids []string) {
	for _, class := range classes() {
		ids = append(ids, laneID(l, class))
	}
	return ids
}

// crew is what this process knows of a lane's group.
type crew struct {
	lane
	id     string
	stamp  string // of the look that gave members
	looked bool
	// members are the group's machines, and launches without one.
	members []fleet.Instance
	handed  map[string]bool      // machines that were ready once, and so may have work
	idle    map[string]time.Time // since when nobody needs a machine
	known   time.Time            // since when this process knows it
	settled bool                 // nothing is asked for that nobody claims
	asked   time.Time            // when Want was told of it last, in wall time …
	bought  cloud.Lifecycle      // … and how its machines are bought
	wrote   time.Time            // when the group was changed last
	lacks   lack
}

// lack is what a group was told to get, as far as it is not there, and what it was not told to get although it is needed.
type lack struct {
	takes runtime.Resources // of the limit
	units int               // with those that are there
	since time.Time

	blocked time.Time         // since when something waits for room under the installation's limit; zero = nothing does
	needs   runtime.Resources // the machine for the first of that
}

// patience is how long room is kept for machines that the market does not give.
const patience = time.Minute

// refresh brings the lanes and their machines up to date.
func (f *Fleets) refresh(ctx context.Context) error {
	if err := f.readLanes(ctx); err != nil {
		return err
	}
	for _, c := range f.sorted() {
		if err := f.look(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// readLanes takes in the lanes that other replicas made or dropped.
func (f *Fleets) readLanes(ctx context.Context) error {
	stamp, err := lanes.Stamp(ctx, f.DB, store.Installation(), store.Query{})
	if err != nil || stamp == f.stamp {
		return err
	}
	docs, _, err := lanes.List(ctx, f.DB, store.Installation(), store.Query{})
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, d := range docs {
		known[d.ID] = true
		if c := f.crews[d.ID]; c == nil || c.Group != d.Value.Group {
			f.disband(c)
			f.crews[d.ID] = &crew{lane: d.Value, id: d.ID, known: f.Clock.Now(), handed: map[string]bool{}, idle: map[string]time.Time{}}
		}
	}
	for id, c := range f.crews {
		if !known[id] {
			f.disband(c)
			delete(f.crews, id)
		}
	}
	f.stamp = stamp
	return nil
}

// disband counts a crew's machines as gone.
func (f *Fleets) disband(c *crew) {
	if c == nil {
		return
	}
	for _, i := range c.members {
		f.bury(c, i)
	}
	c.members = nil
}

func (f *Fleets) sorted() []*crew {
	return slices.SortedFunc(maps.Values(f.crews), func(a, b *crew) int { return cmp.Compare(a.id, b.id) })
}

// found makes sure that a lane has a group of a class. Whatever cuts this short, the next call finds what it left: a group of this form and name, or the row.
func (f *Fleets) found(ctx context.Context, q Queue, class string) (*crew, error) {
	id := laneID(q.Lane, class)
	if c := f.crews[id]; c != nil {
		return c, nil
	}
	group, err := f.group(ctx, q, class)
	if err != nil {
		return nil, err
	}
	made := lane{Lane: q.Lane, Class: class, Group: group}
	_, err = lanes.Insert(ctx, f.DB, store.Doc[lane]{Meta: store.Meta{ID: id, Account: q.Account, Parent: group, Name: q.Queue, At: f.Clock.Now()}, Value: made})
	switch {
	case fault.Is(err, fault.Exists): // another replica was faster, and its group stays
		if err := f.keepOne(ctx, made, id); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	}
	if err := f.readLanes(ctx); err != nil {
		return nil, err
	}
	if f.crews[id] == nil {
		return nil, fault.Of(fault.Unavailable, lanes.Noun, "Lane %s was removed while it was made; try again.", id)
	}
	return f.crews[id], nil
}

// group finds a lane's group by its form and name, or makes it, without any machines.
func (f *Fleets) group(ctx context.Context, q Queue, class string) (string, error) {
	known, err := f.Fleet.List(ctx, q.Account, FormName)
	if err != nil {
		return "", err
	}
	asked := f.document(q, class, nil)
	for _, g := range known {
		if was, err := read(g.Document); err == nil && was.place() == asked.place() {
			return g.ID, nil
		}
	}
	text, err := asked.encoded()
	if err != nil {
		return "", err
	}
	made, err := f.Fleet.Create(ctx, q.Account, author, FormName, text)
	return made.ID, err
}

// keepOne deletes a group that came second.
func (f *Fleets) keepOne(ctx context.Context, made lane, id string) error {
	first, err := lanes.Get(ctx, f.DB, store.Account(made.Account), id)
	if err != nil || first.Value.Group == made.Group {
		return err
	}
	if err := f.Fleet.Delete(ctx, made.Account, author, made.Group); !fault.Is(err, fault.NotFound) {
		return err
	}
	return nil // another replica has deleted it, too
}

// document is a group as it is to be, before anything is known of its size.
func (f *Fleets) document(q Queue, class string, types []string) document {
	d := document{
		Name: q.nameOf(class), Cloud: q.Cloud, Region: q.Region, Queue: q.Queue, Class: class, Lifecycle: q.Lifecycle,
		Zones: f.Catalog.Zones(q.Region), Types: types,
		Template: plan.Template{Image: standIn, Tags: []plan.Tag{{Key: "Name", Value: q.nameOf(class)}}},
	}
	if f.Template != nil {
		d.Template = f.Template(q.Lane)
	}
	return d
}

// place is what never changes about a group.
func (d document) place() string {
	return fmt.Sprintf("%s/%s/%s/%s", d.Cloud, d.Region, d.Queue, d.Class)
}

// abandon forgets a lane whose group somebody has deleted.
func (f *Fleets) abandon(ctx context.Context, c *crew) error {
	f.disband(c)
	delete(f.crews, c.id)
	f.stamp = ""
	f.Log.WarnContext(ctx, "the group of a lane was deleted; its machines count as gone", "lane", c.id, "group", c.Group)
	doc, err := lanes.Get(ctx, f.DB, store.Account(c.Account), c.id)
	if err == nil && doc.Value.Group == c.Group {
		err = lanes.Delete(ctx, f.DB, store.Account(c.Account), c.id)
	}
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}
