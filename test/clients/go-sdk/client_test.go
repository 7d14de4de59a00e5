package gosdk

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spotinst/spotinst-sdk-go/service/elastigroup/providers/aws"
	"github.com/spotinst/spotinst-sdk-go/spotinst"
	"github.com/spotinst/spotinst-sdk-go/spotinst/client"
	"github.com/spotinst/spotinst-sdk-go/spotinst/credentials"
	"github.com/spotinst/spotinst-sdk-go/spotinst/session"
)

// scene is one group on its way through life.
type scene struct {
	server
	t    *testing.T
	ctx  context.Context
	aws  *aws.ServiceOp
	sent *aws.Group
	id   string
}

// The steps build on each other: a step that fails ends the story.
func TestTheOfficialClientKeepsAGroupThroughItsLife(t *testing.T) {
	s := &scene{server: start(t), t: t, ctx: t.Context()}
	s.aws = service(s.server)
	s.sent = fullSample(t)
	began := time.Now().Add(-time.Minute)
	for _, step := range []struct {
		name string
		run  func()
	}{
		{"unknown ids have the code that clients expect", s.unknown},
		{"a bad document is refused with its path", s.refused},
		{"the full sample is created and echoed", s.create},
		{"it reads as it was sent", s.read},
		{"a partial update merges, and null clears", s.update},
		{"it is listed", s.list},
		{"it reaches its target", func() { s.reaches(1) }},
		{"a dry run changes nothing", s.dryRun},
		{"it scales up", func() { s.scale("up", 2, 3) }},
		{"it scales down", func() { s.scale("down", 1, 2) }},
		{"its capacity is set", s.capacity},
		{"its instances are healthy", s.healthy},
		{"an instance is locked and unlocked", s.lock},
		{"an interrupted instance is replaced", s.interrupt},
		{"an instance is detached", s.detach},
		{"costs reconcile", func() { s.costs(began) }},
		{"the log tells what happened", func() { s.log(began) }},
		{"so do the events", func() { s.events(began) }},
		{"deleted, it is gone", s.delete},
	} {
		if !t.Run(step.name, func(t *testing.T) { s.t = t; step.run() }) {
			t.Fatalf("stopped at: %s", step.name)
		}
	}
}

func service(s server) *aws.ServiceOp {
	config := spotinst.DefaultConfig().WithBaseURL(s.url).WithCredentials(credentials.NewStaticCredentials(s.token, s.account))
	return aws.New(session.New(config))
}

// fullSample is the published full request with its listed corrections.
func fullSample(t *testing.T) *aws.Group {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "..", "internal", "dialect", "spot", "elastigroup", "testdata", "group-corrected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var body struct{ Group *aws.Group }
	if err := json.Unmarshal(content, &body); err != nil {
		t.Fatal(err)
	}
	return body.Group
}

// code is the code of the first error of a refusal, as the client reads it.
func (s *scene) code(err error) (code, field string) {
	s.t.Helper()
	var refused client.Errors
	if !errors.As(err, &refused) {
		s.t.Fatalf("no refusal of the API: %v", err)
	}
	return refused[0].Code, refused[0].Field
}

func (s *scene) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) unknown() {
	const nobody = "sig-00000000"
	_, err := s.aws.Read(s.ctx, &aws.ReadGroupInput{GroupID: spotinst.String(nobody)})
	if code, _ := s.code(err); code != "GROUP_DOESNT_EXIST" {
		s.t.Errorf("reading answers %s", code)
	}
	_, err = s.aws.Delete(s.ctx, &aws.DeleteGroupInput{GroupID: spotinst.String(nobody)})
	if code, _ := s.code(err); code != "GROUP_DOESNT_EXIST" {
		s.t.Errorf("deleting answers %s", code)
	}
	stranger := service(server{s.url, "not-a-token", s.account})
	_, err = stranger.List(s.ctx, &aws.ListGroupsInput{})
	if code, _ := s.code(err); code != "UNAUTHORIZED" {
		s.t.Errorf("a wrong token answers %s", code)
	}
}

