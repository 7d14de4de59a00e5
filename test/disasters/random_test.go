package disasters

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud/sim"
)

// chance draws a day from a seed.
type chance struct {
	*rand.Rand
	day    *day
	live   []string // groups that exist
	later  []string
	target map[string]int
	killed map[int]bool
}

// randomDay is a day on which anything may go wrong, in any order. The same seed gives the same day.
func randomDay(seed uint64) day {
	d := day{Name: fmt.Sprintf("seed %d", seed), Promise: "Whatever goes wrong in whatever order, all is well in the end.", seed: seed}
	c := chance{Rand: rand.New(rand.NewPCG(seed, 0xd15a57e4)), day: &d, target: map[string]int{}, killed: map[int]bool{}}
	if c.IntN(3) == 0 && os.Getenv("NEAP_TEST_POSTGRES") != "" {
		d.Database, d.Replicas = "postgres", 2
	}
	for n := range 3 {
		g := group{Name: fmt.Sprintf("group-%d", n), Target: 1 + c.IntN(8), OnDemand: c.IntN(3), Fallback: c.IntN(2) == 0, Later: n == 2, Maximum: 30}
		if c.IntN(3) == 0 {
			g.Region = "eu-west-1"
		}
		d.Groups = append(d.Groups, g)
		c.target[g.Name] = g.Target
		if g.Later {
			c.later = append(c.later, g.Name)
		} else {
			c.live = append(c.live, g.Name)
		}
	}
	d.complete()
	if c.IntN(4) > 0 { // else it begins while everything is still on its way
		c.then(act{Do: "settle"})
	}
	for range 8 + c.IntN(6) {
		c.mischief()
		if c.IntN(3) > 0 {
			c.then(act{Do: "wait", For: c.span(20, 400)})
		}
	}
	return d
}

func (c *chance) then(a act) { c.day.Acts = append(c.day.Acts, a) }

// span draws a time between two numbers of milliseconds.
func (c *chance) span(least, most int) span {
	return span(time.Duration(least+c.IntN(most-least)) * time.Millisecond)
}

// mischief adds one thing that happens.
func (c *chance) mischief() {
	group := c.live[c.IntN(len(c.live))]
	replica := c.IntN(c.day.Replicas)
	switch c.IntN(12) {
	case 0, 1:
		c.killOrStart(replica)
	case 2:
		c.then(act{Do: "freeze", Replica: replica, For: c.span(50, 1500)})
	case 3, 4, 5:
		c.then(act{Do: "order", Trouble: c.trouble(), For: c.span(100, 1500)})
	case 6, 7:
		c.then(act{Do: "take", Group: group, Count: 1 + c.IntN(c.target[group]+2)})
	case 8:
		c.then(act{Do: []string{"fail", "impair"}[c.IntN(2)], Group: group, Count: 1 + c.IntN(2)})
	case 9, 10:
		c.target[group] = c.IntN(12)
		c.resize(group)
	case 11:
		c.comeOrGo(group)
	}
}

func (c *chance) resize(group string) {
	if c.canAnswer() {
		c.then(act{Do: "resize", Group: group, Count: c.target[group]})
	}
}

// canAnswer makes sure that some process can be asked, for acts that go through the API.
func (c *chance) canAnswer() bool {
	for n := range c.day.Replicas {
		if !c.killed[n] {
			return true
		}
	}
	return false
}

func (c *chance) killOrStart(n int) {
	do := "kill"
	if c.killed[n] {
		do = "start"
	}
	c.killed[n] = !c.killed[n]
	c.then(act{Do: do, Replica: n})
}

// comeOrGo makes the late group, or deletes one when there are others.
func (c *chance) comeOrGo(group string) {
	switch {
	case !c.canAnswer():
	case len(c.later) > 0:
		c.then(act{Do: "create", Group: c.later[0]})
		c.live, c.later = append(c.live, c.later[0]), nil
	case len(c.live) > 1:
		c.then(act{Do: "delete", Group: group})
		var left []string
		for _, name := range c.live {
			if name != group {
				left = append(left, name)
			}
		}
		c.live = left
	}
}

// trouble draws something that goes wrong in the cloud.
func (c *chance) trouble() *sim.Trouble {
	calls := []sim.Call{"", sim.LaunchCall, sim.TerminateCall, sim.DescribeCall, sim.NoticesCall, sim.AcknowledgeCall}
	call := calls[c.IntN(len(calls))]
	t := sim.Trouble{Region: []string{"us-east-1", "us-east-1", "eu-west-1"}[c.IntN(3)]}
	switch c.IntN(8) {
	case 0:
		t.Kind, t.Call = sim.OutageTrouble, call
	case 1:
		t.Kind, t.Call = sim.HangTrouble, call
	case 2:
		t.Kind = sim.BlankTrouble
	case 3:
		t.Kind, t.Call = sim.LostTrouble, call
	case 4:
		t.Kind, t.Call = sim.ThrottleTrouble, call
	case 5:
		t.Kind, t.Pool, t.Count = sim.RoomTrouble, []string{"", "/spot", "m5.large/", "a/spot"}[c.IntN(4)], c.IntN(2)
	case 6:
		t.Kind, t.Count = sim.QuotaTrouble, c.IntN(20)
	case 7:
		t.Kind, t.Factor = sim.PriceTrouble, []float64{0, -1, 0.001, 1000}[c.IntN(4)]
	}
	return &t
}

func TestSeededRandomDisastersEndWell(t *testing.T) {
	first, count := *firstFlag, *manyFlag
	if *seedFlag != 0 {
		first, count = *seedFlag, 1
	}
	for n := range uint64(count) {
		d := randomDay(first + n)
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() {
				if text, err := json.Marshal(d); t.Failed() && err == nil {
					t.Logf("the day: %s", text)
				}
			})
			rehearse(t, d)
		})
	}
}

func TestTheSameSeedGivesTheSameDay(t *testing.T) {
	for seed := uint64(1); seed <= 50; seed++ {
		one, err := json.Marshal(randomDay(seed))
		if err != nil {
			t.Fatal(err)
		}
		other, err := json.Marshal(randomDay(seed))
		if err != nil || string(one) != string(other) {
			t.Errorf("seed %d gives two days: %s and %s, %v", seed, one, other, err)
		}
	}
}
