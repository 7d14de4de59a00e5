package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// protection is the attribute that keeps an instance from being terminated.
const protection = "disableApiTermination"

// attribute is one that an instance's owner may change.
type attribute struct {
	name  string
	rests bool // changes only while the instance is stopped
	check func(value string) *cloud.Refusal
}

func attributes() []attribute {
	return []attribute{
		{"instanceType", true, anyValue}, // looked up in the catalogue, see retype
		{"kernel", true, anyValue},
		{"ramdisk", true, anyValue},
		{"userData", true, checkUserData},
		{protection, false, yesOrNo},
		{"instanceInitiatedShutdownBehavior", false, oneOf(cloud.ShutdownStops, cloud.ShutdownTerminates)},
		{"rootDeviceName", false, anyValue},
		{"blockDeviceMapping", false, anyValue},
		{"sourceDestCheck", false, yesOrNo},
		{"groupSet", false, checkGroups},
		{"ebsOptimized", true, yesOrNo},
		{"sriovNetSupport", false, oneOf("simple")},
		{"enaSupport", false, yesOrNo},
	}
}

func anyValue(string) *cloud.Refusal { return nil }

func yesOrNo(value string) *cloud.Refusal { return oneOf("true", "false")(value) }

func oneOf(values ...string) func(string) *cloud.Refusal {
	return func(value string) *cloud.Refusal {
		if slices.Contains(values, value) {
			return nil
		}
		return bad("InvalidParameterValue", "The value %q is none of %s.", value, strings.Join(values, ", "))
	}
}

func checkUserData(value string) *cloud.Refusal {
	faults := checkTemplate(cloud.Template{Image: "ami-0abcdef1234567890", UserData: value}, "")
	if len(faults) == 0 {
		return nil
	}
	return faults[0]
}

func checkGroups(value string) *cloud.Refusal {
	for group := range strings.SplitSeq(value, ",") {
		if refusal := checkGroup(group); refusal != nil {
			return refusal
		}
	}
	return nil
}

// Modify changes one attribute. Termination protection and the type have effects of their own; the others are remembered and nothing else: there is no machine that they could change.
func (a *Account) Modify(ctx context.Context, region, id, name, value string) error {
	known := slices.IndexFunc(attributes(), func(one attribute) bool { return one.name == name })
	return a.change(ctx, ModifyCall, region, []string{id}, func(ctx context.Context, tx runner, i *instance, now physics.Instant) error {
		if known < 0 {
			return bad("InvalidParameterValue", "Instances have no attribute %q that could be changed.", name)
		}
		one, state := attributes()[known], i.state(now)
		if refusal := one.check(value); refusal != nil {
			return refusal
		}
		if now >= i.ends || one.rests && state != cloud.Stopped {
			return wrongState(i, state)
		}
		if name == "instanceType" {
			if err := a.cloud.retype(ctx, tx, i, value); err != nil {
				return err
			}
		}
		return i.modify(ctx, a.cloud.db, tx, name, value)
	})
}

// retype makes a stopped instance one of another type. Whether there is room for it is not asked: an instance that is started is not asked either.
func (c *Cloud) retype(ctx context.Context, tx runner, i *instance, to string) error {
	offer, sold := c.catalog.Offer(i.market.Region, product(i.market), to)
	if !sold || !offer.Sells(i.market.Zone) {
		return bad("InvalidInstanceAttributeValue", "The type %q is not offered in the zone %s (simulated).", to, i.market.Zone)
	}
	i.market.Type = to
	i.pool, i.quota, i.vcpus = c.poolOf(i.market, offer).Key, quotaClass(offer, i.market.Lifecycle), offer.Type.VCPUs
	_, err := tx.ExecContext(ctx, c.db.sql("UPDATE instance SET type = ?, pool = ?, quota = ?, vcpus = ? WHERE seq = ?"), to, i.pool, i.quota, i.vcpus, i.seq)
	return err
}

// modified is the value that an attribute was given, "" if it never was.
func (i *instance) modified(name string) string { return i.modifications()[name] }

func (i *instance) modifications() map[string]string {
	all := map[string]string{}
	if i.attributes == "" {
		return all
	}
	if err := json.Unmarshal([]byte(i.attributes), &all); err != nil {
		panic(fmt.Sprintf("attributes of %s: %v", i.id, err)) // written by modify alone
	}
	return all
}

func (i *instance) modify(ctx context.Context, db *database, tx runner, name, value string) error {
	all := i.modifications()
	all[name] = value
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	i.attributes = string(text)
	_, err = tx.ExecContext(ctx, db.sql("UPDATE instance SET attributes = ? WHERE seq = ?"), i.attributes, i.seq)
	return err
}
