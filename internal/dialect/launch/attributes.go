package launch

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/single"
	"github.com/neap-cloud/neap/internal/op"
)

// attributes are what can be read of an instance, in the order of the API's table. nil = not asked for.
type attributes struct {
	ID             *string `json:"id,omitempty"`
	PublicDNS      *string `json:"public_dns_name,omitempty"`
	PrivateDNS     *string `json:"private_dns_name,omitempty"`
	State          *string `json:"state,omitempty"`
	StateCode      *int    `json:"state_code,omitempty"`
	KeyName        *string `json:"key_name,omitempty"`
	Type           *string `json:"instance_type,omitempty"`
	LaunchTime     *string `json:"launch_time,omitempty"`
	Image          *string `json:"image_id,omitempty"`
	Placement      *string `json:"placement,omitempty"`
	PlacementGroup *string `json:"placement_group,omitempty"`
	PrivateIP      *string `json:"private_ip_address,omitempty"`
	IP             *string `json:"ip_address,omitempty"`
}

const (
	ownTime = "2006-01-02T15-04-05.000Z"
	ec2Time = "2006-01-02T15:04:05.000Z"
)

func (d Deps) view(i single.Instance) attributes {
	form := ownTime
	if d.EC2Time {
		form = ec2Time
	}
	state, code, launched := string(i.State), codeOf(string(i.State)), i.LaunchedAt.UTC().Truncate(time.Second).Format(form) // EC2 tells no fractions
	return attributes{
		ID: &i.ID, PublicDNS: &i.PublicDNS, PrivateDNS: &i.PrivateDNS, State: &state, StateCode: &code, KeyName: &i.KeyPair, Type: &i.Market.Type, LaunchTime: &launched,
		Image: &i.Image, Placement: &i.Market.Zone, PlacementGroup: &i.PlacementGroup, PrivateIP: &i.PrivateIP, IP: &i.PublicIP,
	}
}

// codeOf is EC2's number of a state.
func codeOf(state string) int {
	return 16 * slices.Index([]string{"pending", "running", "shutting-down", "terminated", "stopping", "stopped"}, state)
}

// only are the named ones alone, and how many of them there are.
func (a attributes) only(names []string) (attributes, int) {
	kept, fields := 0, reflect.ValueOf(&a).Elem()
	for n := range fields.NumField() {
		name, _, _ := strings.Cut(fields.Type().Field(n).Tag.Get("json"), ",")
		if slices.Contains(names, name) {
			kept++
		} else {
			fields.Field(n).SetZero()
		}
	}
	return a, kept
}

type filtered struct {
	named
	Filter []string `query:"filter" doc:"Names of the attributes to show; all by default"`
}

func (d Deps) attributes(ctx context.Context, in filtered) (attributes, error) {
	shown, err := d.look(ctx, in.named)
	if err != nil || strings.Join(in.Filter, "") == "" {
		return shown, err
	}
	shown, _ = shown.only(in.Filter)
	return shown, nil
}

type one struct {
	named
	Field string `path:"field" doc:"Name of the attribute"`
}

func (d Deps) attribute(ctx context.Context, in one) (attributes, error) {
	if _, known := (attributes{}).only([]string{in.Field}); known == 0 {
		return attributes{}, fault.Missing("attribute", in.Field)
	}
	shown, err := d.look(ctx, in.named)
	shown, _ = shown.only([]string{in.Field})
	return shown, err
}

func (d Deps) look(ctx context.Context, in named) (attributes, error) {
	found, err := d.Instances.Describe(ctx, op.CallOf(ctx).Account, string(in.ID))
	if err != nil {
		return attributes{}, err
	}
	return d.view(found), nil
}
