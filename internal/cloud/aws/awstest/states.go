package awstest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Linger shows an instance in a state that moto's instances leave at once (pending, shutting-down, stopping), and holds calls to what EC2 allows in it, until a call
// that changes its state is taken.
func (f *Front) Linger(id, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lingering[id] = state
}

// rule is what EC2 asks of an instance's state before it changes something.
type rule struct {
	states []string // that it may be in
	refuse string   // what is said of one that is in none of them, with its id
}

var (
	alive    = []string{"pending", "running", "stopping", "stopped"}
	needRest = []string{"InstanceType.Value", "Kernel.Value", "Ramdisk.Value", "UserData.Value", "SriovNetSupport.Value", "EnaSupport.Value", "EbsOptimized.Value"}
)

// ruleOf is the rule for a call, if there is one.
func ruleOf(c *call) (rule, bool) {
	switch c.action() {
	case "StartInstances":
		return rule{[]string{"pending", "running", "stopped"}, "Instance '%s' can't be started from the state that it is in."}, true
	case "StopInstances":
		return rule{[]string{"running", "stopping", "stopped"}, "Instance '%s' can't be stopped from the state that it is in."}, true
	case "RebootInstances":
		return rule{[]string{"running"}, "Instance '%s' is not running, so it can't be rebooted."}, true
	case "ModifyInstanceAttribute":
		if slices.ContainsFunc(needRest, c.form.Has) {
			return rule{[]string{"stopped"}, "Instance '%s' is not in the state 'stopped'."}, true
		}
		return rule{alive, "Instance '%s' can't be modified in the state that it is in."}, true
	}
	return rule{}, false
}

// change hands on a call that EC2's rules allow, and answers the others as EC2 does: one instance that may not refuses the whole call.
func (f *Front) change(c *call) answer {
	held, has := ruleOf(c)
	ids := instancesIn(c.form)
	for _, id := range ids {
		shown := f.seen(c, id)
		state := f.stateIn(shown, id)
		switch {
		case state == "": // unknown, or not to be seen by this caller: moto's business
		case c.action() == "StopInstances" && spotForm.Match(shown):
			return refusal(http.StatusBadRequest, "UnsupportedOperation", fmt.Sprintf("Instance '%s' belongs to a one-time spot request, so it can't be stopped.", id))
		case has && !slices.Contains(held.states, state):
			return refusal(http.StatusBadRequest, "IncorrectInstanceState", fmt.Sprintf(held.refuse, id))
		}
	}
	given := f.forward(c)
	if given.status == http.StatusOK && c.action() != "ModifyInstanceAttribute" {
		f.mu.Lock()
		maps.DeleteFunc(f.lingering, func(id, _ string) bool { return slices.Contains(ids, id) })
		f.mu.Unlock()
	}
	return given
}

// instancesIn are the instances that a call names.
func instancesIn(form url.Values) (ids []string) {
	for name, values := range form {
		if name == "InstanceId" || strings.HasPrefix(name, "InstanceId.") {
			ids = append(ids, values...)
		}
	}
	slices.Sort(ids)
	return ids
}

var instanceStateForm = regexp.MustCompile(`(?s)<instanceState>.*?<name>([a-z-]+)</name>.*?</instanceState>`)

// stateIn is the state of an instance that moto shows, "" when it shows none.
func (f *Front) stateIn(shown []byte, id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := instanceStateForm.FindSubmatch(shown)
	if lingers := f.lingering[id]; lingers != "" || found == nil {
		return lingers
	}
	return string(found[1])
}

// linger puts the state in which an instance lingers into what is shown of it.
func (f *Front) linger(id string, part []byte) []byte {
	f.mu.Lock()
	state, is := f.lingering[id]
	f.mu.Unlock()
	if !is {
		return part
	}
	code := map[string]int{"pending": 0, "shutting-down": 32, "stopping": 64}[state]
	return instanceStateForm.ReplaceAll(part, fmt.Appendf(nil, "<instanceState><code>%d</code><name>%s</name></instanceState>", code, state))
}
