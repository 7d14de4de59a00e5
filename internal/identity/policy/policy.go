// Package policy says what a policy allows.
//
// It owns policy documents: their checks, and what follows from several of them for one deed. It must not know where policies are kept, whom they are given to,
// or what the deeds do. Start reading at Document and Set.Decide.
package policy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
)

// Effect is what a statement that applies means.
type Effect string

const (
	Allow Effect = "ALLOW"
	Deny  Effect = "DENY"
)

// Document is the content of a policy, as the Spot API writes it.
type Document struct {
	Statements []Statement `json:"statements"`
}

// Statement applies to a deed when one of its actions, one of its resources and its condition do.
type Statement struct {
	Effect    Effect          `json:"effect"`
	Actions   []string        `json:"actions"`             // "elastigroup:scaleUp", "elastigroup:describe*", "elastigroup:*", "*"
	Resources []string        `json:"resources"`           // "*", "elastigroup:*", "sig-214*", "elastigroup:sig-1a2b3c4d", "oceancdStrategyName:blue"
	Condition json.RawMessage `json:"condition,omitempty"` // see condition.go
}

// Policy is a document that was checked. It is never changed.
type Policy struct {
	id         string
	statements []statement
}

type statement struct {
	policy    *Policy
	number    int // within the document, from 1
	effect    Effect
	actions   []pattern
	resources []resource
	condition condition // nil = always
}

// resource is a pattern. scope is what stands before the colon: a service, or the name of a kind of object; "" = any.
type resource struct {
	scope string
	id    pattern
}

// pattern is a text that may end with a star.
type pattern struct {
	text string
	open bool
}

func (p pattern) matches(text string) bool {
	if p.open {
		return strings.HasPrefix(text, p.text)
	}
	return text == p.text
}

func patternOf(text string) pattern {
	before, open := strings.CutSuffix(text, "*")
	return pattern{before, open}
}

var (
	actionForm = regexp.MustCompile(`^(\*|[a-z][A-Za-z0-9]*:([A-Za-z0-9]+\*?|\*))$`)
	scopeForm  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)
)

// Compile checks a document; id tells the policy from others in Decisions. The error is fault.Invalid and holds every fault, each with its field below at
// ("policy.policyContent").
func Compile(id, at string, d Document) (*Policy, error) {
	p := &Policy{id: id}
	var faults []*fault.Error
	if len(d.Statements) == 0 {
		faults = append(faults, fault.Field(at+".statements", "needs at least one statement: a policy without any would say nothing"))
	}
	for n, given := range d.Statements {
		here := fmt.Sprintf("%s.statements[%d]", at, n)
		faults = append(faults, given.faults(here)...)
		s := statement{policy: p, number: n + 1, effect: given.Effect}
		for _, text := range given.Actions {
			s.actions = append(s.actions, patternOf(text))
		}
		for _, text := range given.Resources {
			s.resources = append(s.resources, resourceOf(text))
		}
		var err *fault.Error
		if s.condition, err = parse(here+".condition", given.Condition); err != nil {
			faults = append(faults, err)
		}
		p.statements = append(p.statements, s)
	}
	if err := fault.All(faults); err != nil {
		return nil, err
	}
	return p, nil
}

// faults are those of a statement, but for its condition.
func (s Statement) faults(at string) (found []*fault.Error) {
	if s.Effect != Allow && s.Effect != Deny {
		found = append(found, fault.Field(at+".effect", "must be %s or %s, not %q", Allow, Deny, string(s.Effect)))
	}
	if len(s.Actions) == 0 {
		found = append(found, fault.Field(at+".actions", "needs at least one action, such as \"elastigroup:describe*\""))
	}
	for n, text := range s.Actions {
		if !actionForm.MatchString(text) {
			found = append(found, fault.Field(fmt.Sprintf("%s.actions[%d]", at, n),
				"must be \"service:action\", with a star only at the end (\"elastigroup:describe*\", \"elastigroup:*\", \"*\"), not %.80q", text))
		}
	}
	if len(s.Resources) == 0 {
		found = append(found, fault.Field(at+".resources", "needs at least one resource; \"*\" means all"))
	}
	for n, text := range s.Resources {
		scope, id, named := strings.Cut(text, ":")
		if !named {
			scope, id = "any", text
		}
		if id == "" || strings.Contains(strings.TrimSuffix(id, "*"), "*") || !scopeForm.MatchString(scope) {
			found = append(found, fault.Field(fmt.Sprintf("%s.resources[%d]", at, n),
				"must be an id, \"service:id\" or \"service:*\", with a star only at the end, not %.80q", text))
		}
	}
	return found
}

func resourceOf(text string) resource {
	scope, id, named := strings.Cut(text, ":")
	if !named {
		return resource{id: patternOf(text)}
	}
	return resource{scope: scope, id: patternOf(id)}
}

// Deed is what somebody wants to do. The text of a service and of an action is that of a row's need.
type Deed struct {
	Action string // "elastigroup:scaleUp"
	Object Object
	Email  string // of who wants to, for "${spot:userEmail}"; "" = has none
}

// Object is what a deed is done to. Its zero value is everything and nothing: what is to be created, or listed.
type Object struct {
	ID    string
	Names map[string]string // what else patterns call it by: "oceancdStrategyName" → "blue"
	// Attribute is a value that conditions ask for ("spot:elastigroup:name"), of the object, or of the body that is to create it. nil = it has none.
	Attribute func(key string) (value string, is bool)
}

func (r *resource) matches(service string, o *Object) bool {
	if r.scope != "" && r.scope != service {
		name, named := o.Names[r.scope]
		return named && r.id.matches(name)
	}
	// What has no id yet is matched by what matches everything: a grant on some ids gives no right to make one.
	return r.id.matches(o.ID) && (o.ID != "" || r.id == pattern{open: true})
}
