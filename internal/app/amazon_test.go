package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/apptest"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/identity"
)

// amazon is a Neap with an account in AWS's stand-in.
type amazon struct {
	*apptest.Neap
	moto    awstest.Server
	front   *awstest.Front
	account string
	image   string
	key     string
	queue   string            // of notices
	group   string            // security group
	subnets map[string]string // by zone
}

const (
	amazonRegion = "eu-west-1" // a region of its own: others tidy up, too
	hurry        = 20          // the engine's time runs so many times as fast: its patience is the same, and the test's is not
)

// onAmazon connects an account by a role that may do what `neap aws init` says, and nothing else.
func onAmazon(t *testing.T) *amazon {
	t.Helper()
	moto := awstest.Moto(t)
	neap := moto.User(t, awstest.Allow("sts:AssumeRole"))
	awstest.Be(t, neap.Key)
	a := &amazon{moto: moto, front: awstest.NewFront(t, moto, neap.Key), queue: "notices-" + ident.Hex(6), subnets: map[string]string{}}
	moto.Query(t, "sqs", amazonRegion, url.Values{"Action": {"CreateQueue"}, "Version": {"2012-11-05"}, "QueueName": {a.queue}})
	now := time.Now()
	a.Neap = apptest.Start(t, func(c *app.Config) {
		c.Clock = clock.Scaled{Began: now, Origin: now, Rate: hurry}
		c.Clouds = app.Clouds{Real: true, AWSEndpoint: a.front.Endpoint, AWSQueue: a.queue}
		c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	})
	a.account = a.connect(t, neap.ARN)
	a.settle(t)
	return a
}

