package setup

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

// policyRows are above accounts although the wire lets them name one: a policy that is changed in the name of one account may be given for others.
func (d dialect) policyRows() []op.Row {
	target := op.Target{Noun: "policy", Param: "policyId"}
	const kind = "spotinst:setup:access:policy"
	return []op.Row{
		{N: 20, ID: "account.createAccessPolicy", Route: "POST /setup/access/policy", Need: "setup:createPolicy", Title: "Create a policy", Mutates: true, Kind: kind, Body: "setup#/$defs/policyCreate", Do: op.Func(d.createPolicy)},
		{N: 23, ID: "account.updateAccessPolicy", Route: "PUT /setup/access/policy/{policyId}", Need: "setup:updatePolicy", Title: "Change a policy", Target: target, Mutates: true, Body: "setup#/$defs/policyUpdate", Do: op.Func(d.updatePolicy)},
		{N: 24, ID: "account.deleteAccessPolicy", Route: "DELETE /setup/access/policy/{policyId}", Need: "setup:deletePolicy", Title: "Delete a policy", Target: target, Mutates: true, Do: op.Func(d.deletePolicy)},
		{ID: "organization.getAccessPolicyActions", Route: "GET /setup/access/policyAction", Need: "setup:describePolicyActions", Title: "List the actions that policies can name", Kind: "spotinst:setup:policyAction", Do: op.Func(d.policyActions)},
		{ID: "organization.getPolicies", Route: "GET /setup/organization/policy", Need: "setup:describePolicies", Title: "List all policies", Kind: "spotinst:setup:organization:policy", Do: op.Func(d.allPolicies)},
	}
}

// createdPolicy is what all views of a policy have in common.
type createdPolicy struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Content     json.RawMessage `json:"policyContent"`
}

func policyOf(p identity.Policy) (createdPolicy, error) {
	content, err := json.Marshal(p.Content)
	return createdPolicy{p.ID, p.Name, p.Description, content}, err
}

type createPolicyIn struct {
	Account string `query:"accountId" doc:"The account in whose list the policy stands; every account's when left out."`
	Body    op.Document
}

// policyBody holds what a body has; nil is left as it is.
type policyBody struct {
	Policy struct {
		Name, Description *string
		Type              *identity.PolicyType
		PolicyContent     json.RawMessage
	}
}

// putInto has no field of its own for faults: the content was accepted by its schema.
func (b policyBody) putInto(p *identity.Policy) error {
	if b.Policy.Name != nil {
		p.Name = *b.Policy.Name
	}
	if b.Policy.Description != nil {
		p.Description = *b.Policy.Description
	}
	if b.Policy.Type != nil {
		p.Type = *b.Policy.Type
	}
	if b.Policy.PolicyContent == nil {
		return nil
	}
	p.Content.Statements = nil
	return json.Unmarshal(b.Policy.PolicyContent, &p.Content)
}

func (d dialect) createPolicy(ctx context.Context, in createPolicyIn) (spot.Items[createdPolicy], error) {
	call := op.CallOf(ctx)
	body, err := read[policyBody](in.Body)
	if err != nil {
		return nil, err
	}
	if in.Account != "" {
		if err := call.Caller.Rights.Authorize(op.Deed{Need: call.Row.Need, Account: in.Account}); err != nil {
			return nil, err
		}
	}
	wanted := identity.Policy{Organisation: call.Caller.Organisation, Account: in.Account}
	if err := body.putInto(&wanted); err != nil {
		return nil, err
	}
	made, err := d.Identity.CreatePolicy(ctx, wanted)
	if err != nil {
		return nil, err
	}
	item, err := policyOf(made)
	return spot.One(item), err
}

type policyIn struct {
	Policy string `path:"policyId"`
	Body   op.Document
}

func (d dialect) updatePolicy(ctx context.Context, in policyIn) (spot.Done, error) {
	body, err := read[policyBody](in.Body)
	if err != nil {
		return spot.Done{}, err
	}
	_, err = d.Identity.UpdatePolicy(ctx, op.CallOf(ctx).Caller.Organisation, in.Policy, body.putInto)
	return spot.Done{}, err
}

func (d dialect) deletePolicy(ctx context.Context, in policyIn) (spot.Done, error) {
	return spot.Done{}, d.Identity.DeletePolicy(ctx, op.CallOf(ctx).Caller.Organisation, in.Policy)
}

type listedPolicy struct {
	createdPolicy
	Type    identity.PolicyType `json:"type"`
	Created spot.Time           `json:"createdAt"`
	Updated spot.Time           `json:"updatedAt"`
}

// policies are those that can be given for the account; the standard ones, which nobody can change, are among them.
func (d dialect) policies(ctx context.Context, _ struct{}) (spot.Items[listedPolicy], error) {
	account := op.CallOf(ctx).Account
	return d.listPolicies(ctx, func(p identity.Policy) bool {
		return p.Type == identity.ForAccounts && (p.Account == "" || p.Account == account)
	})
}

func (d dialect) allPolicies(ctx context.Context, _ struct{}) (spot.Items[listedPolicy], error) {
	return d.listPolicies(ctx, func(identity.Policy) bool { return true })
}

func (d dialect) listPolicies(ctx context.Context, wanted func(identity.Policy) bool) (spot.Items[listedPolicy], error) {
	all, err := d.Identity.Policies(ctx, op.CallOf(ctx).Caller.Organisation)
	if err != nil {
		return nil, err
	}
	var items spot.Items[listedPolicy]
	for _, p := range all {
		if !wanted(p) {
			continue
		}
		item, err := policyOf(p)
		if err != nil {
			return nil, err
		}
		items = append(items, listedPolicy{item, p.Type, spot.Time(p.Created), spot.Time(p.Updated)})
	}
	return items, nil
}

// policyAction is one action that policies can name.
type policyAction struct {
	Name     string              `json:"name"`
	Service  string              `json:"service"`
	Pattern  string              `json:"resourcePattern"`
	Scope    identity.PolicyType `json:"scope"`
	Category string              `json:"category"` // "READ", "WRITE"
}

func (d dialect) policyActions(context.Context, struct{}) (spot.Items[policyAction], error) {
	actions := map[string]policyAction{}
	for _, o := range d.Operations() {
		service, _, _ := strings.Cut(o.Need, ":")
		action := policyAction{o.Need, service, service + ":*", identity.ForAccounts, "READ"}
		if o.NoAccount {
			action.Pattern, action.Scope = "*", identity.ForOrganisation
		}
		if o.Mutates {
			action.Category = "WRITE"
		}
		// What can be done in an account by one operation needs no policy of the organisation there.
		if known, is := actions[o.Need]; !is || known.Scope == identity.ForOrganisation {
			actions[o.Need] = action
		}
	}
	var items spot.Items[policyAction]
	for _, action := range actions {
		items = append(items, action)
	}
	slices.SortFunc(items, func(a, b policyAction) int { return strings.Compare(a.Name, b.Name) })
	return items, nil
}
