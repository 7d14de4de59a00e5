package apptest

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/aws"
	"github.com/neap-cloud/neap/internal/cloud/aws/awstest"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/identity"
)

// Amazon is a region of AWS's stand-in, with what groups are made of, and one Neap's way there. Others may be at work in the same region.
type Amazon struct {
	T       *testing.T
	Server  awstest.Server
	Front   *awstest.Front
	Region  string
	Image   string
	Key     string            // of SSH
	Group   string            // security group
	Queue   string            // of notices
	Subnets map[string]string // by zone

	principal string
}

// AmazonTypes are the types whose spot instances have a price there, in dollars.
func AmazonTypes() map[string]string {
	return map[string]string{"m5.large": "0.0355", "m5a.large": "0.0341", "c5.large": "0.0338", "r5.large": "0.0362"}
}

// OnAmazon prepares a region for a Neap that is neap to AWS. The environment is to say so too: see awstest.Be.
func OnAmazon(t *testing.T, server awstest.Server, neap awstest.User, region string) *Amazon {
	t.Helper()
	a := &Amazon{
		T: t, Server: server, Front: awstest.NewFront(t, server, neap.Key), Region: region,
		Key: "key-" + ident.Hex(6), Queue: "notices-" + ident.Hex(6), Subnets: map[string]string{}, principal: neap.ARN,
	}
	server.Query(t, "sqs", region, url.Values{"Action": {"CreateQueue"}, "Version": {"2012-11-05"}, "QueueName": {a.Queue}})
	a.Image = regexp.MustCompile(`ami-[0-9a-f]+`).FindString(a.ask("Action=DescribeImages&Filter.1.Name=name&Filter.1.Value.1=*ubuntu*"))
	a.Group = regexp.MustCompile(`sg-[0-9a-f]+`).FindString(a.ask("Action=DescribeSecurityGroups&Filter.1.Name=group-name&Filter.1.Value.1=default"))
	for _, item := range strings.Split(a.ask("Action=DescribeSubnets&Filter.1.Name=default-for-az&Filter.1.Value.1=true"), "</item>") {
		zone, subnet := regexp.MustCompile(region+`[a-c]`).FindString(item), regexp.MustCompile(`subnet-[0-9a-f]+`).FindString(item)
		if zone != "" && subnet != "" {
			a.Subnets[zone] = subnet
		}
	}
	a.ask("Action=CreateKeyPair&KeyName=" + a.Key)
	for zone := range a.Subnets {
		for kind, price := range AmazonTypes() {
			a.Front.Price(kind, zone, price)
		}
	}
	if a.Image == "" || a.Group == "" || len(a.Subnets) < 3 {
		t.Fatalf("nothing to make a group of: %q, %q, %v", a.Image, a.Group, a.Subnets)
	}
	return a
}

// ask asks EC2's stand-in itself.
func (a *Amazon) ask(form string) string {
	a.T.Helper()
	values, err := url.ParseQuery(form)
	if err != nil {
		a.T.Fatal(err)
	}
	return string(a.Server.EC2(a.T, a.Region, values))
}

// Clouds is where a Neap finds this region.
func (a *Amazon) Clouds() app.Clouds {
	return app.Clouds{Real: true, AWSEndpoint: a.Front.Endpoint, AWSQueue: a.Queue}
}

// Connect adds an account; see Admit.
func (a *Amazon) Connect(n *Neap) (account string) {
	a.T.Helper()
	made, err := n.Identity.AddAccount(a.T.Context(), identity.Account{Organisation: n.Account.Organisation, Name: "prod"})
	if err != nil {
		a.T.Fatal(err)
	}
	a.Admit(n, made.ID)
	return made.ID
}