func (a *amazon) connect(t *testing.T, principal string) string {
	t.Helper()
	ctx, organisation := t.Context(), a.Account.Organisation
	account, err := a.Identity.AddAccount(ctx, identity.Account{Organisation: organisation, Name: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	external, _, err := a.Identity.OfferExternalID(ctx, organisation, account.ID)
	if err != nil {
		t.Fatal(err)
	}
	role := a.moto.Role(t, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":%q}}}]}`, principal, external))
	policy, err := aws.Policy(aws.Grant{Queue: a.queue})
	if err != nil {
		t.Fatal(err)
	}
	a.moto.Grant(t, role, awstest.ActionsOnly(t, policy))
	if err := a.Identity.SetRole(ctx, organisation, account.ID, role); err != nil {
		t.Fatal(err)
	}
	return account.ID
}

// settle finds what groups are made of: an image, a key, a security group, subnets.
func (a *amazon) settle(t *testing.T) {
	t.Helper()
	ask := func(form string) string {
		values, err := url.ParseQuery(form)
		if err != nil {
			t.Fatal(err)
		}
		return string(a.moto.EC2(t, amazonRegion, values))
	}
	a.image = regexp.MustCompile(`ami-[0-9a-f]+`).FindString(ask("Action=DescribeImages&Filter.1.Name=name&Filter.1.Value.1=*ubuntu*"))
	a.group = regexp.MustCompile(`sg-[0-9a-f]+`).FindString(ask("Action=DescribeSecurityGroups&Filter.1.Name=group-name&Filter.1.Value.1=default"))
	for _, item := range strings.Split(ask("Action=DescribeSubnets&Filter.1.Name=default-for-az&Filter.1.Value.1=true"), "</item>") {
		zone, subnet := regexp.MustCompile(amazonRegion+`[a-c]`).FindString(item), regexp.MustCompile(`subnet-[0-9a-f]+`).FindString(item)
		if zone != "" && subnet != "" {
			a.subnets[zone] = subnet
		}
	}
	a.key = "key-" + a.account
	ask("Action=CreateKeyPair&KeyName=" + a.key)
	for zone := range a.subnets {
		for kind, price := range map[string]string{"m5.large": "0.0355", "m5a.large": "0.0341", "c5.large": "0.0338", "r5.large": "0.0362"} {
			a.front.Price(kind, zone, price)
		}
	}
	if a.image == "" || a.group == "" || len(a.subnets) < 3 {
		t.Fatalf("nothing to make a group of: %q, %q, %v", a.image, a.group, a.subnets)
	}
}

// document is a group's, with this much capacity.
func (a *amazon) document(target, onDemand int) map[string]any {
	var zones []any
	for _, zone := range []string{amazonRegion + "a", amazonRegion + "b", amazonRegion + "c"} {
		zones = append(zones, map[string]any{"name": zone, "subnetIds": []string{a.subnets[zone]}})
	}
	return map[string]any{
		"name": "web", "region": amazonRegion,
		"capacity": map[string]any{"target": target, "minimum": 0, "maximum": 20, "unit": "instance"},
		"strategy": map[string]any{"onDemandCount": onDemand, "availabilityVsCost": "balanced", "fallbackToOd": true, "drainingTimeout": 1},
		"compute": map[string]any{
			"product":           "Linux/UNIX",
			"instanceTypes":     map[string]any{"ondemand": "m5.large", "spot": []string{"m5.large", "m5a.large", "c5.large", "r5.large"}},
			"availabilityZones": zones,
			"launchSpecification": map[string]any{
				"imageId": a.image, "keyPair": a.key, "securityGroupIds": []string{a.group}, "healthCheckType": "EC2",
				"tags": []any{map[string]any{"tagKey": "team", "tagValue": "web"}},
			},
		},
	}
}

func (a *amazon) path(rest string) string { return "/aws/ec2/group" + rest + "?accountId=" + a.account }

func (a *amazon) create(t *testing.T, target, onDemand int) (group string) {
	t.Helper()
	items := a.Must(http.MethodPost, a.path(""), map[string]any{"group": a.document(target, onDemand)}).Items()
	return items[0]["id"].(string)
}

// living is what the stand-in itself says of a group, or of all that this Neap has made: lifecycle by id.
func (a *amazon) living(t *testing.T, owner string) map[string]string {
	t.Helper()
	installation, err := a.Identity.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"Action": {"DescribeInstances"}, "MaxResults": {"1000"},
		"Filter.1.Name": {"tag:neap:installation"}, "Filter.1.Value.1": {installation.ID},
		"Filter.2.Name": {"instance-state-name"}, "Filter.2.Value.1": {"pending"}, "Filter.2.Value.2": {"running"}, "Filter.2.Value.3": {"stopping"}, "Filter.2.Value.4": {"stopped"}}
	if owner != "" {
		form["Filter.3.Name"], form["Filter.3.Value.1"] = []string{"tag:neap:owner"}, []string{owner}
	}
	alive := map[string]string{}
	for _, part := range strings.Split(string(a.moto.EC2(t, amazonRegion, form)), "<item><architecture>")[1:] {
		id := regexp.MustCompile(`<instanceId>(i-[0-9a-f]+)<`).FindStringSubmatch(part)[1]
		alive[id] = "on-demand"
		if strings.Contains(part, "<instanceLifecycle>spot<") {
			alive[id] = "spot"
		}
	}
	return alive
}

// until waits, on the wall, until done.
func (a *amazon) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	giveUp, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	for !done() {
		select {
		case <-tick.C:
		case <-giveUp.Done():
			t.Fatalf("gave up waiting until %s", what)
		}
	}
}

// holds waits until a group has so many living instances of each lifecycle, and Neap knows them all.
func (a *amazon) holds(t *testing.T, group string, spot, onDemand int) (ids []string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("%s\n%s", a.Call(http.MethodGet, a.path("/"+group+"/logs")+"&fromDate=2026-01-01&toDate=2030-01-01", nil).Raw, a.Call(http.MethodGet, a.path("/"+group+"/status"), nil).Raw)
		}
	}()
	a.until(t, fmt.Sprintf("the group holds %d spot and %d on-demand instances", spot, onDemand), func() bool {
		alive := a.living(t, group)
		known := a.Must(http.MethodGet, a.path("/"+group+"/status"), nil).Items()
		ids = ids[:0]
		has := map[string]int{}
		for id, lifecycle := range alive {
			has[lifecycle]++
			ids = append(ids, id)
		}
		return has["spot"] == spot && has["on-demand"] == onDemand && len(known) == len(alive) &&
			!slices.ContainsFunc(known, func(item map[string]any) bool { return alive[fmt.Sprint(item["instanceId"])] == "" })
	})
	slices.Sort(ids)
	return ids
}

