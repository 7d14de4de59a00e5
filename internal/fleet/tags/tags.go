// Package tags is how a cloud remembers whose an instance is. It must not know why anybody asks.
package tags

import (
	"hash/maphash"
	"maps"
	"strconv"

	"github.com/neap-cloud/neap/internal/cloud"
)

const (
	Installation = "neap:installation" // the database that launched it
	Generation   = "neap:generation"   // of that database: a higher one than the database's own means an old copy is running
	Owner        = "neap:owner"        // group id, or Single
	Action       = "neap:action"       // the launch that started it
	State        = "neap:state"        // "detached" once it left its group alive
)

// Single owns what was launched by itself: no group looks after it.
const Single = "single"

// Sign puts a launch's token and the ownership tags on it.
func Sign(launch *cloud.Launch, token, installation string, generation int64, owner string) {
	signed := map[string]string{}
	maps.Copy(signed, launch.Tags)
	signed[Installation], signed[Generation] = installation, strconv.FormatInt(generation, 10)
	signed[Owner], signed[Action] = owner, token
	launch.Token, launch.Tags = token, signed
}

// GenerationOf reads an instance's generation; 0 when it carries none.
func GenerationOf(i cloud.Instance) int64 {
	n, err := strconv.ParseInt(i.Tags[Generation], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Print tells two views of an instance apart, in all that may change after its launch and that concerns us.
func Print(seed maphash.Seed, c cloud.Instance) uint64 {
	type essence struct {
		state                       cloud.State
		status                      cloud.Status
		ended                       string
		private, public, subnet     string
		owner, generation, detached string
	}
	return max(1, maphash.Comparable(seed, essence{
		c.State, c.Status, c.Ended, c.PrivateIP, c.PublicIP, c.Subnet, c.Tags[Owner], c.Tags[Generation], c.Tags[State],
	}))
}
