package identity

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

// Group is several users with policies in common: a user group of the Spot API, a team of the others.
type Group struct {
	ID           string // "ugr-…"
	Organisation string
	Name         string    // unique in the organisation, whatever its case
	Description  string    `json:",omitempty"`
	Users        []string  `json:",omitempty"`
	Policies     []Mapping `json:",omitempty"`
	Created      time.Time
}

// groups have their organisation as account and Parent.
var groups = store.Collection[Group]{Table: "user_groups", Noun: "user group"}

// CreateGroup makes a group. fault.Exists when one of that name is there; nothing is made when a user or policy is unknown.
func (i *Identity) CreateGroup(ctx context.Context, g Group) (made Group, err error) {
	err = i.govern(ctx, g.Organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		if err := i.checkGroup(ctx, tx, r, &g); err != nil {
			return err
		}
		made, err = insertGroup(ctx, tx, g)
		op.CallOf(ctx).Object = made.ID // for the audit entry of this very transaction
		return err
	})
	return made, err
}

func insertGroup(ctx context.Context, tx *store.Tx, g Group) (Group, error) {
	g.Created = today()
	for {
		g.ID = ident.New("ugr")
		_, err := groups.Insert(ctx, tx, store.Doc[Group]{Meta: store.Meta{ID: g.ID, Account: g.Organisation, Parent: g.Organisation, Name: g.Name, At: g.Created}, Value: g})
		if !fault.Is(err, fault.Exists) {
			return g, err
		}
	}
}

// Groups are those of an organisation, oldest first, without the one of everyone: its users are all of them.
func (i *Identity) Groups(ctx context.Context, organisation string) ([]Group, error) {
	list, everyone, err := i.Teams(ctx, organisation)
	return slices.DeleteFunc(list, func(g Group) bool { return g.ID == everyone }), err
}

// Teams are an organisation's groups with the one of everyone, whose Users are none though it has all.
func (i *Identity) Teams(ctx context.Context, organisation string) (list []Group, everyone string, err error) {
	of, err := i.Organisation(ctx, organisation)
	if err != nil {
		return nil, "", err
	}
	list, err = listed(ctx, i.db, groups, organisation)
	return list, of.Everyone, err
}

// Group finds a group of an organisation; fault.NotFound when it has none of that id.
func (i *Identity) Group(ctx context.Context, organisation, id string) (Group, error) {
	doc, err := groups.Get(ctx, i.db, store.Account(organisation), id)
	return doc.Value, err
}

// UpdateGroup changes a group; change is given the group as it is, and may be called again. fault.Conflict for the group of everyone.
func (i *Identity) UpdateGroup(ctx context.Context, organisation, id string, change func(g *Group) error) (changed Group, err error) {
	err = i.govern(ctx, organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		changed, err = i.changeGroup(ctx, tx, r, id, change)
		return err
	})
	return changed, err
}

func (i *Identity) changeGroup(ctx context.Context, tx *store.Tx, r *realm, id string, change func(g *Group) error) (Group, error) {
	doc, err := groups.Get(ctx, tx, store.Account(r.organisation.ID), id)
	if err != nil {
		return Group{}, err
	}
	if id == r.organisation.Value.Everyone {
		return Group{}, fault.Of(fault.Conflict, groups.Noun, "%q is the team of everyone; it can be neither changed nor deleted.", doc.Value.Name)
	}
	if err := change(&doc.Value); err != nil {
		return Group{}, err
	}
	doc.Value.ID, doc.Value.Organisation = doc.ID, r.organisation.ID
	if err := i.checkGroup(ctx, tx, r, &doc.Value); err != nil {
		return Group{}, err
	}
	doc.Name = doc.Value.Name
	doc, err = groups.Update(ctx, tx, doc)
	return doc.Value, err
}

// DeleteGroup ends a group; its users remain. Accounts that belonged to it alone are everyone's again.
func (i *Identity) DeleteGroup(ctx context.Context, organisation, id string) (gone Group, err error) {
	err = i.govern(ctx, organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		if gone, err = i.changeGroup(ctx, tx, r, id, func(*Group) error { return nil }); err != nil {
			return err
		}
		for _, a := range r.accounts {
			if slices.Contains(a.Teams, id) {
				if _, err := i.changeAccount(ctx, tx, r, a.ID, func(a *Account) error { a.Teams = without(a.Teams, id); return nil }); err != nil {
					return err
				}
			}
		}
		return groups.Delete(ctx, tx, store.Account(organisation), id)
	})
	return gone, err
}

// SetGroups puts a user into these groups and takes it out of all others. Nothing is changed when one is unknown.
func (i *Identity) SetGroups(ctx context.Context, organisation, user string, ids []string) error {
	return i.govern(ctx, organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		if _, err := users.Get(ctx, tx, store.Account(organisation), user); err != nil {
			return err
		}
		return i.setGroups(ctx, tx, r, user, ids)
	})
}

func (i *Identity) setGroups(ctx context.Context, tx *store.Tx, r *realm, user string, ids []string) error {
	for _, id := range ids {
		if _, known := r.group(id); !known {
			return fault.Field("userGroupIds", "there is no user group %.40q", id)
		}
	}
	for _, g := range r.groups {
		is, wanted := slices.Contains(g.Users, user), slices.Contains(ids, g.ID)
		if is == wanted || g.ID == r.organisation.Value.Everyone {
			continue
		}
		_, err := i.changeGroup(ctx, tx, r, g.ID, func(g *Group) error {
			if g.Users = without(g.Users, user); wanted {
				g.Users = append(g.Users, user)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// without is a list without what is left out; the list itself stays as it is.
func without(list []string, out string) (rest []string) {
	for _, one := range list {
		if one != out {
			rest = append(rest, one)
		}
	}
	return rest
}

func (i *Identity) checkGroup(ctx context.Context, tx *store.Tx, r *realm, g *Group) error {
	faults := append(nameFaults("name", g.Name, "+=@"), r.mappingFaults(g.Policies)...)
	if len(g.Users) > 0 {
		list, err := listed(ctx, tx, users, r.organisation.ID)
		if err != nil {
			return err
		}
		var once []string
		for _, id := range g.Users {
			id = strings.Replace(id, "pu_", "pu-", 1)
			if !slices.ContainsFunc(list, func(u User) bool { return u.ID == id }) {
				faults = append(faults, fault.Field("userIds", "there is no user %.40q", id))
			}
			if !slices.Contains(once, id) {
				once = append(once, id)
			}
		}
		g.Users = once
	}
	if err := fault.All(faults); err != nil {
		return err
	}
	for _, other := range r.groups {
		if other.ID != g.ID && strings.EqualFold(other.Name, g.Name) {
			return existing("name", "There is a group %q already; choose another name.", other.Name)
		}
	}
	return nil
}
