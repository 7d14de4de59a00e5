package identity

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/identity/policy"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

// Policy is a named document of what is allowed. It means something where it is given to users or groups.
type Policy struct {
	ID           string // "pol-…"
	Organisation string // "" = a standard one, which every organisation has and none can change
	Name         string // unique in the organisation
	Description  string `json:",omitempty"`
	Type         PolicyType
	Account      string `json:",omitempty"` // that it was made in, for lists; it may be given for others
	Content      policy.Document
	Created      time.Time
	Updated      time.Time
	Standard     bool `json:",omitempty"`
}

// PolicyType says whether a policy is given account by account, or for the organisation as a whole. It never changes.
type PolicyType string

const (
	ForAccounts     PolicyType = "ACCOUNT"
	ForOrganisation PolicyType = "ORGANIZATION"
)

// policies have their organisation as account and Parent.
var policies = store.Collection[Policy]{Table: "policies", Noun: "policy"}

// longestPolicy bounds a document: evaluation is fast, but not for any document whatever.
const longestPolicy = 1000

// CreatePolicy makes a policy. fault.Invalid with every fault of the document; fault.Exists when one of that name is there.
func (i *Identity) CreatePolicy(ctx context.Context, p Policy) (made Policy, err error) {
	err = i.govern(ctx, p.Organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		if p.Type == "" {
			p.Type = ForAccounts
		}
		if err := i.checkPolicy(ctx, r, p); err != nil {
			return err
		}
		made, err = insertPolicy(ctx, tx, p)
		op.CallOf(ctx).Object = made.ID // for the audit entry of this very transaction
		return err
	})
	return made, err
}

func insertPolicy(ctx context.Context, tx *store.Tx, p Policy) (Policy, error) {
	p.Created = today()
	p.Updated = p.Created
	for {
		p.ID = ident.New("pol")
		_, err := policies.Insert(ctx, tx, store.Doc[Policy]{Meta: store.Meta{ID: p.ID, Account: p.Organisation, Parent: p.Organisation, Name: p.Name, At: p.Created}, Value: p})
		if !fault.Is(err, fault.Exists) && !strings.HasPrefix(p.ID, standardPrefix) {
			return p, err
		}
	}
}

// Policies are an organisation's own, oldest first, and then the standard ones.
func (i *Identity) Policies(ctx context.Context, organisation string) ([]Policy, error) {
	r, err := i.readRealm(ctx, i.db, organisation, nil)
	if err != nil {
		return nil, err
	}
	return r.policyList(), nil
}

// UpdatePolicy changes a policy; change is given it as it is, and may be called again. fault.Conflict for a standard one.
func (i *Identity) UpdatePolicy(ctx context.Context, organisation, id string, change func(p *Policy) error) (changed Policy, err error) {
	err = i.govern(ctx, organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		doc, err := ownPolicy(ctx, tx, r, id)
		if err != nil {
			return err
		}
		before := doc.Value
		if err := change(&doc.Value); err != nil {
			return err
		}
		doc.Value.ID, doc.Value.Organisation, doc.Value.Updated = doc.ID, organisation, today()
		if doc.Value.Type != before.Type {
			return fault.Field("policy.type", "cannot change; make another policy of the type %s", doc.Value.Type)
		}
		if err := i.checkPolicy(ctx, r, doc.Value); err != nil {
			return err
		}
		doc.Name = doc.Value.Name
		doc, err = policies.Update(ctx, tx, doc)
		changed = doc.Value
		return err
	})
	return changed, err
}

// DeletePolicy ends a policy and takes it from whoever it was given to.
func (i *Identity) DeletePolicy(ctx context.Context, organisation, id string) error {
	return i.govern(ctx, organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		if _, err := ownPolicy(ctx, tx, r, id); err != nil {
			return err
		}
		if err := i.unmap(ctx, tx, r, "", func(m Mapping) (Mapping, bool) { return m, m.Policy != id }); err != nil {
			return err
		}
		return policies.Delete(ctx, tx, store.Account(organisation), id)
	})
}

func ownPolicy(ctx context.Context, tx *store.Tx, r *realm, id string) (store.Doc[Policy], error) {
	if held := r.policies[id]; held != nil && held.Standard {
		return store.Doc[Policy]{}, fault.Of(fault.Conflict, policies.Noun, "%q is a standard policy and cannot be changed; make one of your own.", held.Name)
	}
	return policies.Get(ctx, tx, store.Account(r.organisation.ID), id)
}

