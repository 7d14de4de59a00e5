package aws_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/neap-cloud/neap/internal/cloud"
)

// fleetError is one of a fleet's errors.
func fleetError(kind, zone, code string) string {
	return `<item><launchTemplateAndOverrides><overrides><instanceType>` + kind + `</instanceType><availabilityZone>` + zone + `</availabilityZone></overrides></launchTemplateAndOverrides>` +
		`<lifecycle>spot</lifecycle><errorCode>` + code + `</errorCode><errorMessage>told by EC2</errorMessage></item>`
}

func TestOfAFleetsErrorsTheMostTellingOneIsTold(t *testing.T) {
	l := wanted()
	other := l.Market
	other.Type, other.Zone = "g5.xlarge", region+"b"
	l.Alternatives = []cloud.Market{other}
	ours := func(code string) string { return fleetError("m5.large", region+"a", code) }
	theirs := func(code string) string { return fleetError("g5.xlarge", region+"b", code) }
	for name, c := range map[string]struct {
		errors string
		kind   cloud.RefusalKind
		key    string
	}{
		"both are dry":                  {theirs("InsufficientInstanceCapacity") + ours("InsufficientInstanceCapacity"), cloud.NoCapacity, l.Market.PoolKey()},
		"only the other says something": {theirs("InsufficientInstanceCapacity"), cloud.NoCapacity, other.PoolKey()},
		"one is at its limit":           {ours("InsufficientInstanceCapacity") + theirs("MaxSpotInstanceCountExceeded"), cloud.NoQuota, "G and VT/spot"},
		"one is not sold there":         {ours("InvalidFleetConfiguration") + theirs("InvalidAMIID.NotFound"), cloud.NoCapacity, l.Market.PoolKey()},
		"a permission is missing":       {ours("InsufficientInstanceCapacity") + theirs("UnauthorizedOperation"), cloud.Denied, region},
		"nothing will ever work":        {ours("InvalidAMIID.NotFound") + theirs("InvalidAMIID.NotFound"), cloud.BadRequest, region},
		"it says nothing":               {"", cloud.NoCapacity, l.Market.PoolKey()},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := shaped(t, func(form url.Values) (int, string) {
				switch form.Get("Action") {
				case "CreateLaunchTemplate":
					return no(400, "InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")(form)
				case "DescribeInstances":
					return 200, listing("", "") // EC2 does not show them yet
				}
				return 200, `<CreateFleetResponse><fleetId>fleet-1</fleetId><errorSet>` + c.errors + `</errorSet><fleetInstanceSet><item><instanceIds><item>i-0abcdef1234567890</item></instanceIds>` +
					`<instanceType>g5.xlarge</instanceType><lifecycle>spot</lifecycle><launchTemplateAndOverrides><overrides><instanceType>g5.xlarge</instanceType>` +
					`<availabilityZone>us-east-1b</availabilityZone></overrides></launchTemplateAndOverrides></item></fleetInstanceSet></CreateFleetResponse>`
			})
			started, err := a.Launch(t.Context(), l)
			if r := must(t, err, c.kind); r.Key != c.key {
				t.Errorf("%+v", r)
			}
			if len(started) != 1 || started[0].ID != "i-0abcdef1234567890" || started[0].Market != other || started[0].State != cloud.Pending || started[0].LaunchedAt.IsZero() {
				t.Errorf("started %+v", started)
			}
		})
	}
}

func TestAMinimumIsKeptInOneZoneOrForOneType(t *testing.T) {
	for _, c := range []struct {
		kind, zone, oneZone, oneType string
	}{{"m5.large", region + "b", "", "true"}, {"m5a.large", region + "a", "true", ""}, {"m5a.large", region + "b", "true", ""}} {
		l := wanted()
		other := l.Market
		other.Type, other.Zone = c.kind, c.zone
		l.Alternatives, l.Least = []cloud.Market{other}, 2
		a, _ := shaped(t, func(form url.Values) (int, string) {
			if form.Get("Action") == "CreateFleet" {
				expect(t, form, map[string]string{"SpotOptions.MinTargetCapacity": "2", "SpotOptions.SingleAvailabilityZone": c.oneZone, "SpotOptions.SingleInstanceType": c.oneType})
			}
			return 200, `<Response/>`
		})
		_, err := a.Launch(t.Context(), l)
		must(t, err, cloud.NoCapacity)
	}
}

func TestALaunchWhoseInstancesCannotBeSeenIsToBeRepeated(t *testing.T) {
	l := wanted()
	l.Alternatives = []cloud.Market{{Region: region, Zone: region + "b", Type: "m5.large", Lifecycle: cloud.Spot}}
	a, _ := shaped(t, func(form url.Values) (int, string) {
		if form.Get("Action") == "DescribeInstances" {
			return no(403, "UnauthorizedOperation", "You are not authorized to perform this operation.")(form)
		}
		return 200, `<Response><fleetInstanceSet><item><instanceIds><item>i-0abcdef1234567890</item></instanceIds></item></fleetInstanceSet></Response>`
	})
	if started, err := a.Launch(t.Context(), l); len(started) != 0 || err == nil || errors.As(err, new(*cloud.Refusal)) {
		t.Errorf("%v, %v, want an error that is no refusal", started, err)
	}
}
