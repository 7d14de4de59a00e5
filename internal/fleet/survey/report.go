package survey

import (
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/money"
)

// HoursPerMonth is what a month is counted as: a twelfth of 8,760 hours.
const HoursPerMonth = 730

const (
	unitText     = "All money is in whole micro-dollars: hour is per hour, month per 730 hours, price per instance and hour. A part costs count × price; a group's now is the sum over present, its planned the sum over future."
	baselineText = "The baseline is the same instances, all on demand at list price. What they cost now is the list price on demand, and the current spot price on spot."
	ruleText     = "Neap keeps what is there: as many instances, or as much weight, or where the types differ in size as many vCPUs. It keeps the group's on-demand base, its share above the base if it has one, its zones and the members that are protected from scale-in. It may buy the group's own types " +
		"and those of the same line (m, c, r, …) with the same vCPUs, memory, architecture and share of the CPU (burstable, flex, full), no GPU, no older generation and at least as much instance store."
	caveatText = "List prices: reserved instances, savings plans, volumes, addresses and traffic are not seen, and are in none of the figures."
)

// Report is what an account has, what Neap would do with it, and what that would save.
type Report struct {
	TakenAt       time.Time `json:"takenAt"`
	Regions       []string  `json:"regions"`
	HoursPerMonth int       `json:"hoursPerMonth"`
	Unit          string    `json:"unit"`
	Baseline      string    `json:"baseline"`
	Rule          string    `json:"rule"`
	Caveat        string    `json:"caveat"`
	CatalogueAsOf string    `json:"catalogueAsOf,omitempty"` // the day up to which the catalogue's prices are known to hold
	Total         Total     `json:"total"`
	Groups        []Row     `json:"groups"`
	Apart         Apart     `json:"apart"`
	Singles       []Single  `json:"singles"`
	Gaps          []Gap     `json:"gaps"`
}

// Cost is what something costs.
type Cost struct {
	Hour  money.Price `json:"hour"`
	Month money.Price `json:"month"`
}

// Saving is a difference of two costs; its name says which. Percent is of the first, rounded to a tenth.
type Saving struct {
	Cost
	Percent float64 `json:"percent"`
}

// Figures are what a group, or all of them, cost in three ways, and the differences.
type Figures struct {
	OnDemand       Cost   `json:"onDemand"`
	Now            Cost   `json:"now"`
	Planned        Cost   `json:"planned"`
	SavingBaseline Saving `json:"savingAgainstOnDemand"` // onDemand − planned
	SavingNow      Saving `json:"savingAgainstNow"`      // now − planned
	AlreadySaved   Saving `json:"alreadySaved"`          // onDemand − now
}

// Total is the sum of the groups. What is not in it stands in Apart, in the groups' LeftOut and in the Gaps.
type Total struct {
	Groups    int `json:"groups"`
	Instances int `json:"instances"`
	Moves     int `json:"moves"`   // instances that would be replaced
	Guessed   int `json:"guessed"` // groups whose figures stand on the catalogue's spot prices, not on the cloud's of now
	Figures
}

// Apart is what the total does not cover.
type Apart struct {
	Singles  int  `json:"singles"`  // instances in no group
	OnDemand Cost `json:"onDemand"` // of these, those whose price is known
	Now      Cost `json:"now"`
	Unpriced int  `json:"unpriced"` // singles whose price is not known
	LeftOut  int  `json:"leftOut"`  // members of groups that could not be counted
	Managed  int  `json:"managed"`  // instances that a Neap keeps already
	Stopped  int  `json:"stopped"`  // instances that are stopped, and cost no instance hours
}

// Row is one scaling group.
type Row struct {
	Region  string            `json:"region"`
	Name    string            `json:"name"`
	Size    cloud.ScalingSize `json:"size"`
	Zones   []string          `json:"zones,omitempty"`
	Types   []string          `json:"types,omitempty"`
	Product string            `json:"product,omitempty"`
	Mix     cloud.ScalingMix  `json:"mix"`
	Bounds  Bounds            `json:"bounds"`
	Figures
	Present   Composition `json:"present"`
	Future    Composition `json:"future"` // once the plan is carried out
	Moves     int         `json:"moves"`  // instances that would be replaced
	Steps     int         `json:"steps"`  // one after the other: to spot all go at once, to a cheaper market a quarter of a group
	Why       []string    `json:"why"`
	Obstacles []Obstacle  `json:"obstacles,omitempty"`
	LeftOut   []LeftOut   `json:"leftOut,omitempty"`
}

