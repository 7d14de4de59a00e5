package awstest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// launch keeps EC2's promise about tokens, and the limits of pools.
func (f *Front) launch(c *call) answer {
	f.launching.Lock()
	defer f.launching.Unlock()
	_, region, _ := c.scope()
	token := region + "/" + c.action() + "/" + c.form.Get("ClientToken")
	asked := c.form.Encode()
	f.mu.Lock()
	before, isRepeat := f.answers[token]
	f.mu.Unlock()
	switch {
	case isRepeat && before.asked != asked:
		return refusal(http.StatusBadRequest, "IdempotentParameterMismatch", "The client token you have provided is associated with a request that had other parameters.")
	case isRepeat && c.action() == "RunInstances" && f.haveEnded(c, before.ids):
		return refusal(http.StatusBadRequest, "IdempotentInstanceTerminated", "The client token belongs to instances that have been terminated.")
	case isRepeat:
		return before.given
	}
	var given answer
	if c.action() == "RunInstances" {
		given = f.run(c)
	} else {
		given = f.createFleet(c)
	}
	if given.status == http.StatusOK {
		f.mu.Lock()
		f.answers[token] = remembered{asked, given, idsIn(given.body)}
		f.mu.Unlock()
	}
	return given
}

func (f *Front) haveEnded(c *call, ids []string) bool {
	for _, id := range ids {
		if !bytes.Contains(f.seen(c, id), []byte("<name>terminated</name>")) {
			return false
		}
	}
	return true
}

const noRoom = "We currently do not have sufficient %s capacity in the Availability Zone you requested. Our system will be working on provisioning additional capacity."

// run starts as many as there is room for.
func (f *Front) run(c *call) answer {
	if said, is := f.unknown(c); is {
		return said
	}
	lifecycle := "on-demand"
	if c.form.Get("InstanceMarketOptions.MarketType") == "spot" {
		lifecycle = "spot"
	}
	least, _ := strconv.Atoi(c.form.Get("MinCount"))
	most, _ := strconv.Atoi(c.form.Get("MaxCount"))
	pool := c.form.Get("InstanceType") + "/" + f.zone(c, c.form.Get("Placement.AvailabilityZone"), c.form.Get("SubnetId")) + "/" + lifecycle
	granted := f.grant(pool, most, least)
	if granted < least || granted == 0 {
		return refusal(http.StatusInternalServerError, "InsufficientInstanceCapacity", fmt.Sprintf(noRoom, c.form.Get("InstanceType")))
	}
	c.set("MinCount", strconv.Itoa(granted))
	given := f.forward(c)
	if bytes.Contains(given.body, []byte("<Code>InvalidInstanceType.NotFound<")) {
		return refusal(http.StatusBadRequest, "InvalidParameterValue", fmt.Sprintf("'%s' is no value for InstanceType.", c.form.Get("InstanceType")))
	}
	return given
}

// grant takes room in a pool, unless there is less than the least.
func (f *Front) grant(pool string, most, least int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	room, isLimited := f.rooms[pool]
	if !isLimited {
		return most
	}
	granted := min(most, room)
	if granted < least {
		return 0
	}
	f.rooms[pool] = room - granted
	return granted
}

// zone is where a launch goes: it says so itself, or its subnet does.
func (f *Front) zone(c *call, zone, subnet string) string {
	if zone != "" || subnet == "" {
		return zone
	}
	look := &call{request: c.request, altered: true, form: url.Values{"Action": {"DescribeSubnets"}, "Version": {"2016-11-15"}, "SubnetId.1": {subnet}}}
	_, rest, _ := strings.Cut(string(f.forward(look).body), "<availabilityZone>")
	zone, _, _ = strings.Cut(rest, "<")
	return zone
}

// createFleet takes the first place that has room for the whole, or else for most; every dry one is an error of the answer.
func (f *Front) createFleet(c *call) answer {
	const prefix = "LaunchTemplateConfigs.1.Overrides."
	wanted, _ := strconv.Atoi(c.form.Get("TargetCapacitySpecification.TotalTargetCapacity"))
	lifecycle := c.form.Get("TargetCapacitySpecification.DefaultTargetCapacityType")
	least := max(1, number(c.form.Get("SpotOptions.MinTargetCapacity")), number(c.form.Get("OnDemandOptions.MinTargetCapacity")))
	var errors strings.Builder
	taken, granted := "", 0
	for n := 1; c.form.Has(fmt.Sprintf("%s%d.InstanceType", prefix, n)); n++ {
		own := fmt.Sprintf("%s%d.", prefix, n)
		kind, subnet := c.form.Get(own+"InstanceType"), c.form.Get(own+"SubnetId")
		zone := f.zone(c, c.form.Get(own+"AvailabilityZone"), subnet)
		pool := kind + "/" + zone + "/" + lifecycle
		if granted == 0 {
			if granted = f.grant(pool, wanted, least); granted > 0 {
				taken = own
			}
		}
		if taken != own || granted < wanted {
			fmt.Fprintf(&errors, `<item><launchTemplateAndOverrides><overrides><instanceType>%s</instanceType>%s<availabilityZone>%s</availabilityZone></overrides></launchTemplateAndOverrides>`+
				`<lifecycle>%s</lifecycle><errorCode>InsufficientInstanceCapacity</errorCode><errorMessage>`+noRoom+`</errorMessage></item>`, kind, element("subnetId", subnet), zone, lifecycle, kind)
		}
		if granted == wanted {
			break
		}
	}
	if granted == 0 {
		return answer{http.StatusOK, []byte(`<CreateFleetResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15"><fleetId>fleet-0</fleetId><errorSet>` + errors.String() + `</errorSet></CreateFleetResponse>`)}
	}
	f.only(c, prefix, taken, granted)
	given := f.forward(c)
	given.body = bytes.Replace(given.body, []byte("</CreateFleetResponse>"), []byte("<errorSet>"+errors.String()+"</errorSet></CreateFleetResponse>"), 1)
	return given
}

// only leaves one override in a request, and the count that it is for.
func (f *Front) only(c *call, prefix, taken string, count int) {
	kept := url.Values{}
	for name, value := range c.form {
		if rest, is := strings.CutPrefix(name, taken); is {
			kept[prefix+"1."+rest] = value
		} else if !strings.HasPrefix(name, prefix) {
			kept[name] = value
		}
	}
	c.form = kept
	c.set("TargetCapacitySpecification.TotalTargetCapacity", strconv.Itoa(count))
}

func number(text string) int {
	n, _ := strconv.Atoi(text) // what is left out counts as none
	return n
}

func element(name, text string) string {
	if text == "" {
		return ""
	}
	return "<" + name + ">" + text + "</" + name + ">"
}
