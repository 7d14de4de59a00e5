package elastigroup

import (
	"fmt"
	"slices"

	"github.com/neap-cloud/neap/internal/fleet/plan"
)

// places is where a group may run. Region is "" when it is not known.
type places struct {
	region    string
	zones     []string
	preferred []string
	subnets   []plan.ZoneSubnets
}

// places reads region, zones and subnets. Either zones or subnets are enough: zones without subnets of their own use the group's, and subnets
// without zones are tried in every zone of the region, where the cloud picks those that lie in it.
func (c *compiler) places() places {
	p := places{region: c.region()}
	given := c.doc.Compute
	own := map[string][]string{}
	for i, z := range given.AvailabilityZones {
		path := at("compute.availabilityZones", i, "name")
		if !c.isZone(path, z.Name, p.region) {
			continue
		}
		if !slices.Contains(p.zones, z.Name) {
			p.zones = append(p.zones, z.Name)
		}
		subnets := z.SubnetIDs
		if z.SubnetID != "" && !slices.Contains(subnets, z.SubnetID) {
			subnets = append(slices.Clip(subnets), z.SubnetID)
		}
		own[z.Name] = append(own[z.Name], subnets...)
	}
	if len(given.AvailabilityZones) == 0 {
		if len(given.SubnetIDs) == 0 {
			c.wrong("compute.availabilityZones", "Say where the group may run: name zones here, or subnets in compute.subnetIds.")
		}
		p.zones = slices.Clone(c.catalog.Zones(p.region))
	}
	for _, name := range p.zones {
		subnets := own[name]
		if len(subnets) == 0 {
			subnets = given.SubnetIDs
		}
		if len(subnets) > 0 {
			p.subnets = append(p.subnets, plan.ZoneSubnets{Zone: name, Subnets: subnets})
		}
	}
	p.preferred = c.preferredZones(p)
	return p
}

// region is the one that the document names, or else the one its zones lie in.
func (c *compiler) region() string {
	region := c.doc.Region
	for i := 0; region == "" && i < len(c.doc.Compute.AvailabilityZones); i++ {
		region = c.regionOf(c.doc.Compute.AvailabilityZones[i].Name)
	}
	switch {
	case region == "" && len(c.doc.Compute.AvailabilityZones) == 0:
		c.wrong("region", "Name the region, such as us-east-1: without availabilityZones it can't be told.")
	case region != "" && len(c.catalog.Zones(region)) == 0:
		c.wrong("region", "There is no region %q; use one of %s.", region, quoted(c.catalog.Regions()))
		return ""
	}
	return region
}

// regionOf finds the region of a zone; "" when there is no such zone.
func (c *compiler) regionOf(zone string) string {
	for _, region := range c.catalog.Regions() {
		if slices.Contains(c.catalog.Zones(region), zone) {
			return region
		}
	}
	return ""
}

func (c *compiler) isZone(path, name, region string) bool {
	switch found := c.regionOf(name); {
	case found == "" && region != "":
		c.wrong(path, "There is no zone %q; %s has %s.", name, region, quoted(c.catalog.Zones(region)))
		return false
	case found == "":
		c.wrong(path, "There is no zone %q.", name)
		return false
	case region != "" && found != region:
		c.wrong(path, "Zone %s lies in %s, not in %s; use %s.", name, found, region, quoted(c.catalog.Zones(region)))
		return false
	}
	return true
}

// preferredZones are a part of the zones, and mean nothing where all zones count the same.
func (c *compiler) preferredZones(p places) []string {
	given := c.doc.Compute.PreferredAvailabilityZones
	if len(given) > 0 && plan.Rule(c.doc.Strategy.AvailabilityVsCost) == plan.EqualZones {
		c.wrong("compute.preferredAvailabilityZones", "An equalAzDistribution prefers no zone; leave this out or choose another availabilityVsCost.")
		return nil
	}
	var preferred []string
	for i, name := range given {
		if !slices.Contains(p.zones, name) {
			c.wrong(at("compute.preferredAvailabilityZones", i, ""), "%q is none of the group's zones (%s); add it to availabilityZones or leave it out.", name, quoted(p.zones))
			continue
		}
		if !slices.Contains(preferred, name) {
			preferred = append(preferred, name)
		}
	}
	return preferred
}

// at is the path of a member of a list's element: at("a.b", 2, "c") is "a.b[2].c".
func at(list string, index int, member string) string {
	if member != "" {
		member = "." + member
	}
	return fmt.Sprintf("%s[%d]%s", list, index, member)
}