// first is the first of a group's instances with a lifecycle.
func (a *amazon) first(t *testing.T, group, lifecycle string) string {
	t.Helper()
	alive := a.living(t, group)
	var ids []string
	for id, own := range alive {
		if own == lifecycle {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		t.Fatalf("no %s instance among %v", lifecycle, alive)
	}
	return slices.Min(ids)
}

func TestAGroupLivesItsWholeLifeOnAmazon(t *testing.T) {
	a := onAmazon(t)
	group := a.create(t, 4, 1)
	a.holds(t, group, 3, 1)

	// Somebody else ends one.
	lost := a.first(t, group, "spot")
	a.moto.EC2(t, amazonRegion, url.Values{"Action": {"TerminateInstances"}, "InstanceId.1": {lost}})
	a.until(t, "the one that was ended is replaced", func() bool { _, still := a.living(t, group)[lost]; return !still && len(a.living(t, group)) == 4 })
	if now := a.holds(t, group, 3, 1); slices.Contains(now, lost) {
		t.Errorf("%s is still among %v", lost, now)
	}

	// AWS announces that it takes one back: it is replaced before it is gone.
	doomed := a.first(t, group, "spot")
	a.announce(t, doomed)
	a.until(t, "the one that is to be interrupted is replaced and let go", func() bool { _, still := a.living(t, group)[doomed]; return !still && len(a.living(t, group)) == 4 })
	a.holds(t, group, 3, 1)
	if log := string(a.Must(http.MethodGet, a.path("/"+group+"/logs")+"&fromDate=2026-01-01&toDate=2030-01-01", nil).Raw); !strings.Contains(log, "The cloud will interrupt instance "+doomed) {
		t.Errorf("the log does not tell of the notice: %s", log)
	}

	a.Must(http.MethodPut, a.path("/"+group+"/capacity"), map[string]any{"capacity": map[string]any{"target": 6, "minimum": 0, "maximum": 20}})
	a.holds(t, group, 5, 1)
	a.Must(http.MethodPut, a.path("/"+group+"/capacity"), map[string]any{"capacity": map[string]any{"target": 2, "minimum": 0, "maximum": 20}})
	a.holds(t, group, 1, 1)

	a.Must(http.MethodDelete, a.path("/"+group), nil)
	a.until(t, "nothing of it runs", func() bool { return len(a.living(t, "")) == 0 })
	a.leavesNothing(t)
}

// announce lets AWS say that it takes an instance back in two minutes.
func (a *amazon) announce(t *testing.T, id string) {
	t.Helper()
	event := fmt.Sprintf(`{"version":"0","id":%q,"detail-type":"EC2 Spot Instance Interruption Warning","source":"aws.ec2","account":%q,"time":%q,"region":%q,`+
		`"resources":["arn:aws:ec2:%s:instance/%s"],"detail":{"instance-id":%q,"instance-action":"terminate"}}`,
		"event-"+id, awstest.Account, time.Now().UTC().Format(time.RFC3339), amazonRegion, amazonRegion, id, id)
	a.moto.Query(t, "sqs", amazonRegion, url.Values{"Action": {"SendMessage"}, "Version": {"2012-11-05"},
		"QueueUrl": {a.moto.Endpoint + "/" + awstest.Account + "/" + a.queue}, "MessageBody": {event}})
}

// leavesNothing asks the stand-in whether anything that Neap made is still there once an account was tidied up: volumes, fleets, launch templates.
func (a *amazon) leavesNothing(t *testing.T) {
	t.Helper()
	installation, err := a.Identity.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	volumes := string(a.moto.EC2(t, amazonRegion, url.Values{"Action": {"DescribeVolumes"}, "Filter.1.Name": {"tag:neap:installation"}, "Filter.1.Value.1": {installation.ID}}))
	if strings.Contains(volumes, "<volumeId>") {
		t.Errorf("volumes are left: %s", volumes)
	}
	ctx := t.Context()
	account, err := a.Identity.Account(ctx, a.account)
	if err != nil {
		t.Fatal(err)
	}
	own, err := a.Identity.Credentials(ctx, account.Organisation, a.account)
	if err != nil {
		t.Fatal(err)
	}
	tomorrow := clock.NewManual(time.Now().Add(25 * time.Hour))
	later, err := aws.New(ctx, aws.Config{Endpoint: a.front.Endpoint, Clock: tomorrow})
	if err != nil {
		t.Fatal(err)
	}
	if err := later.Account(own.Role, own.External).Tidy(ctx, amazonRegion); err != nil {
		t.Fatal(err)
	}
	if len(a.front.Made()) == 0 {
		t.Error("nothing was started by a fleet: the replacement of what was lost is to look around")
	}
	for _, fleet := range a.front.Made() {
		if alive := string(a.moto.EC2(t, amazonRegion, url.Values{"Action": {"DescribeFleets"}, "FleetId.1": {fleet}})); strings.Contains(alive, "<fleetState>active<") { // deleted ones are shown for a while
			t.Errorf("the fleet %s is left: %s", fleet, alive)
		}
	}
}
