package identity

import (
	"cmp"
	"context"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/store"
)

// User is somebody, or a program, with rights in one organisation. The same user is shown by every dialect.
type User struct {
	ID           string // "u-…" of a person, "pu-…" of a program
	Organisation string
	Number       int  // counted in the organisation, for wire formats that want integers
	Program      bool // a program has a name and no e-mail address
	Name         string
	First, Last  string `json:",omitempty"` // of a person, whose Name they make
	Email        string `json:",omitempty"` // of a person; unique in the organisation, whatever its case
	Phone        string `json:",omitempty"`
	Description  string `json:",omitempty"`
	Disabled     bool   `json:",omitempty"` // is nobody meanwhile: no token of the user is valid
	MFA          bool   `json:",omitempty"`

	Role     Role             // in the organisation
	Accounts map[string]Grant `json:",omitempty"` // by account
	Policies []Mapping        `json:",omitempty"`
	// PolicyBased users go by policies in all accounts: one without any may look and nothing else.
	PolicyBased bool `json:",omitempty"`

	Created  time.Time
	Password string `json:",omitempty"` // its hash, see password.go
}

// Strategy is what a user's rights in an account follow from.
type Strategy string

const (
	RoleBased   Strategy = "ROLE_BASED"
	PolicyBased Strategy = "POLICY_BASED"
)

// Grant is a user's mapping to an account.
type Grant struct {
	Strategy Strategy
	Role     Role     `json:",omitempty"` // Editor or Viewer, of a RoleBased one
	Policies []string `json:",omitempty"` // ids, of a PolicyBased one
}

// Mapping gives a policy to a user or a group.
type Mapping struct {
	Policy string
	// Accounts that it applies in; "*" = all, also those that are made later. A policy for the organisation has none.
	Accounts []string `json:",omitempty"`
}

func (m Mapping) covers(account string) bool {
	return slices.Contains(m.Accounts, account) || slices.Contains(m.Accounts, "*")
}

// users have their organisation as account and Parent.
var users = store.Collection[User]{Table: "users", Noun: "user"}

// NewUser is a user to be made.
type NewUser struct {
	User
	Password string   // in clear; "" = the user can't sign in with one
	Groups   []string // to put the user into
	Token    string   // name of a token to make at once; "" = none
}

// CreateUser makes a user; secret is the text of the token, if one was wanted. fault.Exists when a person of that e-mail address, or a program of that name, is there.
func (i *Identity) CreateUser(ctx context.Context, n NewUser) (made User, secret string, err error) {
	hash, err := i.hashPassword(ctx, n.Password)
	if err != nil {
		return User{}, "", err
	}
	err = i.govern(ctx, n.Organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		u := n.User
		u.Password = hash
		if err := i.checkUser(ctx, tx, r, &u); err != nil {
			return err
		}
		if u.Number, err = r.number(ctx, tx); err != nil {
			return err
		}
		if made, err = insertUser(ctx, tx, u); err != nil {
			return err
		}
		acted(ctx, made.ID)
		if err := i.setGroups(ctx, tx, r, made.ID, n.Groups); err != nil || n.Token == "" {
			return err
		}
		secret, _, err = i.createToken(ctx, tx, r, NewToken{User: made.ID, Name: n.Token})
		return err
	})
	if err != nil {
		return User{}, "", err
	}
	return made, secret, nil
}

func insertUser(ctx context.Context, tx *store.Tx, u User) (User, error) {
	prefix := "u"
	if u.Program {
		prefix = "pu"
	}
	u.Created = today()
	for {
		u.ID = ident.New(prefix)
		_, err := users.Insert(ctx, tx, store.Doc[User]{Meta: store.Meta{ID: u.ID, Account: u.Organisation, Parent: u.Organisation, Name: strings.ToLower(u.Email), At: u.Created}, Value: u})
		if !fault.Is(err, fault.Exists) {
			return u, err
		}
	}
}

// Users are those of an organisation, oldest first.
func (i *Identity) Users(ctx context.Context, organisation string) ([]User, error) {
	return listed(ctx, i.db, users, organisation)
}

// User finds a user of an organisation; fault.NotFound when it has none of that id. "pu_…" is an older spelling of "pu-…".
func (i *Identity) User(ctx context.Context, organisation, id string) (User, error) {
	doc, err := users.Get(ctx, i.db, store.Account(organisation), strings.Replace(id, "pu_", "pu-", 1))
	return doc.Value, err
}