func (s *scene) refused() {
	bad := fullSample(s.t)
	bad.Capacity.SetMinimum(spotinst.Int(11))
	_, err := s.aws.Create(s.ctx, &aws.CreateGroupInput{Group: bad})
	if code, field := s.code(err); code != "INVALID_CAPACITY" || field != "group.capacity.minimum" {
		s.t.Errorf("minimum above maximum answers %s at %s", code, field)
	}
}

func (s *scene) create() {
	out, err := s.aws.Create(s.ctx, &aws.CreateGroupInput{Group: s.sent})
	s.ok(err)
	s.id = spotinst.StringValue(out.Group.ID)
	if !regexp.MustCompile(`^sig-[0-9a-f]{8}$`).MatchString(s.id) || out.Group.CreatedAt == nil || out.Group.UpdatedAt == nil {
		s.t.Errorf("created %q at %v", s.id, out.Group.CreatedAt)
	}
	s.same(out.Group, s.sent)
}

// same compares groups but for what the server adds.
func (s *scene) same(got, want *aws.Group) {
	s.t.Helper()
	plain := func(g *aws.Group) any {
		var value map[string]any
		text, err := json.Marshal(g)
		s.ok(err)
		s.ok(json.Unmarshal(text, &value))
		for _, name := range []string{"id", "createdAt", "updatedAt"} {
			delete(value, name)
		}
		return value
	}
	if a, b := plain(got), plain(want); !reflect.DeepEqual(a, b) {
		s.t.Errorf("got  %v\nwant %v", a, b)
	}
}

func (s *scene) group() *aws.Group {
	s.t.Helper()
	out, err := s.aws.Read(s.ctx, &aws.ReadGroupInput{GroupID: &s.id})
	s.ok(err)
	if out.Group == nil {
		s.t.Fatal("the group is not there")
	}
	return out.Group
}

func (s *scene) read() { s.same(s.group(), s.sent) }

func (s *scene) update() {
	// Without persistence the sample's window for the return to spot is not allowed.
	alone := new(aws.Group).SetId(&s.id).SetStrategy(new(aws.Strategy).SetPersistence(nil))
	_, err := s.aws.Update(s.ctx, &aws.UpdateGroupInput{Group: alone})
	if _, field := s.code(err); field != "group.strategy.revertToSpot.performAt" {
		s.t.Errorf("refused at %s", field)
	}
	strategy := new(aws.Strategy).SetPersistence(nil).SetRevertToSpot(nil).SetSignals(nil).SetAvailabilityVsCost(spotinst.String("balanced"))
	change := new(aws.Group).SetId(&s.id).SetStrategy(strategy).SetDescription(nil).SetScaling(nil).SetName(spotinst.String("renamed"))
	out, err := s.aws.Update(s.ctx, &aws.UpdateGroupInput{Group: change})
	s.ok(err)
	want := fullSample(s.t)
	want.Name, want.Description, want.Scaling = spotinst.String("renamed"), nil, nil
	want.Strategy.Persistence, want.Strategy.RevertToSpot, want.Strategy.Signals = nil, nil, nil
	want.Strategy.AvailabilityVsCost = spotinst.String("balanced")
	s.same(out.Group, want)
	s.same(s.group(), want)
}

func (s *scene) list() {
	out, err := s.aws.List(s.ctx, &aws.ListGroupsInput{})
	s.ok(err)
	if !slices.ContainsFunc(out.Groups, func(g *aws.Group) bool { return spotinst.StringValue(g.ID) == s.id }) {
		s.t.Errorf("%s is not among %d groups", s.id, len(out.Groups))
	}
}

// serving are the ids of the instances whose request is fulfilled.
func (s *scene) serving() []string {
	s.t.Helper()
	out, err := s.aws.Status(s.ctx, &aws.StatusGroupInput{GroupID: &s.id})
	s.ok(err)
	var ids []string
	for _, i := range out.Instances {
		if spotinst.StringValue(i.Status) == "fulfilled" {
			if spotinst.StringValue(i.ID) == "" || i.CreatedAt == nil || spotinst.StringValue(i.InstanceType) == "" {
				s.t.Errorf("a fulfilled instance is incomplete: %+v", i)
			}
			ids = append(ids, spotinst.StringValue(i.ID))
		}
	}
	return ids
}

