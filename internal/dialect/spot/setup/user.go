package setup

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

func (d dialect) userRows() []op.Row {
	user := op.Target{Noun: "user", Param: "userId"}
	return append([]op.Row{
		// The table lists the first one again as 13, among the operations of accounts.
		{N: 1, ID: "organization.getUsers", Route: "GET /setup/user", Need: "setup:describeUsers", Title: "List users and the accounts they are mapped to", Kind: "spotinst:aws:ec2:group:log", Do: op.Func(d.users)},
		{N: 2, ID: "organization.createUser", Route: "POST /setup/user", Need: "setup:createUser", Title: "Create a user", Mutates: true, Kind: "spotinst:setup:user", Body: "setup#/$defs/userCreate", Do: op.Func(d.createUser)},
		{ID: "organization.getOrganizationUsers", Route: "GET /setup/organization/user", Need: "setup:describeUsers", Title: "List users and their groups", Kind: "spotinst:setup:organization:user", Do: op.Func(d.organisationUsers)},
		{ID: "organization.deleteUser", Route: "DELETE /setup/user/{userId}", Need: "setup:deleteUser", Title: "Delete a user with all tokens", Target: user, Mutates: true, Do: op.Func(d.deleteUser)},
		{ID: "organization.getUserDetails", Route: "GET /setup/user/{userId}", Need: "setup:describeUser", Title: "Show a user", Target: user, Kind: "spotinst:setup:access:user", Do: op.Func(d.user)},
		{ID: "organization.updateUserPolicyMapping", Route: "PUT /setup/user/{userId}/policyMapping", Need: "setup:updateUser", Title: "Replace a user's policies", Target: user, Mutates: true, Body: "setup#/$defs/policyMapping", BodyOptional: true, Do: op.Func(d.mapPolicies)},
		{ID: "organization.updateUserGroupMapping", Route: "PUT /setup/user/{userId}/userGroupMapping", Need: "setup:updateUser", Title: "Replace a user's groups", Target: user, Mutates: true, Body: "setup#/$defs/groupMapping", BodyOptional: true, Do: op.Func(d.mapGroups)},
	}, d.programRows()...)
}

type usersIn struct {
	Account string `query:"accountId" doc:"Only users who are mapped to this account."`
}

type mappedUser struct {
	Accounts []string `json:"mappedAccountIds"`
	ID       string   `json:"userId"`
	Name     string   `json:"displayName"`
	Email    string   `json:"email,omitempty"`
}

func (d dialect) users(ctx context.Context, in usersIn) (spot.Items[mappedUser], error) {
	call := op.CallOf(ctx)
	if in.Account != "" {
		if err := call.Caller.Rights.Authorize(op.Deed{Need: call.Row.Need, Account: in.Account, Reads: true}); err != nil {
			return nil, err
		}
	}
	all, err := d.Identity.Users(ctx, call.Caller.Organisation)
	if err != nil {
		return nil, err
	}
	reaches, err := d.Identity.Reaches(ctx, call.Caller.Organisation)
	var items spot.Items[mappedUser]
	for _, u := range all {
		accounts := []string{}
		for _, r := range reaches[u.ID] {
			accounts = append(accounts, r.Account)
		}
		if in.Account == "" || slices.Contains(accounts, in.Account) {
			items = append(items, mappedUser{accounts, u.ID, u.Name, u.Email})
		}
	}
	return items, err
}

type createUserIn struct {
	Token bool `query:"generateToken" doc:"Answer with a token of the user."`
	Body  op.Document
}

// person is the body that makes one.
type person struct {
	First    string    `json:"firstName"`
	Last     string    `json:"lastName"`
	Email    string    `json:"email"`
	Password string    `json:"password"`
	Role     string    `json:"role"`
	Policies []mapping `json:"policies"`
	Groups   []string  `json:"userGroupIds"`
}