// byEmail are the people of this address in all organisations.
func (i *Identity) byEmail(ctx context.Context, email string) ([]User, error) {
	docs, _, err := users.List(ctx, i.db, store.Installation(), store.Query{Name: strings.ToLower(strings.TrimSpace(email))})
	var list []User
	for _, doc := range docs {
		if doc.Value.Email != "" {
			list = append(list, doc.Value)
		}
	}
	return list, err
}

// FindUser finds the user of an organisation that is; fault.NotFound, about what, when none is.
func (i *Identity) FindUser(ctx context.Context, organisation, what string, is func(User) bool) (User, error) {
	list, err := i.Users(ctx, organisation)
	if err != nil {
		return User{}, err
	}
	if at := slices.IndexFunc(list, is); at >= 0 {
		return list[at], nil
	}
	return User{}, fault.Missing(users.Noun, what)
}

// UpdateUser changes a user; change is given the user as it is, and may be called again. Who the user is (id, organisation, kind) never changes.
func (i *Identity) UpdateUser(ctx context.Context, organisation, id string, change func(u *User) error) (changed User, err error) {
	err = i.govern(ctx, organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		changed, err = i.changeUser(ctx, tx, r, id, change)
		return err
	})
	return changed, err
}

// UpdateUsers changes several users of an organisation, all or none.
func (i *Identity) UpdateUsers(ctx context.Context, organisation string, ids []string, change func(n int, u *User) error) error {
	return i.govern(ctx, organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		for n, id := range ids {
			if _, err := i.changeUser(ctx, tx, r, id, func(u *User) error { return change(n, u) }); err != nil {
				return err
			}
		}
		return nil
	})
}

func (i *Identity) changeUser(ctx context.Context, tx *store.Tx, r *realm, id string, change func(u *User) error) (User, error) {
	doc, err := users.Get(ctx, tx, store.Account(r.organisation.ID), strings.Replace(id, "pu_", "pu-", 1))
	if err != nil {
		return User{}, err
	}
	before := doc.Value
	if err := change(&doc.Value); err != nil {
		return User{}, err
	}
	doc.Value.ID, doc.Value.Organisation, doc.Value.Number, doc.Value.Program = before.ID, before.Organisation, before.Number, before.Program
	if err := i.checkUser(ctx, tx, r, &doc.Value); err != nil {
		return User{}, err
	}
	doc.Name = strings.ToLower(doc.Value.Email)
	doc, err = users.Update(ctx, tx, doc)
	return doc.Value, err
}

// DeleteUser ends a user with all tokens. fault.Conflict for the owner of the organisation and for its last administrator.
func (i *Identity) DeleteUser(ctx context.Context, organisation, id string) (gone User, err error) {
	err = i.govern(ctx, organisation, func(ctx context.Context, tx *store.Tx, r *realm) error {
		doc, err := users.Get(ctx, tx, store.Account(organisation), strings.Replace(id, "pu_", "pu-", 1))
		if err != nil {
			return err
		}
		gone = doc.Value
		if gone.ID == r.organisation.Value.Owner {
			return fault.Of(fault.Conflict, users.Noun, "User %s owns the organisation and cannot be deleted.", id)
		}
		nobody := gone
		nobody.Role = Member
		if err := i.checkAdmins(ctx, tx, r, nobody); err != nil {
			return err
		}
		if err := i.revokeAll(ctx, tx, r, gone.ID); err != nil {
			return err
		}
		if err := i.setGroups(ctx, tx, r, gone.ID, nil); err != nil {
			return err
		}
		return users.Delete(ctx, tx, store.Account(organisation), gone.ID)
	})
	return gone, err
}

