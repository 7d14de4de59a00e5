// Package listen hears what the clouds tell of themselves: warnings about instances, and prices.
//
// It owns when which place is asked, what happens to one that does not answer and while the store is away, and that a warning is acknowledged only once it is
// kept. It must not know groups, instances or plans: the room keeps what is heard. Start reading at Ear.
package listen

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fleet/intake"
	"github.com/neap-cloud/neap/internal/fleet/spool"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/market"
	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/workflow"
)

// CallTimeout bounds the work on one place: a region that hangs must not hold up the others for longer.
const CallTimeout = 10 * time.Second

// placesReread is how soon, by the wall, a place that another replica settled in is known here.
const placesReread = 2 * time.Second

// Config is what an Ear needs.
type Config struct {
	DB       *store.DB
	Workflow *workflow.Engine
	Journal  *journal.Journal
	Market   *market.Market
	// Places reads from the store where there is something to hear.
	Places func(ctx context.Context) ([]spool.Place, error)
	// Provider is the cloud of an account.
	Provider func(ctx context.Context, account string) (cloud.Provider, error)
	// Keep takes warnings into the store. One that it knows already is harmless.
	Keep  func(ctx context.Context, all []Warning) error
	Spool string // file that keeps warnings while the store is away; "" = memory
	Log   *slog.Logger
}

// Ear listens to every place. Safe for concurrent use.
type Ear struct {
	Config
	places  intake.Recent[[]spool.Place]
	asking  sync.Map               // places whose notices are being asked for
	rounds  atomic.Int64           // of asking for notices
	noticed intake.Lately[bool]    // that there were any
	intake  intake.Gather[Warning] // of notices
	spool   *spool.File

	mu     sync.Mutex
	priced map[feed]bool // whose prices this process has read
}

// New hears nothing yet.
func New(c Config) *Ear {
	e := &Ear{Config: c, spool: spool.New(c.Spool), priced: map[feed]bool{}}
	e.places.For, e.places.Read, e.noticed.For, e.intake.Do = placesReread, c.Places, noticeEcho, c.Keep
	return e
}

// Periodics is when it listens.
func (e *Ear) Periodics() []workflow.Periodic {
	return []workflow.Periodic{
		{Name: "fleet.notices", Every: noticeInterval, Do: e.takeNotices},
		{Name: "fleet.prices", Every: priceInterval, Do: e.takePrices},
	}
}

// ForgetPlaces has the places read anew, because there is one more.
func (e *Ear) ForgetPlaces() { e.places.Forget() }