func (s *scene) reaches(count int) {
	s.t.Helper()
	until(s.ctx, s.t, strconv.Itoa(count)+" instances serve", time.Minute, func() bool { return len(s.serving()) == count })
}

func (s *scene) dryRun() {
	before := s.group()
	_, header := s.raw(s.ctx, s.t, http.MethodPut, "/aws/ec2/group/"+s.id+"/scale/up", url.Values{"adjustment": {"2"}}, nil, "Neap-Dry-Run", "true")
	if header.Get("Neap-Decision") == "" {
		s.t.Error("the dry run names no decision")
	}
	s.same(s.group(), before)
}

func (s *scene) scale(direction string, step, target int) {
	out, err := s.aws.Scale(s.ctx, &aws.ScaleGroupInput{GroupID: spotinst.String(s.id), ScaleType: &direction, Adjustment: &step})
	s.ok(err)
	if len(out.Items) != 1 {
		s.t.Fatalf("scaling answers %d items", len(out.Items))
	}
	if got := spotinst.IntValue(s.group().Capacity.Target); got != target {
		s.t.Errorf("the target is %d, want %d", got, target)
	}
	s.reaches(target)
}

func (s *scene) capacity() {
	items, _ := s.raw(s.ctx, s.t, http.MethodPut, "/aws/ec2/group/"+s.id+"/capacity", nil, item{"capacity": item{"minimum": 1, "target": 2}})
	want := item{"capacity": item{"minimum": 1.0, "target": 2.0, "maximum": 10.0}}
	if len(items) != 1 || !reflect.DeepEqual(items[0], want) {
		s.t.Errorf("got %v, want %v", items, want)
	}
}

func (s *scene) healthy() {
	until(s.ctx, s.t, "all instances are healthy", time.Minute, func() bool {
		out, err := s.aws.GetInstanceHealthiness(s.ctx, &aws.GetInstanceHealthinessInput{GroupID: &s.id})
		s.ok(err)
		healthy := 0
		for _, i := range out.Instances {
			if i.HealthStatus == nil {
				s.t.Fatal("a health status is null")
			}
			if *i.HealthStatus == "HEALTHY" {
				healthy++
			}
		}
		return healthy >= 2
	})
}

func (s *scene) lock() {
	victim := s.serving()[0]
	path := "/aws/ec2/instance/" + victim
	lockStatus := func() item {
		items, _ := s.raw(s.ctx, s.t, http.MethodGet, "/aws/ec2/group/"+s.id+"/status", nil, nil)
		at := slices.IndexFunc(items, func(i item) bool { return i["instanceId"] == victim })
		if at < 0 {
			s.t.Fatalf("%s is gone", victim)
		}
		return items[at]
	}
	s.raw(s.ctx, s.t, http.MethodPost, path+"/lock", url.Values{"ttlInMinutes": {"30"}}, nil)
	if got := lockStatus(); got["lockStatus"] != "locked" || got["protectedUntil"] == nil {
		s.t.Errorf("locked, it shows %v", got)
	}
	s.raw(s.ctx, s.t, http.MethodPost, path+"/unlock", nil, nil)
	if got := lockStatus(); got["lockStatus"] != "unlocked" || got["protectedUntil"] != nil {
		s.t.Errorf("unlocked, it shows %v", got)
	}
	items, _ := s.raw(s.ctx, s.t, http.MethodGet, path, nil, nil)
	if len(items) != 1 || items[0]["lifeCycleState"] != "ACTIVE" {
		s.t.Errorf("its state is %v", items)
	}
}

func (s *scene) interrupt() {
	victim := s.serving()[0]
	s.raw(s.ctx, s.t, http.MethodPost, "/aws/ec2/instance/interruption", nil, item{"instancesToInterrupt": []string{victim}})
	until(s.ctx, s.t, victim+" is replaced", 2*time.Minute, func() bool {
		ids := s.serving()
		return len(ids) == 2 && !slices.Contains(ids, victim)
	})
}

func (s *scene) detach() {
	ids := s.serving()
	_, err := s.aws.Detach(s.ctx, &aws.DetachGroupInput{
		GroupID: spotinst.String(s.id), InstanceIDs: ids[:1], ShouldTerminateInstances: spotinst.Bool(true), ShouldDecrementTargetCapacity: spotinst.Bool(true),
	})
	s.ok(err)
	s.reaches(1)
	if got := spotinst.IntValue(s.group().Capacity.Target); got != 1 {
		s.t.Errorf("the target is %d, want 1", got)
	}
}