// Bounds are what the plan had to keep to.
type Bounds struct {
	Unit       string   `json:"unit"` // "instance"; "weight" where the group has weights of its own; "vCPU" where the types differ in vCPUs
	Target     int      `json:"target"`
	OnDemand   int      `json:"onDemand"` // units that stay on demand
	Protected  int      `json:"protected"`
	Candidates []string `json:"candidates,omitempty"` // types that could have been bought on spot
}

// Composition is what a group is made of.
type Composition struct {
	Instances int     `json:"instances"`
	OnDemand  int     `json:"onDemand"`
	Risk      float64 `json:"risk"` // chance that one of its spot instances is interrupted within 30 days, the mean over them; 0 without spot
	Parts     []Part  `json:"parts,omitempty"`
}

// Part is a number of like instances.
type Part struct {
	Count     int             `json:"count"`
	Type      string          `json:"type"`
	Zone      string          `json:"zone"`
	Lifecycle cloud.Lifecycle `json:"lifecycle"`
	Price     money.Price     `json:"price"`
	OnDemand  money.Price     `json:"onDemand"`
	Source    string          `json:"source"` // "feed" = told by the cloud, or "catalogue"
	PriceAt   time.Time       `json:"priceAt,omitzero"`
	Risk      float64         `json:"risk"`
}

// Obstacle is something that stands in the way, or that a person has to look at first.
type Obstacle struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// LeftOut is a member that is in no figure.
type LeftOut struct {
	Instance string `json:"instance"`
	Why      string `json:"why"`
}

// Single is an instance in no scaling group. Nothing says that it may be replaced, so nothing is planned for it.
type Single struct {
	Region    string          `json:"region"`
	Instance  string          `json:"instance"`
	Name      string          `json:"name,omitempty"`
	Type      string          `json:"type"`
	Zone      string          `json:"zone"`
	Lifecycle cloud.Lifecycle `json:"lifecycle"`
	Product   string          `json:"product"`
	Price     money.Price     `json:"price"`
	OnDemand  money.Price     `json:"onDemand"`
	Source    string          `json:"source,omitempty"`
	Why       string          `json:"why,omitempty"` // its price is not known
}

// costOf is exact: a month is a whole number of hours.
func costOf(hour money.Price) Cost { return Cost{Hour: hour, Month: hour * HoursPerMonth} }

func savingOf(from, to money.Price) Saving {
	s := Saving{Cost: costOf(from - to)}
	if from > 0 {
		s.Percent = float64((1000*(from-to)+from/2)/from) / 10
	}
	return s
}

func figuresOf(onDemand, now, planned money.Price) Figures {
	return Figures{
		OnDemand: costOf(onDemand), Now: costOf(now), Planned: costOf(planned),
		SavingBaseline: savingOf(onDemand, planned), SavingNow: savingOf(now, planned), AlreadySaved: savingOf(onDemand, now),
	}
}

// add makes the sums.
func (r *Report) add() {
	var onDemand, now, planned money.Price
	for _, g := range r.Groups {
		r.Total.Groups++
		r.Total.Instances += g.Present.Instances
		r.Total.Moves += g.Moves
		r.Apart.LeftOut += len(g.LeftOut)
		if g.isGuessed() {
			r.Total.Guessed++
		}
		onDemand += g.OnDemand.Hour
		now += g.Now.Hour
		planned += g.Planned.Hour
	}
	r.Total.Figures = figuresOf(onDemand, now, planned)
	onDemand, now = 0, 0
	for _, s := range r.Singles {
		r.Apart.Singles++
		if s.Price == 0 {
			r.Apart.Unpriced++
		}
		onDemand += s.OnDemand
		now += s.Price
	}
	r.Apart.OnDemand, r.Apart.Now = costOf(onDemand), costOf(now)
}
