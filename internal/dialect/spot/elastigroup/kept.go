package elastigroup

import (
	"encoding/json"
	"slices"
	"strings"
)

// tree names members of a document: nil stands for the whole value, an entry for looking inside.
type tree map[string]tree

// actedOn lists the fields that the engine acts on, or that say themselves that they have no effect. What else a document holds is kept and
// echoed, and the group's log warns of it.
func actedOn() tree {
	root := tree{"scaling": {}, "scheduling": {}, "thirdPartiesIntegration": {}, "logging": {}}
	root.add("", "id createdAt updatedAt name description region capacity")
	root.add("strategy", `risk onDemandCount availabilityVsCost fallbackToOd considerODPricing restrictSingleAz drainingTimeout
		maxReplacementsPercentage revertToSpot scalingStrategy.terminationPolicy lifetimePeriod minimumInstanceLifetime`)
	root.add("compute", `product instanceTypes subnetIds availabilityZones.name availabilityZones.subnetIds availabilityZones.subnetId
		preferredAvailabilityZones`)
	root.add("compute.launchSpecification", `healthCheckType healthCheckGracePeriod healthCheckUnhealthyDurationBeforeReplacement autoHealing
		securityGroupIds monitoring ebsOptimized imageId images keyPair iamRole userData tags tenancy
		networkInterfaces.deviceIndex networkInterfaces.associatePublicIpAddress`)
	return root
}

func (t tree) add(below, paths string) {
	for _, path := range strings.Fields(paths) {
		at := t
		steps := strings.Split(strings.TrimPrefix(below+"."+path, "."), ".")
		for _, step := range steps[:len(steps)-1] {
			if at[step] == nil {
				at[step] = tree{}
			}
			at = at[step]
		}
		at[steps[len(steps)-1]] = nil
	}
}

// others are the paths of a document that the tree does not name, sorted; elements of a list share one path. Empty values have nothing to act on.
func (t tree) others(document json.RawMessage) []string {
	var value any
	if json.Unmarshal(document, &value) != nil {
		return nil
	}
	var paths []string
	t.walk("group", value, &paths)
	slices.Sort(paths)
	return slices.Compact(paths)
}

func (t tree) walk(path string, value any, found *[]string) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			below, named := t[name]
			switch {
			case !named && !isEmpty(member):
				*found = append(*found, path+"."+name)
			case below != nil:
				below.walk(path+"."+name, member, found)
			}
		}
	case []any:
		for _, element := range value {
			t.walk(path+"[]", element, found)
		}
	}
}

func isEmpty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case bool:
		return !value
	case string:
		return value == ""
	case []any:
		return len(value) == 0
	case map[string]any:
		for _, member := range value {
			if !isEmpty(member) {
				return false
			}
		}
		return true
	}
	return false
}
