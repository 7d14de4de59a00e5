// Package disasters rehearses bad days: it drives the real binary, a real PostgreSQL and the simulated cloud through scenarios that are written as data, and
// then asks the cloud's own record and the journal whether every promise was kept.
//
// It owns the scenarios, the driver and the judge. It must not know how Neap works inside: it sees the API, the processes and the cloud's record.
// Start reading at day, then stage_test.go (the acts) and judge_test.go.
package disasters

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"time"

	"github.com/neap-cloud/neap/internal/cloud/sim"
)

// day is one scenario: what is kept, what goes wrong, and what must hold all the same.
type day struct {
	Name     string  `json:"name"`
	Promise  string  `json:"promise"`
	Database string  `json:"database"` // "sqlite" or "postgres"
	Own      bool    `json:"own"`      // a PostgreSQL of its own, which can be stopped; the cloud's world is kept apart from it
	Replicas int     `json:"replicas"` // processes on one database
	Copies   bool    `json:"copies"`   // the processes don't share the database: each has its own, and all share one cloud account
	Small    string  `json:"small"`    // size of the disk under the data folder, e.g. "3m"; "" = as large as it is
	Rate     float64 `json:"rate"`     // 0 = usualRate
	Groups   []group `json:"groups"`
	Acts     []act   `json:"acts"`
	Allow    allow   `json:"allow"`
	End      string  `json:"end"` // "kept": every group at its target (the usual); "untouched": Neap has to keep its hands off since the last mark

	seed uint64
}

// group is one or several groups that are to be kept.
type group struct {
	Name     string   `json:"name"`
	Region   string   `json:"region"` // "" = us-east-1
	Target   int      `json:"target"`
	Maximum  int      `json:"maximum"`  // 0 = twice the target, and four more
	OnDemand int      `json:"onDemand"` // the floor
	Fallback bool     `json:"fallback"` // on demand when there is no spot
	Types    []string `json:"types"`    // of spot; nil = eight common ones
	Later    bool     `json:"later"`    // made by an act
}

// act is one thing that happens. What each does stands in stage_test.go.
type act struct {
	Do      string       `json:"do"`
	Group   string       `json:"group,omitempty"`
	Replica int          `json:"replica,omitempty"`
	Count   int          `json:"count,omitempty"`
	Trouble *sim.Trouble `json:"trouble,omitempty"`
	For     span         `json:"for,omitzero"` // wall time, except for skew
	Says    string       `json:"says,omitempty"`
	Build   string       `json:"build,omitempty"` // which binary, for start: "" or "next"
}

// allow bounds what may happen to instances although nobody asked for it.
type allow struct {
	Surplus   int      `json:"surplus"`   // instances ended because there were too many, beyond what scaling down explains
	Unhealthy int      `json:"unhealthy"` // instances replaced as unhealthy, beyond those that the scenario made so
	Never     []string `json:"never"`     // reasons for which nothing may be ended at all
}

// span is a duration as people write it: "2s".
type span time.Duration

func (s span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

func (s *span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = span(d)
	return err
}

// usualRate is how many seconds of the engine pass in one of ours.
const usualRate = 60

//go:embed scenarios/*.json failing.txt
var files embed.FS

// days reads all named scenarios, in order of their files' names.
func days() ([]day, error) {
	entries, err := files.ReadDir("scenarios")
	if err != nil {
		return nil, err
	}
	var all []day
	for _, e := range entries {
		text, err := files.ReadFile(path.Join("scenarios", e.Name()))
		if err != nil {
			return nil, err
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		var d day
		if err := decoder.Decode(&d); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		if d.Name+".json" != e.Name() || d.Promise == "" {
			return nil, fmt.Errorf("%s: the name is %q, and the promise %q", e.Name(), d.Name, d.Promise)
		}
		d.complete()
		all = append(all, d)
	}
	return all, nil
}

// complete puts in what is usual.
func (d *day) complete() {
	if d.Rate == 0 {
		d.Rate = usualRate
	}
	d.Replicas = max(1, d.Replicas)
	if d.Database == "" {
		d.Database = "sqlite"
	}
	if d.End == "" {
		d.End = "kept"
	}
	for i := range d.Groups {
		g := &d.Groups[i]
		if g.Region == "" {
			g.Region = "us-east-1"
		}
		if g.Maximum == 0 {
			g.Maximum = 2*g.Target + 4
		}
		if g.Types == nil {
			g.Types = []string{"m5.large", "m5a.large", "m6i.large", "c5.large", "c6i.large", "r5.large", "m6a.large", "c5a.large"}
		}
	}
}

// document is the group as the API takes it.
func (g group) document() map[string]any {
	strategy := map[string]any{"availabilityVsCost": "balanced", "fallbackToOd": g.Fallback, "drainingTimeout": 10}
	if g.OnDemand > 0 {
		strategy["onDemandCount"] = g.OnDemand
	} else {
		strategy["risk"] = 100
	}
	var zones []map[string]any
	for _, letter := range []string{"a", "b", "c"} {
		zones = append(zones, map[string]any{"name": g.Region + letter, "subnetIds": []string{"subnet-0d15a57e" + letter}})
	}
	return map[string]any{"group": map[string]any{
		"name": g.Name, "region": g.Region, "strategy": strategy,
		"capacity": map[string]any{"target": g.Target, "minimum": 0, "maximum": g.Maximum, "unit": "instance"},
		"compute": map[string]any{
			"product": "Linux/UNIX", "availabilityZones": zones,
			"instanceTypes": map[string]any{"ondemand": "m5.large", "spot": g.Types},
			"launchSpecification": map[string]any{
				"imageId": "ami-0de30000000000001", "securityGroupIds": []string{"sg-0de30000000000001"}, "monitoring": false,
				"healthCheckType": "EC2", "healthCheckGracePeriod": 60,
			},
		},
	}}
}
