package identity

import (
	"context"
	"slices"

	"github.com/neap-cloud/neap/internal/store"
)

// Reach is one account in which a user may do anything.
type Reach struct {
	Account string
	// Grant is the user's mapping to it; without one, what the user's role in the organisation, or its policies, amount to there.
	Grant Grant
}

// Reaches are the accounts in which each user of an organisation may do anything, oldest first, by user.
func (i *Identity) Reaches(ctx context.Context, organisation string) (map[string][]Reach, error) {
	revision, err := organisations.Version(ctx, i.db, store.Installation(), organisation)
	if err != nil {
		return nil, err
	}
	r, err := i.realm(ctx, organisation, revision)
	if err != nil {
		return nil, err
	}
	list, err := i.Users(ctx, organisation)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]Reach, len(list))
	for _, u := range list {
		s := r.standingOf(u)
		for _, a := range r.accounts {
			if grant, any := s.grantIn(a.ID); any {
				all[u.ID] = append(all[u.ID], Reach{a.ID, grant})
			}
		}
	}
	return all, nil
}

// grantIn says in one grant what the user may do in an account, if anything.
func (s *standing) grantIn(account string) (Grant, bool) {
	if s.user.Role == Admin {
		return Grant{Strategy: RoleBased, Role: Admin}, true
	}
	if mapped, is := s.user.Accounts[account]; is {
		return mapped, true
	}
	var ids []string
	for _, p := range s.policiesIn(account) {
		ids = append(ids, p.ID)
	}
	roles := s.rolesIn(account)
	switch {
	case len(ids) > 0:
		return Grant{Strategy: PolicyBased, Policies: ids}, true
	case len(roles) == 0:
		return Grant{}, false
	case slices.Contains(roles, Editor):
		return Grant{Strategy: RoleBased, Role: Editor}, true
	}
	return Grant{Strategy: RoleBased, Role: roles[0]}, true
}
