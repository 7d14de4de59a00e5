// Package identity knows who may do what.
//
// It owns organisations, accounts, tokens and the installation's own identity. It must not know any wire format. Start reading at Identity.
package identity

import (
	"context"

	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

type Config struct {
	DB *store.DB
}

// Identity answers from memory where a request waits for it. Safe for concurrent use.
type Identity struct{}

func New(c Config) *Identity { panic("unbuilt") }

// Installation is this database's own identity. Generation grows with every start; the cloud's tags carry it, so that an old database is recognised.
type Installation struct {
	ID         string
	Generation int64
}

// Account is one cloud account of an organisation.
type Account struct {
	ID           string // "act-…"
	Organisation string
	Name         string
	Cloud        string // "sim", "aws"
	Provider     string // wire family: "AWS"
	ExternalID   string // the cloud's own account id
}

// Started counts this start and returns the installation. First is true on the very first start; then admin is the admin token, never to be seen again.
func (i *Identity) Start(ctx context.Context) (inst Installation, admin string, first bool, err error) {
	panic("unbuilt")
}

// CreateAccount adds an account to an organisation; the first is its default.
func (i *Identity) CreateAccount(ctx context.Context, tx *store.Tx, a Account) (Account, error) {
	panic("unbuilt")
}
func (i *Identity) Account(ctx context.Context, id string) (Account, error) { panic("unbuilt") }
func (i *Identity) Accounts(ctx context.Context, organisation string) ([]Account, error) {
	panic("unbuilt")
}

func (i *Identity) Authenticate(ctx context.Context, token string) (op.Caller, error) {
	panic("unbuilt")
}
func (i *Identity) Authorize(ctx context.Context, caller op.Caller, need, account string) error {
	panic("unbuilt")
}

var _ op.Authorizer = (*Identity)(nil)
