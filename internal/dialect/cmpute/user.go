package cmpute

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

func (d Deps) userRows() []op.Row {
	one := op.Target{Noun: "user", Param: "userId"}
	return section("Users",
		op.Row{N: 6, ID: "users.list", Route: "GET /api/users", Need: "setup:describeUsers", Title: "List users", NoAccount: true, Do: op.Func(d.users)},
		op.Row{N: 7, ID: "users.read", Route: "GET /api/users/{userId}", Need: "setup:describeSelf", Title: "Read one user", NoAccount: true, Target: one, Do: op.Func(d.user)},
		op.Row{N: 8, ID: "users.create", Route: "POST /api/users", Need: "setup:createUser", Title: "Create a user", NoAccount: true, Mutates: true, Do: op.Func(d.createUser)},
		op.Row{N: 9, ID: "users.change", Route: "PUT /api/users/{userId}", Need: "setup:updateUser", Title: "Change a user", NoAccount: true, Target: one, Mutates: true, Do: op.Func(d.changeUser)},
		op.Row{N: 10, ID: "users.teams", Route: "GET /api/v2/Users/Teams", Need: "setup:describeTeams", Title: "Teams of the calling user", Kind: "Teams", NoAccount: true, Do: op.Func(d.ownTeams)},
	)
}

type user struct {
	UserName string
	FullName string
	Role     string
	ID       int `json:"Id"`
}

// roles are identity's by their names here. A role that this API doesn't know reads as the least one.
func roles() map[string]identity.Role {
	return map[string]identity.Role{"Administrator": identity.Admin, "User": identity.TeamEditor, readOnly: identity.TeamViewer}
}

const readOnly = "ReadOnly"

func roleOf(u identity.User) string {
	for name, role := range roles() {
		if role == u.Role {
			return name
		}
	}
	return readOnly
}

// userName is how users are addressed: a program has no e-mail address.
func userName(u identity.User) string {
	if u.Program {
		return u.Name
	}
	return u.Email
}

func shownUser(u identity.User) user {
	return user{UserName: userName(u), FullName: u.Name, Role: roleOf(u), ID: u.Number}
}

// byNumber orders users as they were made.
func byNumber(n int) string { return fmt.Sprintf("%010d", n) }

func (d Deps) users(ctx context.Context, in paged) (list[user], error) {
	all, err := d.Identity.Users(ctx, op.CallOf(ctx).Caller.Organisation)
	shown := make([]user, 0, len(all))
	for _, u := range all {
		shown = append(shown, shownUser(u))
	}
	if err != nil {
		return list[user]{}, err
	}
	return pageOf(shown, in.Token, func(u user) string { return byNumber(u.ID) })
}

type oneUser struct {
	ID int `path:"userId"`
}

func (d Deps) find(ctx context.Context, number int) (identity.User, error) {
	call := op.CallOf(ctx)
	u, err := d.Identity.FindUser(ctx, call.Caller.Organisation, strconv.Itoa(number), func(u identity.User) bool { return u.Number == number })
	if err == nil {
		call.Object = u.ID
	}
	return u, err
}

// user shows everybody to administrators, and oneself to everybody.
func (d Deps) user(ctx context.Context, in oneUser) (user, error) {
	u, err := d.find(ctx, in.ID)
	if caller := op.CallOf(ctx).Caller; err != nil || u.ID != caller.Subject {
		if refused := caller.Rights.Authorize(op.Deed{Need: "setup:describeUser", Reads: true, Object: op.Object{ID: u.ID}}); refused != nil {
			return user{}, refused
		}
	}
	return shownUser(u), err
}

// roleNamed is the role that a client names, in any case.
func roleNamed(f *form, name string) identity.Role {
	for known, role := range roles() {
		if strings.EqualFold(known, name) {
			return role
		}
	}
	f.wrong("Role", "must be Administrator, User or ReadOnly, not %.40q", name)
	return identity.Member
}

// name gives a user a full name; other dialects show its first word and the rest apart.
func name(u *identity.User, full string) {
	u.Name = strings.TrimSpace(full)
	if u.First, u.Last, _ = strings.Cut(u.Name, " "); u.Program {
		u.First, u.Last = "", ""
	}
}

func (d Deps) createUser(ctx context.Context, in withBody) (bool, error) {
	f, err := formOf(ctx, in.Body)
	if err != nil {
		return false, err
	}
	u := identity.User{Organisation: op.CallOf(ctx).Caller.Organisation, Email: f.required("UserName")}
	name(&u, f.required("FullName"))
	if role := f.required("Role"); role != "" {
		u.Role = roleNamed(f, role)
	}
	if err := f.check(); err != nil {
		return false, err
	}
	_, _, err = d.Identity.CreateUser(ctx, identity.NewUser{User: u})
	return err == nil, err
}

func (d Deps) changeUser(ctx context.Context, in struct {
	oneUser
	Body op.Document
}) (bool, error) {
	f, err := formOf(ctx, in.Body)
	if err != nil {
		return false, err
	}
	u, err := d.find(ctx, in.ID)
	if err != nil {
		return false, err
	}
	if id := f.text("Id"); id != nil && *id != strconv.Itoa(in.ID) {
		f.wrong("Id", "must be that of the address, %d, not %.40q", in.ID, *id)
	}
	email, full, roleName := f.text("UserName"), f.text("FullName"), f.text("Role")
	if email != nil && u.Program && *email != u.Name {
		f.wrong("UserName", "cannot be given to a program; change its FullName")
	}
	role := u.Role
	if roleName != nil && !strings.EqualFold(*roleName, roleOf(u)) { // what was read may be sent back: a role unknown here stays
		role = roleNamed(f, *roleName)
	}
	if err := f.check(); err != nil {
		return false, err
	}
	_, err = d.Identity.UpdateUser(ctx, op.CallOf(ctx).Caller.Organisation, u.ID, func(u *identity.User) error {
		u.Email = given(email, u.Email)
		if roleName != nil {
			u.Role = role
		}
		if full != nil {
			name(u, *full)
		}
		return nil
	})
	return err == nil, err
}

// usersNamed are the ids of users of one organisation; fault.NotFound when one is missing.
func usersNamed(all []identity.User, names []string) (ids []string, err error) {
	for _, wanted := range names {
		at := slices.IndexFunc(all, func(u identity.User) bool { return strings.EqualFold(userName(u), wanted) })
		if at < 0 {
			return nil, fault.Missing("user", wanted)
		}
		ids = append(ids, all[at].ID)
	}
	return ids, nil
}
