// Package cloud is what Neap asks of a cloud, and nothing more.
//
// It owns the provider contract and its nouns; cloudtest is the contract's executable form. It must not know groups,
// accounts of ours, or any dialect. A Provider value stands for one cloud account. Start reading at Provider.
package cloud

import (
	"context"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/money"
)

// Lifecycle is how capacity is bought.
type Lifecycle string

const (
	Spot     Lifecycle = "spot"
	OnDemand Lifecycle = "on-demand"
)

// Market is one place to buy: a type in a zone of a region, for an operating system, spot or on demand.
type Market struct {
	Region    string    `json:"region"`
	Zone      string    `json:"zone"`
	Type      string    `json:"type"`
	Product   string    `json:"product"` // "Linux/UNIX", "Windows", "SUSE Linux", "Red Hat Enterprise Linux"
	Lifecycle Lifecycle `json:"lifecycle"`
}

// Template is what every instance of a launch gets. The provider checks form, and existence where it can.
type Template struct {
	Image          string   `json:"image,omitempty"`
	KeyPair        string   `json:"keyPair,omitempty"`
	SecurityGroups []string `json:"securityGroups,omitempty"`
	Subnets        []string `json:"subnets,omitempty"`  // candidates; the provider takes one that lies in the market's zone
	UserData       string   `json:"userData,omitempty"` // in base64, as users hand it in
	Role           string   `json:"role,omitempty"`     // name or ARN of what gives the instance its rights; on AWS an instance profile
	Tenancy        string   `json:"tenancy,omitempty"`
	Monitoring     bool     `json:"monitoring,omitempty"`
	EBSOptimized   bool     `json:"ebsOptimized,omitempty"`
	PublicIP       *bool    `json:"publicIp,omitempty"`
	PlacementGroup string   `json:"placementGroup,omitempty"`
	Shutdown       string   `json:"shutdown,omitempty"` // what a shutdown from inside does: ShutdownStops or ShutdownTerminates; "" = as the cloud does on its own
}

// What a shutdown from inside an instance does.
const (
	ShutdownStops      = "stop"
	ShutdownTerminates = "terminate"
)

// Launch asks for Count instances in one market.
type Launch struct {
	Token  string `json:"token"` // repeating an identical Launch with its token returns the first call's instances, and starts none
	Market Market `json:"market"`
	Count  int    `json:"count"`
	Least  int    `json:"least,omitempty"` // fewer than this many are as good as none: then none are started; 0 = 1
	// Alternatives are other markets of the same region, product and lifecycle that will do as well, the better ones first. A provider that can ask for several at
	// once may start some of the instances there; the others take no notice.
	Alternatives []Market          `json:"alternatives,omitempty"`
	Template     Template          `json:"template"`
	Tags         map[string]string `json:"tags,omitempty"` // set at launch, atomically with it
}

// State is an instance's state as the cloud tells it.
type State string

const (
	Pending      State = "pending"
	Running      State = "running"
	ShuttingDown State = "shutting-down"
	Terminated   State = "terminated" // terminal; still described for a while
	Stopping     State = "stopping"
	Stopped      State = "stopped"
)

// Status is the cloud's own check of an instance.
type Status string

const (
	StatusUnknown      Status = ""
	StatusInitializing Status = "initializing"
	StatusOK           Status = "ok"
	StatusImpaired     Status = "impaired"
)

// Why an instance ended, as far as the cloud says.
const (
	EndedByUser         = "user"         // a Terminate call, ours or somebody else's
	EndedByInterruption = "interruption" // the cloud took spot capacity back
	EndedByFailure      = "failure"      // it died on its own
)