// Admit lets an account in by a role that may do what `neap aws init` says and nothing else.
func (a *Amazon) Admit(n *Neap, account string) (role string) {
	a.T.Helper()
	ctx, organisation := a.T.Context(), n.Account.Organisation
	external, _, err := n.Identity.OfferExternalID(ctx, organisation, account)
	if err != nil {
		a.T.Fatal(err)
	}
	role = a.Server.Role(a.T, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":%q}}}]}`, a.principal, external))
	policy, err := aws.Policy(aws.Grant{Queue: a.Queue})
	if err != nil {
		a.T.Fatal(err)
	}
	a.Server.Grant(a.T, role, awstest.ActionsOnly(a.T, policy))
	if err := n.Identity.SetRole(ctx, organisation, account, role); err != nil {
		a.T.Fatal(err)
	}
	return role
}

// Announce lets AWS say that it takes an instance back in two minutes.
func (a *Amazon) Announce(id string) {
	a.T.Helper()
	event := fmt.Sprintf(`{"version":"0","id":%q,"detail-type":"EC2 Spot Instance Interruption Warning","source":"aws.ec2","account":%q,"time":%q,"region":%q,`+
		`"resources":["arn:aws:ec2:%s:instance/%s"],"detail":{"instance-id":%q,"instance-action":"terminate"}}`,
		"event-"+id, awstest.Account, time.Now().UTC().Format(time.RFC3339), a.Region, a.Region, id, id)
	a.Server.Query(a.T, "sqs", a.Region, url.Values{"Action": {"SendMessage"}, "Version": {"2012-11-05"},
		"QueueUrl": {a.Server.Endpoint + "/" + awstest.Account + "/" + a.Queue}, "MessageBody": {event}})
}

// Instances are all that a Neap ever started, as the stand-in itself tells: id, state, lifecycle and tags.
func (a *Amazon) Instances(n *Neap) (all []cloud.Instance) {
	a.T.Helper()
	var answer struct {
		Instances []struct {
			ID        string `xml:"instanceId"`
			State     string `xml:"instanceState>name"`
			Lifecycle string `xml:"instanceLifecycle"`
			Tags      []struct {
				Key   string `xml:"key"`
				Value string `xml:"value"`
			} `xml:"tagSet>item"`
		} `xml:"reservationSet>item>instancesSet>item"`
		Next string `xml:"nextToken"`
	}
	if err := xml.Unmarshal([]byte(a.ask("Action=DescribeInstances&MaxResults=1000"+a.own(n))), &answer); err != nil || answer.Next != "" {
		a.T.Fatalf("%v, and more at %q", err, answer.Next)
	}
	for _, i := range answer.Instances {
		shown := cloud.Instance{ID: i.ID, State: cloud.State(i.State), Market: cloud.Market{Region: a.Region, Lifecycle: cloud.OnDemand}, Tags: map[string]string{}}
		if i.Lifecycle == "spot" {
			shown.Market.Lifecycle = cloud.Spot
		}
		for _, t := range i.Tags {
			shown.Tags[t.Key] = t.Value
		}
		all = append(all, shown)
	}
	return all
}

// own is the filter for what a Neap has made.
func (a *Amazon) own(n *Neap) string {
	a.T.Helper()
	installation, err := n.Identity.Installation(a.T.Context())
	if err != nil {
		a.T.Fatal(err)
	}
	return "&Filter.1.Name=tag:neap:installation&Filter.1.Value.1=" + url.QueryEscape(installation.ID)
}

// Left says what else than instances a Neap has left there, once its account was tidied up tomorrow: volumes and fleets.
func (a *Amazon) Left(n *Neap, account string) (left []string) {
	a.T.Helper()
	for _, volume := range regexp.MustCompile(`<volumeId>(vol-[0-9a-f]+)</volumeId><size>`).FindAllStringSubmatch(a.ask("Action=DescribeVolumes"+a.own(n)), -1) {
		left = append(left, "the volume "+volume[1])
	}
	own, err := n.Identity.Credentials(a.T.Context(), n.Account.Organisation, account)
	if err != nil {
		a.T.Fatal(err)
	}
	later, err := aws.New(a.T.Context(), aws.Config{Endpoint: a.Front.Endpoint, Clock: clock.NewManual(time.Now().Add(25 * time.Hour))})
	if err != nil {
		a.T.Fatal(err)
	}
	if err := later.Account(own.Role, own.External).Tidy(a.T.Context(), a.Region); err != nil {
		a.T.Fatal(err)
	}
	for _, fleet := range a.Front.Made() {
		if shown := a.ask("Action=DescribeFleets&FleetId.1=" + fleet); strings.Contains(shown, "<fleetState>active<") { // deleted ones are shown for a while
			left = append(left, "the fleet "+fleet)
		}
	}
	return left
}