// checkUser holds a user to all rules, as it is to be stored.
func (i *Identity) checkUser(ctx context.Context, tx *store.Tx, r *realm, u *User) error {
	var faults []*fault.Error
	u.Email = strings.TrimSpace(u.Email)
	if u.Program {
		u.Email = ""
	} else if address, err := mail.ParseAddress(u.Email); err != nil || address.Address != u.Email || len(u.Email) > 254 {
		faults = append(faults, fault.Field("email", "must be an e-mail address, such as ada@example.com, not %.80q", u.Email))
	}
	if u.First != "" || u.Last != "" {
		u.Name = strings.TrimSpace(u.First + " " + u.Last)
	}
	u.Name = cmp.Or(u.Name, u.Email)
	if u.Name != u.Email {
		faults = append(faults, nameFaults("name", u.Name, "+=@")...)
	}
	if !slices.Contains(roles(), u.Role) {
		faults = append(faults, fault.Field("role", "must be one of the organisation's roles, not %.40q", string(u.Role)))
	}
	for account, grant := range u.Accounts {
		if grant.Strategy == "" {
			grant.Strategy = RoleBased
			u.Accounts[account] = grant
		}
		faults = append(faults, r.grantFaults(account, grant)...)
	}
	faults = append(faults, r.mappingFaults(u.Policies)...)
	if err := fault.All(faults); err != nil {
		return err
	}
	if err := i.checkUnique(ctx, tx, u); err != nil {
		return err
	}
	return i.checkAdmins(ctx, tx, r, *u)
}

func (i *Identity) checkUnique(ctx context.Context, tx *store.Tx, u *User) error {
	list, err := listed(ctx, tx, users, u.Organisation)
	if err != nil {
		return err
	}
	for _, other := range list {
		switch {
		case other.ID == u.ID:
		case u.Email != "" && strings.EqualFold(other.Email, u.Email):
			return existing("email", "There is a user %s already; choose another e-mail address.", u.Email)
		case u.Program && other.Program && other.Name == u.Name:
			return existing("name", "There is a programmatic user %q already; choose another name.", u.Name)
		}
	}
	return nil
}

// existing is fault.Exists about a field.
func existing(field, format string, args ...any) error {
	err := fault.Of(fault.Exists, field, format, args...)
	err.Field = field
	return err
}

// checkAdmins keeps somebody who can manage the organisation, u being about to be stored.
func (i *Identity) checkAdmins(ctx context.Context, tx *store.Tx, r *realm, u User) error {
	if u.Role == Admin && !u.Disabled {
		return nil
	}
	list, err := listed(ctx, tx, users, r.organisation.ID)
	if err != nil {
		return err
	}
	was := false
	for _, other := range list {
		if other.Role == Admin && !other.Disabled {
			if other.ID != u.ID {
				return nil
			}
			was = true
		}
	}
	if !was {
		return nil
	}
	return fault.Of(fault.Conflict, "administrator", "This is the organisation's last administrator; make another one first.")
}

func (r *realm) grantFaults(account string, g Grant) (faults []*fault.Error) {
	if _, own := r.account(account); !own {
		return []*fault.Error{fault.Field("accountId", "there is no account %.40q", account)}
	}
	switch g.Strategy {
	case RoleBased:
		if !slices.Contains(accountRoles(), g.Role) {
			faults = append(faults, fault.Field("role", "must be viewer or editor, not %.40q", string(g.Role)))
		}
	case PolicyBased:
		if len(g.Policies) == 0 {
			faults = append(faults, fault.Field("policyIds", "needs at least one policy with the strategy %s", PolicyBased))
		}
		for _, id := range g.Policies {
			if r.policies[id] == nil {
				faults = append(faults, fault.Field("policyIds", "there is no policy %.40q", id))
			}
		}
	default:
		faults = append(faults, fault.Field("permissionStrategy", "must be %s or %s, not %.40q", RoleBased, PolicyBased, string(g.Strategy)))
	}
	return faults
}

// mappingFaults are those of policies given to a user or a group.
func (r *realm) mappingFaults(list []Mapping) (faults []*fault.Error) {
	for _, m := range list {
		p := r.policies[m.Policy]
		switch {
		case p == nil:
			faults = append(faults, fault.Field("policies.policyId", "there is no policy %.40q", m.Policy))
		case p.Type == ForOrganisation && len(m.Accounts) > 0:
			faults = append(faults, fault.Field("policies.accountIds", "must be left out: policy %s is for the organisation as a whole", m.Policy))
		case p.Type == ForAccounts && len(m.Accounts) == 0:
			faults = append(faults, fault.Field("policies.accountIds", "needs at least one account, or \"*\" for all, with policy %s", m.Policy))
		}
		for _, id := range m.Accounts {
			if _, own := r.account(id); !own && id != "*" {
				faults = append(faults, fault.Field("policies.accountIds", "there is no account %.40q", id))
			}
		}
	}
	return faults
}