// Instance is the cloud's account of one instance. Read-back may be stale for the provider's settle time.
type Instance struct {
	ID             string            `json:"id"`
	Request        string            `json:"request,omitempty"` // the spot request's id, "" on demand
	Market         Market            `json:"market"`
	State          State             `json:"state"`
	Status         Status            `json:"status,omitempty"`
	Ended          string            `json:"ended,omitempty"` // one of EndedBy…, once shutting down
	Image          string            `json:"image,omitempty"`
	KeyPair        string            `json:"keyPair,omitempty"`
	PlacementGroup string            `json:"placementGroup,omitempty"`
	Subnet         string            `json:"subnet,omitempty"`
	PrivateIP      string            `json:"privateIp,omitempty"`
	PublicIP       string            `json:"publicIp,omitempty"`
	PrivateDNS     string            `json:"privateDns,omitempty"`
	PublicDNS      string            `json:"publicDns,omitempty"`
	Tags           map[string]string `json:"tags,omitempty"`
	LaunchedAt     time.Time         `json:"launchedAt"`       // of the last start
	EndedAt        time.Time         `json:"endedAt,omitzero"` // when metering stops; zero while it lives, and when the cloud doesn't date the end: then it is when the end is first seen
}

// Query selects instances of one region: by ids, or by all of the tags (an empty value matches any value of that key).
type Query struct {
	Region string
	IDs    []string
	Tags   map[string]string
}

// Provider is one cloud account. All methods are safe for concurrent use and honour ctx.
// Failures that a caller acts on are *Refusal; anything else means "try again later".
type Provider interface {
	// Info says what this provider is. It is constant and makes no call.
	Info() Info
	// Launch starts up to Count instances and returns those it started, in the order of their start. Fewer than Count come with a *Refusal for the rest;
	// the same token again gives the same instances. A token reused with other parameters is a *Refusal of kind BadRequest.
	Launch(ctx context.Context, launch Launch) ([]Instance, error)
	// Describe lists what the query selects, terminated ones included for a while. An id that the cloud does not know is left out,
	// and for Info().Settle after a launch an id may be missing although it exists.
	Describe(ctx context.Context, query Query) ([]Instance, error)
	// Terminate ends instances. Ending one that has ended already is no error; an unknown id is a *Refusal of kind Unknown.
	Terminate(ctx context.Context, region string, ids []string) error
	// Check reports what is wrong with a template before anything is launched: one *Refusal of kind BadRequest per fault, or none.
	Check(ctx context.Context, region string, template Template) ([]*Refusal, error)
}

// Info describes a provider.
type Info struct {
	Name      string        // "sim", "aws"
	Simulated bool          // everything that shows this cloud's things must say so
	Settle    time.Duration // an absence proves nothing before this long after a launch
	Notice    time.Duration // how long before the end an interruption is announced
}

// RefusalKind says what a refused caller can do.
type RefusalKind string

const (
	NoCapacity RefusalKind = "capacity"   // the pool is dry: try another market
	NoQuota    RefusalKind = "quota"      // the account's limit is reached: other pools of that class will refuse too
	Throttled  RefusalKind = "throttled"  // slow down
	Unknown    RefusalKind = "unknown"    // no such thing
	BadRequest RefusalKind = "badRequest" // will never work as asked
	Denied     RefusalKind = "denied"     // the account's credentials are no longer good, or lack a permission: somebody has to mend that
)

// Scope is how far a refusal reaches; everything inside it cools down together.
type Scope string

const (
	ScopePool    Scope = "pool"          // one type, zone and lifecycle
	ScopeSubnet  Scope = "subnet"        // one subnet: no addresses left
	ScopeQuota   Scope = "quota"         // one quota class in the region
	ScopeAccount Scope = "accountRegion" // the whole account in the region
)