func millis(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }

// dollars is one amount of a cost item.
func dollars(i item, name string) float64 {
	costs, _ := i["costs"].(item)
	amount, _ := costs[name].(float64)
	return amount
}

func (s *scene) costs(began time.Time) {
	query := url.Values{"fromDate": {millis(began)}, "toDate": {millis(time.Now())}}
	path := "/aws/ec2/group/" + s.id + "/costs"
	detailed, _ := s.raw(s.ctx, s.t, http.MethodGet, path+"/detailed", query, nil)
	total, _ := s.raw(s.ctx, s.t, http.MethodGet, path, query, nil)
	if len(total) != 1 || len(detailed) < 4 {
		s.t.Fatalf("%d totals, %d instances", len(total), len(detailed))
	}
	for _, name := range []string{"actual", "potential"} {
		var sum float64
		for _, one := range detailed {
			if one["spotInstanceRequestId"] != nil {
				sum += dollars(one, name)
			}
		}
		if got := dollars(total[0], name); got <= 0 || math.Abs(got-sum) > 1e-12 {
			s.t.Errorf("%s costs are %v, the instances add up to %v", name, got, sum)
		}
	}
	if dollars(total[0], "actual") > dollars(total[0], "potential") {
		s.t.Errorf("spot costs more than on demand: %v", total[0])
	}
	status, answer, _ := s.ask(s.ctx, s.t, http.MethodGet, path, url.Values{"fromDate": {"yesterday"}}, nil)
	if status != http.StatusBadRequest || !strings.Contains(string(answer), "fromDate") || !strings.Contains(string(answer), "toDate") {
		s.t.Errorf("wrong dates answer %d %s", status, answer)
	}
}

func (s *scene) log(began time.Time) {
	query := url.Values{"fromDate": {millis(began)}, "toDate": {millis(time.Now().Add(time.Minute))}, "limit": {"1000"}}
	path := "/aws/ec2/group/" + s.id + "/logs"
	all, _ := s.raw(s.ctx, s.t, http.MethodGet, path, query, nil)
	for i := 1; i < len(all); i++ {
		if all[i]["createdAt"].(string) > all[i-1]["createdAt"].(string) {
			s.t.Errorf("line %d is newer than the one before it", i)
		}
	}
	query.Set("severity", "WARN")
	warnings, _ := s.raw(s.ctx, s.t, http.MethodGet, path, query, nil)
	mentioned := func(lines []item, text string) bool {
		return slices.ContainsFunc(lines, func(i item) bool { return strings.Contains(i["message"].(string), text) })
	}
	if !mentioned(all, "created") || !mentioned(warnings, "group.thirdPartiesIntegration.ecs") || len(warnings) >= len(all) {
		s.t.Errorf("%d lines, %d warnings: %v", len(all), len(warnings), warnings)
	}
}

func (s *scene) events(began time.Time) {
	out, err := s.aws.GetGroupEvents(s.ctx, &aws.GetGroupEventsInput{GroupID: spotinst.String(s.id), FromDate: spotinst.String(millis(began))})
	s.ok(err)
	launched := 0
	for _, e := range out.GroupEvents {
		for _, part := range e.SubEvents {
			launched += len(part.NewSpots) + len(part.NewInstances)
		}
	}
	if launched < 4 {
		s.t.Errorf("%d events tell of %d launches", len(out.GroupEvents), launched)
	}
}

func (s *scene) delete() {
	_, err := s.aws.Delete(s.ctx, &aws.DeleteGroupInput{GroupID: &s.id, StatefulDeallocation: &aws.StatefulDeallocation{ShouldDeleteImages: spotinst.Bool(true)}})
	s.ok(err)
	_, err = s.aws.Read(s.ctx, &aws.ReadGroupInput{GroupID: &s.id})
	if code, _ := s.code(err); code != "GROUP_DOESNT_EXIST" {
		s.t.Errorf("reading it answers %s", code)
	}
}