type createdUser struct {
	Number       int    `json:"id"`
	First        string `json:"firstName"`
	Last         string `json:"lastName"`
	Name         string `json:"displayName"`
	Email        string `json:"email"`
	Organisation int64  `json:"organizationId"`
	Token        string `json:"personalAccessToken,omitempty"`
	ID           string `json:"userId"`
}

// firstToken is the name of the token that a user is made with.
const firstToken = "created with the user"

func (d dialect) createUser(ctx context.Context, in createUserIn) (spot.Items[createdUser], error) {
	call := op.CallOf(ctx)
	body, err := read[person](in.Body)
	if err != nil {
		return nil, err
	}
	made := identity.NewUser{Password: body.Password, Groups: body.Groups, User: identity.User{
		Organisation: call.Caller.Organisation, First: body.First, Last: body.Last, Email: body.Email,
		Policies: mappings(body.Policies), PolicyBased: len(body.Policies) > 0,
	}}
	if in.Token {
		made.Token = firstToken
	}
	switch role := identity.Role(body.Role); role {
	case identity.Admin:
		made.Role = role
	case identity.Viewer, identity.Editor:
		of, err := d.Identity.Organisation(ctx, call.Caller.Organisation)
		if err != nil {
			return nil, err
		}
		if of.Default != "" {
			made.Accounts = map[string]identity.Grant{of.Default: {Strategy: identity.RoleBased, Role: role}}
		}
	}
	u, secret, err := d.Identity.CreateUser(ctx, made)
	if err != nil {
		return nil, respelled(err, "", map[string]string{"name": "firstName"})
	}
	return spot.One(createdUser{u.Number, u.First, u.Last, u.Name, u.Email, number(u.Organisation), secret, u.ID}), nil
}

// number is an organisation's id where the wire wants an integer.
func number(organisation string) int64 {
	n, err := strconv.ParseInt(organisation, 10, 64)
	if err != nil {
		return 0 // the ids are digits, see identity.Organisation
	}
	return n
}

type userIn struct {
	User string `path:"userId"`
}

func (d dialect) deleteUser(ctx context.Context, in userIn) (spot.Done, error) {
	_, err := d.Identity.DeleteUser(ctx, op.CallOf(ctx).Caller.Organisation, in.User)
	return spot.Done{}, err
}

type bodyOfUserIn struct {
	userIn
	Body op.Document
}

// mapPolicies makes the user go by policies, even by none: such a user may look and nothing else.
func (d dialect) mapPolicies(ctx context.Context, in bodyOfUserIn) (spot.Done, error) {
	body, err := read[struct{ Policies []mapping }](in.Body)
	if err != nil {
		return spot.Done{}, err
	}
	_, err = d.Identity.UpdateUser(ctx, op.CallOf(ctx).Caller.Organisation, in.User, func(u *identity.User) error {
		u.Policies, u.PolicyBased = mappings(body.Policies), true
		return nil
	})
	return spot.Done{}, err
}

func (d dialect) mapGroups(ctx context.Context, in bodyOfUserIn) (spot.Done, error) {
	body, err := read[struct{ UserGroupIDs []string }](in.Body)
	if err != nil {
		return spot.Done{}, err
	}
	return spot.Done{}, d.Identity.SetGroups(ctx, op.CallOf(ctx).Caller.Organisation, canonical(in.User), body.UserGroupIDs)
}

// canonical is the newer spelling of a programmatic user's id.
func canonical(user string) string { return strings.Replace(user, "pu_", "pu-", 1) }

// named finds the user that a body names by id or by e-mail address.
func (d dialect) named(ctx context.Context, id, email string) (identity.User, error) {
	organisation := op.CallOf(ctx).Caller.Organisation
	switch {
	case id != "" && email != "":
		return identity.User{}, fault.Field("userId", "names the user a second time; leave out userId or userEmail")
	case id != "":
		return d.Identity.User(ctx, organisation, id)
	case email == "":
		return identity.User{}, fault.Field("userId", "is required, or userEmail instead of it")
	}
	return d.Identity.FindUser(ctx, organisation, email, func(u identity.User) bool { return strings.EqualFold(u.Email, email) })
}
