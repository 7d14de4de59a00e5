package identity

import (
	"context"
	"slices"
	"sync"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity/policy"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

// standing is what a user may do, at one revision of the organisation. Safe for concurrent use.
type standing struct {
	revision int64
	realm    *realm
	user     User
	groups   []string // that the user was put into
	standard string   // account of requests that name none

	mu     sync.RWMutex
	places map[string]*place // by account; "" = above accounts
}

// place is a user's rights in one account, or above all.
type place struct {
	roles []Role
	set   *policy.Set // nil = no policy applies
}

// standing answers from memory while the organisation is at this revision.
func (i *Identity) standing(ctx context.Context, r *realm, user string) (*standing, error) {
	known, is := i.standings.get(user)
	if is && known.revision == r.organisation.Version {
		return known, nil
	}
	doc, err := users.Get(ctx, i.db, store.Account(r.organisation.ID), user)
	if err != nil {
		return nil, err
	}
	s := r.standingOf(doc.Value)
	s.standard = s.fallback()
	i.standings.put(user, s)
	return s, nil
}

func (r *realm) standingOf(u User) *standing {
	return &standing{revision: r.organisation.Version, realm: r, user: u, groups: r.groupsOf(u.ID), places: map[string]*place{}}
}

// Authorize is op.Rights'. An administrator of the organisation is above its policies, so that no policy can lock everybody out.
func (s *standing) Authorize(d op.Deed) error {
	if _, own := s.realm.account(d.Account); d.Account != "" && !own {
		return noAccount(d.Account)
	}
	if s.user.Role == Admin {
		return nil
	}
	at := s.place(d.Account)
	if d.Account != "" && len(at.roles) == 0 && at.set == nil {
		return noAccount(d.Account)
	}
	byRole := slices.ContainsFunc(at.roles, func(r Role) bool { return r.allows(&d) })
	if at.set == nil {
		if byRole {
			return nil
		}
		return fault.Of(fault.Denied, "action", "You have no right to %s here; your role does not include it.", d.Need)
	}
	if d.Lists && !at.set.DeniesAll(d.Need) && (byRole || at.set.Could(d.Need)) {
		return nil
	}
	decision := at.set.Decide(policy.Deed{Action: d.Need, Email: s.user.Email, Object: policy.Object{ID: d.Object.ID, Attribute: d.Object.Attributes, Names: namesOf(d)}})
	if decision.Allowed() || decision.Effect == "" && byRole {
		return nil
	}
	return fault.Of(fault.Denied, "action", "You have no right to %s here: %s.", d.Need, decision)
}

// namesOf lets "account:act-…" be written in policies beside "setup:act-…".
func namesOf(d op.Deed) map[string]string {
	if d.Account == "" {
		return nil
	}
	return map[string]string{"account": d.Account}
}

// noAccount reads the same for an account of somebody else, for one that does not exist, and for one in which the user has no right at all.
func noAccount(id string) error {
	return fault.Of(fault.Denied, "account", "You have no right to do this in account %q; check the account's id.", id)
}

func (s *standing) place(account string) *place {
	s.mu.RLock()
	known := s.places[account]
	s.mu.RUnlock()
	if known != nil {
		return known
	}
	made := &place{roles: s.rolesIn(account), set: s.setIn(account)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places[account] = made
	return made
}

// rolesIn are the roles that the user holds in an account, or above all.
func (s *standing) rolesIn(account string) (held []Role) {
	u := &s.user
	if account == "" {
		return []Role{Member, s.asIfUnwritten(u.Role)}
	}
	switch u.Role {
	case Viewer:
		held = append(held, Viewer)
	case TeamEditor, TeamViewer:
		if a, _ := s.realm.account(account); a.reaches(s.groups) {
			held = append(held, map[Role]Role{TeamEditor: Editor, TeamViewer: Viewer}[u.Role])
		}
	case Operator, Monitor:
		if account == s.realm.organisation.Value.Default {
			held = append(held, u.Role)
		}
	}
	grant, mapped := u.Accounts[account]
	switch {
	case mapped && grant.Strategy == RoleBased:
		held = append(held, grant.Role)
	case mapped && s.setIn(account) == nil, u.PolicyBased && !s.hasPolicies():
		held = append(held, Viewer) // who goes by policies and has none may look: the documented rule
	}
	return held
}

// asIfUnwritten keeps roles that hold in accounts from meaning anything above them.
func (s *standing) asIfUnwritten(r Role) Role {
	if r == Viewer {
		return Viewer
	}
	if s.user.PolicyBased && !s.hasPolicies() {
		return Viewer
	}
	return Member
}

// hasPolicies reports whether any policy was given to the user, directly or through a group.
func (s *standing) hasPolicies() bool {
	found := false
	s.mappings(func(Mapping) { found = true })
	return found
}

// mappings visits every policy given to the user, directly or through a group.
func (s *standing) mappings(visit func(Mapping)) {
	for _, m := range s.user.Policies {
		visit(m)
	}
	for _, g := range s.realm.groups {
		if slices.Contains(s.groups, g.ID) || g.ID == s.realm.organisation.Value.Everyone {
			for _, m := range g.Policies {
				visit(m)
			}
		}
	}
}

// setIn puts together the policies that apply in an account.
func (s *standing) setIn(account string) *policy.Set {
	var compiled []*policy.Policy
	for _, p := range s.policiesIn(account) {
		compiled = append(compiled, p.compiled)
	}
	if len(compiled) == 0 {
		return nil
	}
	return policy.NewSet(compiled...)
}

// policiesIn are those that apply in an account: given for it or for all, of its mapping, and of the organisation, which are the only ones that apply above
// accounts.
func (s *standing) policiesIn(account string) (apply []*heldPolicy) {
	add := func(id string, given func(p *heldPolicy) bool) {
		if p := s.realm.policies[id]; p != nil && given(p) && !slices.Contains(apply, p) {
			apply = append(apply, p)
		}
	}
	s.mappings(func(m Mapping) {
		add(m.Policy, func(p *heldPolicy) bool { return p.Type == ForOrganisation || account != "" && m.covers(account) })
	})
	if grant := s.user.Accounts[account]; account != "" && grant.Strategy == PolicyBased {
		for _, id := range grant.Policies {
			add(id, func(*heldPolicy) bool { return true })
		}
	}
	return apply
}

// fallback is the account of requests that name none: the organisation's default, or else the first one that the user may do anything in.
func (s *standing) fallback() string {
	standard := s.realm.organisation.Value.Default
	for _, id := range append([]string{standard}, accountIDs(s.realm.accounts)...) {
		if at := s.place(id); id != "" && (s.user.Role == Admin || len(at.roles) > 0 || at.set != nil) {
			return id
		}
	}
	return standard
}

func accountIDs(list []Account) []string {
	ids := make([]string, len(list))
	for n, a := range list {
		ids[n] = a.ID
	}
	return ids
}

// caller is the user as op knows callers.
func (s *standing) caller(t token) op.Caller {
	return op.Caller{
		Organisation: s.realm.organisation.ID, Subject: s.user.ID, Name: s.user.Name, Email: s.user.Email, Token: t.ID,
		Default: s.standard, Rights: s,
	}
}

var _ op.Rights = (*standing)(nil)
