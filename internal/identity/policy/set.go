package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Set is what several policies mean together. It is never changed; safe for concurrent use.
type Set struct {
	exact map[string]*grants // by action
	open  map[string]*grants // by service; under "" those for every service
}

// grants are those of one action or service. Most policies name objects by their ids, so that those for other ids need not be walked over.
type grants struct {
	byID map[string][]grant
	rest []grant
}

// grant is one action and one resource of a statement: a flat list of them is walked over in a fraction of the time that statements would take.
type grant struct {
	prefix string // of the actions
	resource
	*statement
}

// NewSet puts policies together. Their order makes no difference to what is allowed.
func NewSet(policies ...*Policy) *Set {
	s := &Set{exact: map[string]*grants{}, open: map[string]*grants{}}
	for _, p := range policies {
		for n := range p.statements {
			s.add(&p.statements[n])
		}
	}
	return s
}

func (s *Set) add(one *statement) {
	for _, a := range one.actions {
		table, key := s.exact, a.text
		service, _, _ := strings.Cut(a.text, ":")
		if a.open {
			table, key = s.open, service
		}
		list := table[key]
		if list == nil {
			list = &grants{byID: map[string][]grant{}}
			table[key] = list
		}
		for _, r := range one.resources {
			g := grant{a.text, r, one}
			if r.id.open || r.scope != "" && r.scope != service { // it may match an object of any id, or by another of its names
				list.rest = append(list.rest, g)
			} else {
				list.byID[r.id.text] = append(list.byID[r.id.text], g)
			}
		}
	}
}

// lists are the grants among which those for an action on an object are.
func (s *Set) lists(action, service, id string) (lists [6][]grant) {
	for n, of := range [...]*grants{s.exact[action], s.open[service], s.open[""]} {
		if of != nil {
			lists[2*n], lists[2*n+1] = of.byID[id], of.rest
		}
	}
	return lists
}

// Decision is what follows for a deed, and which statement it follows from; the zero value is a refusal because nothing allows it.
type Decision struct {
	Effect    Effect // Allow, Deny, or "" when no statement applies
	Policy    string // id
	Statement int    // from 1
}

// Allowed reports whether the deed may be done.
func (d Decision) Allowed() bool { return d.Effect == Allow }

// String says it to a person.
func (d Decision) String() string {
	switch d.Effect {
	case Allow:
		return fmt.Sprintf("statement %d of policy %s allows it", d.Statement, d.Policy)
	case Deny:
		return fmt.Sprintf("statement %d of policy %s denies it", d.Statement, d.Policy)
	}
	return "no policy allows it"
}

// Decide is the rule of all evaluation: what any statement denies is refused, else what any allows may be done, else it is refused.
func (s *Set) Decide(d Deed) (decided Decision) {
	service, _, _ := strings.Cut(d.Action, ":")
	for _, list := range s.lists(d.Action, service, d.Object.ID) {
		for n := range list {
			g := &list[n]
			if g.effect == decided.Effect || !g.matches(service, &d.Object) || !strings.HasPrefix(d.Action, g.prefix) || g.condition != nil && !g.condition.holds(d) {
				continue
			}
			if decided = (Decision{g.effect, g.policy.id, g.number}); g.effect == Deny {
				return decided
			}
		}
	}
	return decided
}

// Could reports whether the action is allowed on anything at all: whoever lists gets a list, which Decide then narrows to what it allows.
func (s *Set) Could(action string) bool {
	service, _, _ := strings.Cut(action, ":")
	allows := func(g grant) bool { return g.effect == Allow && strings.HasPrefix(action, g.prefix) }
	for _, of := range []*grants{s.exact[action], s.open[service], s.open[""]} {
		if of == nil {
			continue
		}
		if slices.ContainsFunc(of.rest, allows) {
			return true
		}
		for _, list := range of.byID {
			if slices.ContainsFunc(list, allows) {
				return true
			}
		}
	}
	return false
}

// DeniesAll reports whether the action is denied on everything, whatever its attributes: there is no use in listing then.
func (s *Set) DeniesAll(action string) bool {
	service, _, _ := strings.Cut(action, ":")
	for _, of := range []*grants{s.exact[action], s.open[service], s.open[""]} {
		if of != nil && slices.ContainsFunc(of.rest, func(g grant) bool {
			return g.effect == Deny && g.condition == nil && g.id == pattern{open: true} && (g.scope == "" || g.scope == service) && strings.HasPrefix(action, g.prefix)
		}) {
			return true
		}
	}
	return false
}
