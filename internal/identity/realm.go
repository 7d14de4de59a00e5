package identity

import (
	"cmp"
	"context"
	"slices"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity/policy"
	"github.com/neap-cloud/neap/internal/store"
)

// realm is an organisation with its accounts, groups and policies, as they are at one revision. It is never changed once it is shared.
type realm struct {
	organisation store.Doc[Organisation]
	accounts     []Account // oldest first
	groups       []Group
	policies     map[string]*heldPolicy
}

// heldPolicy is a policy, ready for decisions.
type heldPolicy struct {
	Policy
	version  int64
	compiled *policy.Policy
}

// realm answers from memory while the organisation is at this revision.
func (i *Identity) realm(ctx context.Context, organisation string, revision int64) (*realm, error) {
	known, is := i.realms.get(organisation)
	if is && known.organisation.Version == revision {
		return known, nil
	}
	r, err := i.readRealm(ctx, i.db, organisation, known)
	if err == nil {
		i.realms.put(organisation, r)
	}
	return r, err
}

// readRealm reads all of it; what before has compiled already is taken from there. The organisation is read first: what is changed while the rest is read makes the
// realm newer than its revision says, never older.
func (i *Identity) readRealm(ctx context.Context, s store.Session, organisation string, before *realm) (*realm, error) {
	r := &realm{policies: map[string]*heldPolicy{}}
	var err error
	if r.organisation, err = organisations.Get(ctx, s, store.Installation(), organisation); err != nil {
		return nil, err
	}
	if r.accounts, err = listed(ctx, s, accounts, organisation); err != nil {
		return nil, err
	}
	if r.groups, err = listed(ctx, s, groups, organisation); err != nil {
		return nil, err
	}
	docs, _, err := policies.List(ctx, s, store.Installation(), store.Query{Parent: organisation})
	if err != nil {
		return nil, err
	}
	for _, doc := range docs {
		if before != nil && before.policies[doc.ID] != nil && before.policies[doc.ID].version == doc.Version {
			r.policies[doc.ID] = before.policies[doc.ID]
			continue
		}
		compiled, err := policy.Compile(doc.ID, "policy", doc.Value.Content)
		if err != nil {
			return nil, fault.Of(fault.Internal, policies.Noun, "The stored policy %s cannot be read.", doc.ID).With(err)
		}
		r.policies[doc.ID] = &heldPolicy{doc.Value, doc.Version, compiled}
	}
	for _, given := range i.standard {
		r.policies[given.ID] = given
	}
	return r, nil
}

// listed reads a noun of an organisation, oldest first.
func listed[T any](ctx context.Context, s store.Session, c store.Collection[T], organisation string) ([]T, error) {
	docs, _, err := c.List(ctx, s, store.Installation(), store.Query{Parent: organisation})
	if err != nil || organisation == "" {
		return nil, err
	}
	list := make([]T, len(docs))
	for n, doc := range docs {
		list[n] = doc.Value
	}
	return list, nil
}

func (r *realm) account(id string) (Account, bool) {
	at := slices.IndexFunc(r.accounts, func(a Account) bool { return a.ID == id })
	if at < 0 {
		return Account{}, false
	}
	return r.accounts[at], true
}

func (r *realm) group(id string) (Group, bool) {
	at := slices.IndexFunc(r.groups, func(g Group) bool { return g.ID == id })
	if at < 0 {
		return Group{}, false
	}
	return r.groups[at], true
}

// groupsOf are the ids of the groups that a user was put into.
func (r *realm) groupsOf(user string) (ids []string) {
	for _, g := range r.groups {
		if slices.Contains(g.Users, user) {
			ids = append(ids, g.ID)
		}
	}
	return ids
}

// reaches reports whether an account belongs to a group of these: to one that it names, or, naming none, to everyone's.
func (a Account) reaches(groups []string) bool {
	return len(a.Teams) == 0 || slices.ContainsFunc(a.Teams, func(id string) bool { return slices.Contains(groups, id) })
}

// policyList is in the order in which policies are shown: one's own by age and id, then those that every organisation has.
func (r *realm) policyList() []Policy {
	list := make([]Policy, 0, len(r.policies))
	for _, p := range r.policies {
		list = append(list, p.Policy)
	}
	slices.SortFunc(list, func(a, b Policy) int {
		if a.Standard != b.Standard {
			return map[bool]int{true: 1, false: -1}[a.Standard]
		}
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return list
}