// Refusal is a failure that a caller acts on by type.
type Refusal struct {
	Kind    RefusalKind
	Scope   Scope
	Key     string // what within the scope: PoolKey, subnet id, quota class, region
	Code    string // the cloud's own code, e.g. "InsufficientInstanceCapacity"
	Message string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s", r.Code, r.Message) }

// PoolKey names a market inside its region: "m5.large/us-east-1a/spot" (Linux), with "/Windows" and the like appended for other products.
func (m Market) PoolKey() string {
	key := m.Type + "/" + m.Zone + "/" + string(m.Lifecycle)
	if m.Product != "" && m.Product != "Linux/UNIX" {
		key += "/" + m.Product
	}
	return key
}

// NoticeKind is what a notice announces.
type NoticeKind string

const (
	Interruption NoticeKind = "interruption" // the instance ends at Deadline
	Rebalance    NoticeKind = "rebalance"    // elevated risk; no deadline
)

// Notice is a warning about one instance. Notices may be repeated and may come late.
type Notice struct {
	ID       string
	Kind     NoticeKind
	Region   string
	Instance string
	IssuedAt time.Time
	Deadline time.Time // zero for Rebalance
}

// Price is a spot or on-demand price from a moment on.
type Price struct {
	Market Market
	Price  money.Price
	From   time.Time
}

// The optional abilities of a provider, found with As.
type (
	// Notifier delivers notices until they are acknowledged. Acknowledging an unknown id is no error; a repeated notice may carry another id.
	Notifier interface {
		Notices(ctx context.Context, region string) ([]Notice, error)
		Acknowledge(ctx context.Context, region string, ids []string) error
	}
	// Pricer tells the current spot price of every market of a region. On-demand prices may be told too, once for the whole region: their markets have no zone.
	// Those that are not told are the catalogue's.
	Pricer interface {
		Prices(ctx context.Context, region string) ([]Price, error)
	}
	// Forewarner is a provider whose regions differ in how long before its end a spot instance is told; Info().Notice then holds for most. Ask through NoticeIn.
	Forewarner interface {
		NoticeIn(region string) time.Duration
	}
	// Interrupter interrupts spot instances exactly as the cloud itself would, notice first; what is not living spot is a *Refusal of kind BadRequest.
	Interrupter interface {
		Interrupt(ctx context.Context, region string, ids []string) error
	}
	// Tagger changes tags of living instances. An empty value removes the tag.
	Tagger interface {
		Tag(ctx context.Context, region string, ids []string, tags map[string]string) error
	}
	// Powerer stops, starts and reboots on-demand instances in place. Clouds may refuse spot with a *Refusal of kind BadRequest.
	Powerer interface {
		// Stop by force does not wait for the instance's own shutdown.
		Stop(ctx context.Context, region string, ids []string, force bool) error
		Start(ctx context.Context, region string, ids []string) error
		Reboot(ctx context.Context, region string, ids []string) error
	}
	// Tidier removes what the provider itself has made in order to launch, and what nothing needs any more. What it leaves it takes the next time.
	Tidier interface {
		Tidy(ctx context.Context, region string) error
	}
	// Consoler tells what an instance wrote to its console, as far as the cloud keeps it: often the end of it only, often late, and for a while after its end. at is when it was
	// as old as that; nothing written yet is no error. An unknown id is a *Refusal of kind Unknown.
	Consoler interface {
		ConsoleOutput(ctx context.Context, region, id string) (text string, at time.Time, err error)
	}
	// Modifier changes one attribute of an instance, in the cloud's own words ("instanceType", "m5.large"). What the instance's state does not allow is a *Refusal
	// of kind BadRequest with the code IncorrectInstanceState; an attribute that the cloud does not know, one of kind BadRequest.
	Modifier interface {
		Modify(ctx context.Context, region, id, attribute, value string) error
	}
)

// NoticeIn is how long before its end a spot instance of a region is told.
func NoticeIn(p Provider, region string) time.Duration {
	if one, ok := As[Forewarner](p); ok {
		return one.NoticeIn(region)
	}
	return p.Info().Notice
}

// As finds an ability of a provider, looking through decorators that have Unwrap.
func As[T any](p Provider) (T, bool) {
	for p != nil {
		if found, ok := p.(T); ok {
			return found, true
		}
		wrapped, ok := p.(interface{ Unwrap() Provider })
		if !ok {
			break
		}
		p = wrapped.Unwrap()
	}
	var none T
	return none, false
}
