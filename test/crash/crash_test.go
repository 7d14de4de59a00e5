package crash

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/cloud/mishap"
)

// The life of a group: each step can be repeated until it has been answered, whatever was lost on the way.
var life = []step{
	{"create", (*story).create},
	{"reach the target", holds(3)},
	{"scale up", resize(5)},
	{"reach the higher target", holds(5)},
	{"scale down", resize(2)},
	{"reach the lower target", holds(2)},
	{"interrupt one", (*story).interrupt},
	{"replace it", (*story).isReplaced},
	{"delete", (*story).delete},
	{"wind down", (*story).isGone},
}

type step struct {
	name string
	// do takes the step, or finds it taken. errLost means that the process was killed and the step is to be repeated.
	do func(*story) error
}

// mishapsFlag lets some of the calls to the cloud go wrong too.
var mishapsFlag = flag.Float64("mishaps", 0, "share of the cloud's calls that go wrong in each way, e.g. 0.05")

// story is one group's life on one data folder.
type story struct {
	*neap
	group  string
	victim string
}

func TestAKilledProcessLeaksNothingLaunchesNothingTwiceAndLosesNoGroup(t *testing.T) {
	binary := build(t)
	points := live(t, binary, never)
	if len(points) < 20 {
		t.Fatalf("only %d points were seen: the crash hook is not wired", len(points))
	}
	t.Logf("%d points: %s", len(points), tally(points))
	for at := range points {
		t.Run(fmt.Sprintf("killed at point %d, %s", at+1, points[at]), func(t *testing.T) {
			t.Parallel()
			live(t, binary, at+1)
		})
	}
}

// live tells the story on a fresh folder, with the process killed at one point, and judges it. It returns the points that were passed.
func live(t *testing.T, binary string, at int) []string {
	t.Helper()
	s := &story{neap: &neap{t: t, binary: binary, folder: t.TempDir()}}
	defer s.end()
	s.letGoWrong()
	s.start(at)
	if err := os.WriteFile(s.path("armed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, next := range life {
		began := time.Now()
		for err := next.do(s); err != nil; err = next.do(s) {
			s.start(never)
		}
		t.Logf("%s: %s", next.name, time.Since(began).Round(time.Millisecond))
	}
	// The story is over: its points are counted, and stopping is not a part of it. But one may be passed in the very moment.
	if err := os.Remove(s.path("armed")); err != nil {
		t.Fatal(err)
	}
	for s.stop() != nil {
		s.start(never)
	}
	s.judge()
	raw, err := os.ReadFile(s.path("points"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(raw))
}

// letGoWrong writes down what the process lets go wrong at its cloud, a file for all its starts. What is seen wrongly is the simulated cloud's own business.
func (s *story) letGoWrong() {
	p := mishap.Plan{Rate: map[mishap.Kind]float64{}}
	for _, k := range mishap.Kinds() {
		if k != mishap.Stale && k != mishap.Empty {
			p.Rate[k] = *mishapsFlag
		}
	}
	text, err := json.Marshal(p)
	if err == nil {
		err = os.WriteFile(s.path("mishaps"), text, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func tally(points []string) string {
	count := map[string]int{}
	for _, p := range points {
		count[p]++
	}
	return fmt.Sprint(count)
}

const document = `{"name":"crash","region":"us-east-1","capacity":{"target":3,"minimum":0,"maximum":8,"unit":"instance"},
"strategy":{"risk":100,"availabilityVsCost":"balanced","drainingTimeout":10},
"compute":{"product":"Linux/UNIX","instanceTypes":{"ondemand":"m5.large","spot":["m5.large","c5.large","m6i.large","r5.large"]},
"availabilityZones":[{"name":"us-east-1a","subnetIds":["subnet-0de30a01"]},{"name":"us-east-1b","subnetIds":["subnet-0de30b02"]}],
"launchSpecification":{"imageId":"ami-0de30000000000001","securityGroupIds":["sg-0de30000000000001"],"monitoring":false}}}`

// create makes the group, unless a request that got no answer has made it already.
func (s *story) create() error {
	groups, err := s.items(http.MethodGet, "/aws/ec2/group", nil)
	if err != nil {
		return err
	}
	if len(groups) == 0 {
		if groups, err = s.items(http.MethodPost, "/aws/ec2/group", map[string]any{"group": json.RawMessage(document)}); err != nil {
			return err
		}
	}
	if len(groups) != 1 {
		s.t.Fatalf("there are %d groups where one was created", len(groups))
	}
	s.group = groups[0]["id"].(string)
	return nil
}

func holds(target int) func(*story) error {
	return func(s *story) error {
		return s.wait(fmt.Sprintf("%d instances run", target), func(members []map[string]any) bool {
			running := 0
			for _, m := range members {
				if m["status"] == "fulfilled" {
					running++
				}
			}
			return running == target && len(members) == target
		})
	}
}

func resize(target int) func(*story) error {
	return func(s *story) error {
		_, err := s.items(http.MethodPut, "/aws/ec2/group/"+s.group+"/capacity", map[string]any{"capacity": map[string]any{"target": target}})
		return err
	}
}

func (s *story) interrupt() error {
	if s.victim == "" {
		members, err := s.items(http.MethodGet, "/aws/ec2/group/"+s.group+"/status", nil)
		if err != nil {
			return err
		}
		s.victim = members[0]["instanceId"].(string)
	}
	status, answer, err := s.call(http.MethodPost, "/aws/ec2/instance/interruption", map[string]any{"instancesToInterrupt": []string{s.victim}})
	if err == nil && status != http.StatusOK && !strings.Contains(fmt.Sprint(answer), "INSTANCE_DOESNT_EXIST") {
		s.t.Fatalf("interrupt: %d %v", status, answer)
	}
	return err
}

func (s *story) isReplaced() error {
	return s.wait("two others run", func(members []map[string]any) bool {
		for _, m := range members {
			if m["instanceId"] == s.victim || m["status"] != "fulfilled" {
				return false
			}
		}
		return len(members) == 2
	})
}

func (s *story) delete() error {
	status, answer, err := s.call(http.MethodDelete, "/aws/ec2/group/"+s.group, nil)
	if err == nil && status != http.StatusOK && !strings.Contains(fmt.Sprint(answer), "GROUP_DOESNT_EXIST") {
		s.t.Fatalf("delete: %d %v", status, answer)
	}
	return err
}

func (s *story) isGone() error {
	return s.until("nothing is left", func() (bool, error) {
		_, answer, err := s.call(http.MethodGet, "/neap/v1/status", nil)
		return err == nil && answer["instances"] == float64(0) && answer["groups"] == float64(0), err
	})
}

// items sends a request that has to succeed.
func (s *story) items(method, path string, body any) ([]map[string]any, error) {
	status, answer, err := s.call(method, path, body)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		s.t.Fatalf("%s %s: %d %v", method, path, status, answer)
	}
	var items []map[string]any
	response, _ := answer["response"].(map[string]any)
	list, _ := response["items"].([]any)
	for _, i := range list {
		items = append(items, i.(map[string]any))
	}
	return items, nil
}

func (s *story) wait(what string, done func(members []map[string]any) bool) error {
	return s.until(what, func() (bool, error) {
		members, err := s.items(http.MethodGet, "/aws/ec2/group/"+s.group+"/status", nil)
		return err == nil && done(members), err
	})
}

func (s *story) until(what string, done func() (bool, error)) error {
	var lost error
	s.eventually(what, func() bool {
		yes, err := done()
		if lost = err; err != nil {
			return true
		}
		return yes
	})
	return lost
}