// unmap narrows every mapping of the organisation, of users and of groups, to what keep says, and takes everybody out of an account.
func (i *Identity) unmap(ctx context.Context, tx *store.Tx, r *realm, account string, keep func(Mapping) (Mapping, bool)) error {
	narrowed := func(list []Mapping) (rest []Mapping) {
		for _, m := range list {
			if m, kept := keep(m); kept {
				rest = append(rest, m)
			}
		}
		return rest
	}
	docs, _, err := users.List(ctx, tx, store.Account(r.organisation.ID), store.Query{})
	if err != nil {
		return err
	}
	for _, doc := range docs {
		u := &doc.Value
		u.Policies = narrowed(u.Policies)
		delete(u.Accounts, account)
		for account, g := range u.Accounts {
			g.Policies = slices.DeleteFunc(slices.Clone(g.Policies), func(id string) bool { _, kept := keep(Mapping{Policy: id}); return !kept })
			u.Accounts[account] = g
		}
		if _, err := users.Update(ctx, tx, doc); err != nil {
			return err
		}
	}
	for _, g := range r.groups {
		doc, err := groups.Get(ctx, tx, store.Account(r.organisation.ID), g.ID)
		if err != nil {
			return err
		}
		doc.Value.Policies = narrowed(doc.Value.Policies)
		if _, err := groups.Update(ctx, tx, doc); err != nil {
			return err
		}
	}
	return nil
}

func (i *Identity) checkPolicy(ctx context.Context, r *realm, p Policy) error {
	faults := nameFaults("policy.name", p.Name, "+=@")
	if p.Type != ForAccounts && p.Type != ForOrganisation {
		faults = append(faults, fault.Field("policy.type", "must be %s or %s, not %.40q", ForAccounts, ForOrganisation, string(p.Type)))
	}
	patterns := 0
	for _, s := range p.Content.Statements {
		patterns += len(s.Actions) * len(s.Resources)
	}
	if patterns > longestPolicy {
		faults = append(faults, fault.Field("policy.policyContent.statements", "has %d pairs of an action and a resource; at most %d are accepted in one policy", patterns, longestPolicy))
	}
	if _, err := policy.Compile(p.ID, "policy.policyContent", p.Content); err != nil {
		known := fault.As(err)
		faults = append(faults, append([]*fault.Error{known}, known.Others...)...)
	}
	if err := fault.All(faults); err != nil {
		return err
	}
	for _, other := range r.policies {
		if other.ID != p.ID && other.Name == p.Name && other.Type == p.Type {
			return existing("policy.name", "There is a policy %q already; choose another name.", p.Name)
		}
	}
	i.warnOfUnknown(ctx, p)
	return nil
}

// warnOfUnknown says in the log which actions no operation needs: they are accepted, because a later release may.
func (i *Identity) warnOfUnknown(ctx context.Context, p Policy) {
	if i.needs == nil {
		return
	}
	known := i.needs()
	for _, s := range p.Content.Statements {
		for _, action := range s.Actions {
			prefix, open := strings.CutSuffix(action, "*")
			if !slices.ContainsFunc(known, func(need string) bool { return need == action || open && strings.HasPrefix(need, prefix) }) {
				i.log.WarnContext(ctx, "a policy names an action that no operation needs", "organisation", p.Organisation, "policy", p.Name, "action", action)
			}
		}
	}
}

const standardPrefix = "pol-0000000"

// standardPolicies are those that every organisation has, in the order of their ids.
func standardPolicies() map[string]*heldPolicy {
	held := map[string]*heldPolicy{}
	for n, p := range []struct {
		name, says string
		kind       PolicyType
		actions    []string
	}{
		{"Account Editor", "Everything in an account but managing it.", ForAccounts, []string{"elastigroup:*", "ocean:*", "managedInstance:*", "emr:*", "batch:*", "database:*", "job:*", "healthCheck:*", "subscription:*", "neap:*", "setup:describe*"}},
		{"Account Viewer", "Reads everything in an account.", ForAccounts, []string{"elastigroup:describe*", "ocean:describe*", "managedInstance:describe*", "emr:describe*", "batch:describe*", "database:describe*", "job:describe*", "healthCheck:describe*", "subscription:describe*", "neap:read*", "neap:list*", "setup:describe*"}},
		{"Elastigroup Full Access", "Everything with Elastigroups.", ForAccounts, []string{"elastigroup:*"}},
		{"Ocean Full Access", "Everything with Ocean clusters.", ForAccounts, []string{"ocean:*"}},
		{"Credit Card Editor", "Manages how the organisation pays.", ForOrganisation, []string{"billing:*"}},
		{"Cloud Analyzer Editor", "Manages the analysis of the organisation's costs.", ForOrganisation, []string{"cloudAnalyzer:*"}},
		{"Account Admin", "Everything in an account.", ForAccounts, []string{"*"}},
		{"Organization Admin", "Everything in the organisation.", ForOrganisation, []string{"*"}},
	} {
		made := Policy{ID: standardPrefix + string(rune('1'+n)), Name: p.name, Description: p.says, Type: p.kind, Standard: true, Content: policy.Document{
			Statements: []policy.Statement{{Effect: policy.Allow, Actions: p.actions, Resources: []string{"*"}}},
		}}
		compiled, err := policy.Compile(made.ID, "policy", made.Content)
		if err != nil {
			panic(err) // the documents are constants
		}
		held[made.ID] = &heldPolicy{Policy: made, version: 1, compiled: compiled}
	}
	return held
}
